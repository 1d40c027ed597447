"""The focal factor, for every task that has a focal loss."""

import keras
from keras import ops


def focal(log_p: keras.KerasTensor, gamma: float) -> keras.KerasTensor:
    """The focal loss (Lin et al. 2017, equation 4) of what has the probability p: -(1 - p) ** gamma * log(p).

    Args:
        log_p: logarithms of probabilities, of any shape. Keras' own takes probabilities and cuts them off at 1e-7:
            where a network is surely wrong, the very case that the loss is for, there is no gradient.
        gamma: 0 or more; 0 is cross-entropy.
    """
    if gamma == 0:
        return -log_p
    rest = ops.maximum(-ops.expm1(log_p), keras.config.epsilon())  # a power below 1 has no gradient at 0
    return -(rest**gamma) * log_p
