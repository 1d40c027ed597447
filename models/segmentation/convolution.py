"""Convolutions as all networks here have them, and the last one, from channels to scores of classes."""

import keras
from keras import layers

from .options import SegmentationOptions


def convolution(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3) -> keras.KerasTensor:
    """Convolution "same", batch norm (Ioffe and Szegedy 2015), ReLU; initialised for ReLU (He et al. 2015)."""
    x = layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def scores(
    x: keras.KerasTensor, classes: int, options: SegmentationOptions, name: str = "logits", kernel: int = 1
) -> keras.KerasTensor:
    """A score of each class at each place, `[n, h, w, classes]`; dropout of whole channels before it.

    In float32 whatever the precision. Layers whose weights belong to classes have names that begin with "logits".
    """
    x = layers.SpatialDropout2D(options.dropout, name=f"dropout_of_{name}")(x)
    return layers.Conv2D(classes, kernel, padding="same", name=name, dtype="float32")(x)
