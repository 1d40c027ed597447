"""Bilinear upsampling of maps of any size."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("saccade")
class BilinearUpsampling(keras.layers.Layer):
    """Bilinear interpolation to `factor` times the height and width, by pixel centres as `tf.image.resize` has them.

    `keras.layers.UpSampling2D` compares the new size with 0 in Python, which a graph cannot do where the size follows
    the picture (Keras 3.15).

    Args:
        factor: how many times.
        name: of the layer.
        dtype: of the layer.
        trainable: part of every Keras layer's configuration; there is nothing to train.
    """

    def __init__(self, factor: int, name: str | None = None, dtype: Any = None, trainable: bool = True):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.factor = factor

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Float `[n, h, w, c]` to `[n, factor h, factor w, c]`."""
        sides = [known or side for known, side in zip(x.shape[1:3], tf.unstack(tf.shape(x)[1:3]), strict=True)]
        return tf.cast(tf.image.resize(x, [side * self.factor for side in sides]), x.dtype)

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return (batch, *(None if side is None else side * self.factor for side in (height, width)), channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"factor": self.factor}
