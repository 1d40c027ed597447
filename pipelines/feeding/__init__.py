"""How samples reach the model in training, from shuffled positions to batches."""
