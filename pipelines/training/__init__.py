"""How a model is fitted: phases, optimizers, checkpoints, and the job around them."""
