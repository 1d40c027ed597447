"""What segmentation networks are built of: convolutions, upsampling, max unpooling, encoder and decoder."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from ..backbones.backbone import Backbone, Shape
from ..backbones.families import NETWORKS, networks_with
from ..errors import InputError
from ..naming import find_callable, own_code
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


@keras.saving.register_keras_serializable("saccade")
class BilinearUpsampling(keras.layers.Layer):
    """Bilinear interpolation to `factor` times the height and width, by pixel centres as `tf.image.resize` has them.

    `keras.layers.UpSampling2D` compares the new size with 0 in Python, which a graph cannot do where the size follows
    the image (Keras 3.15).

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


@keras.saving.register_keras_serializable("saccade")
class MaxPoolingWithPlaces(keras.layers.Layer):
    """Maxima of 2 x 2 windows, and the place of each in its window.

    `tf.nn.max_pool_with_argmax` gives places in the whole image, which takes scattering to undo. Windows do not
    overlap here, so a place in the window will do, and all is done by comparing and choosing: on every device, under
    XLA, in every precision.
    """

    def call(self, x: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Float `[n, 2 h, 2 w, c]` to maxima `[n, h, w, c]` and places int32 of the same shape: 0 upper left, 1 upper
        right, 2 lower left, 3 lower right; the first of equal ones."""
        maxima = ops.max_pool(x, 2, 2)
        places = ops.full_like(maxima, 3, dtype="int32")
        for place, part in ((2, x[:, 1::2, ::2]), (1, x[:, ::2, 1::2]), (0, x[:, ::2, ::2])):
            places = ops.where(part == maxima, place, places)
        return maxima, places


@keras.saving.register_keras_serializable("saccade")
class MaxUnpooling(keras.layers.Layer):
    """Each value back to the place in its 2 x 2 window where the maximum stood; zero elsewhere."""

    def call(self, x: keras.KerasTensor, places: keras.KerasTensor) -> keras.KerasTensor:
        """Float `[n, h, w, c]` and places as `MaxPoolingWithPlaces` gives them to float `[n, 2 h, 2 w, c]`."""
        upper_left, upper_right, lower_left, lower_right = (
            ops.where(places == place, x, ops.zeros_like(x)) for place in range(4)
        )
        _, height, width, channels = ops.shape(x)
        upper = ops.stack([upper_left, upper_right], axis=3)  # n, h, w, 2, c
        lower = ops.stack([lower_left, lower_right], axis=3)
        rows = ops.stack([upper, lower], axis=2)  # n, h, 2, w, 2, c
        return ops.reshape(rows, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, x_shape: tuple, places_shape: tuple) -> tuple:
        batch, height, width, channels = x_shape
        return (batch, *(None if side is None else 2 * side for side in (height, width)), channels)


BACKBONES = {name: network.target for name, network in NETWORKS.items()}
"""Names for `model.backbone`; a user's own is `package.module:Name`."""


class EncoderDecoder(keras.Model):
    """A functional network that says which part of it is its encoder.

    Args:
        encoder: its levels part the layers into stages; it may be frozen, and start from weights of its own.
        logits: float32 `[n, height, width, classes]`, computed from the encoder's levels.
        name: of the network.
        stride: height and width of the input must be multiples of it.
    """

    def __init__(self, encoder: Backbone, logits: keras.KerasTensor, name: str, stride: int = 1):
        super().__init__(inputs=encoder.net.inputs[0], outputs=logits, name=name)
        self.backbone = encoder
        self.stride = stride


def build_encoder(shape: Shape, options: SegmentationOptions, strides: Iterable[int]) -> Backbone:
    """The network that `model.backbone` names.

    Your own, `package.module:Name`, is called with `(shape, options)` and returns a `Backbone`.

    Args:
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section.
        strides: of the levels that it must have.

    Raises:
        InputError: there is none of that name, it lacks a level, or the input does not suit it.
    """
    if options.backbone == "none":
        known = ", ".join(networks_with(strides))
        raise InputError(
            f"model.backbone: {options.name} needs one, as mobilenet_v2; those with its levels: {known}",
            field="model.backbone",
        )
    maker = find_callable(options.backbone, BACKBONES, __package__, "backbone")
    with own_code(options.backbone, "backbone", maker):
        made = maker(shape, options)
    if not isinstance(made, Backbone):
        raise InputError(f"backbone '{options.backbone}' returned a {type(made).__name__}, not a Backbone")
    made.pyramid(strides)
    return made


def require_multiple(shape: Shape, stride: int, name: str) -> None:
    """Refuses an input whose known sides are no multiples of `stride`, so that maps of two levels would not fit.

    Raises:
        InputError: naming `input.size` and the stride.
    """
    if any(side is not None and side % stride for side in shape[:2]):
        raise InputError(
            f"input.size: {shape[0]} x {shape[1]}: {name} needs height and width that are multiples of {stride}",
            field="input.size",
        )
