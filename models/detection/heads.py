"""Necks and heads of dense detectors: the feature pyramid, and what predicts at each of its places."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from ..backbones.backbone import Backbone
from ..errors import InputError

PRIOR = 0.01
"""How likely an anchor has an object of a class before anything is learned (Lin et al. 2017, section 4.1)."""

Maps = dict[int, keras.KerasTensor]
"""Stride to feature map `[n, ceil(height / stride), ceil(width / stride), channels]`, finest first."""
Predictor = Callable[[keras.KerasTensor], keras.KerasTensor]


@keras.saving.register_keras_serializable("saccade")
class UpsampleLike(layers.Layer):
    """Each value of a map to 2 x 2 values, cut to the size of the next finer map, which may be odd."""

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Float `[n, h, w, c]` to the rows and columns of `like`."""
        x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
        return x[:, : tf.shape(like)[1], : tf.shape(like)[2]]

    def compute_output_shape(self, x_shape: tuple, like_shape: tuple) -> tuple:
        return (x_shape[0], *like_shape[1:3], x_shape[3])


def backbone_levels(backbone: Backbone, strides: Sequence[int]) -> Maps:
    """Those of the wanted levels that the backbone has itself.

    Raises:
        InputError: it lacks the finest, or one between.
    """
    coarsest = max(backbone.levels, default=0)
    own = [stride for stride in strides if stride <= coarsest]
    if not own:
        raise InputError(
            f"model.strides: {backbone.net.name} ends at stride {coarsest}: begin with {coarsest} or less",
            field="model.strides",
        )
    return backbone.pyramid(own)


def fpn(levels: Maps, strides: Sequence[int], channels: int, separable: bool = False) -> Maps:
    """The feature pyramid (Lin et al. 2017, "Feature pyramid networks"), with levels beyond the backbone's as RetinaNet
    has them: convolutions of stride 2 on the coarsest.

    Args:
        levels: of the backbone, finest first.
        strides: of the pyramid; those that `levels` lacks are coarser than all of them.
        channels: of every map.
        separable: whether 3 x 3 convolutions are separable ("FPN-lite").
    """
    maps: Maps = {}
    coarser = None
    for stride in reversed(levels):
        x = layers.Conv2D(channels, 1, name=f"lateral_{stride}")(levels[stride])
        if coarser is not None:
            x = layers.Add(name=f"merge_{stride}")([x, UpsampleLike(name=f"upsample_{stride}")(coarser, x)])
        coarser = maps[stride] = x
    smooth = layers.SeparableConv2D if separable else layers.Conv2D
    maps = {stride: smooth(channels, 3, padding="same", name=f"smooth_{stride}")(maps[stride]) for stride in levels}
    x = list(levels.values())[-1]
    for stride in strides[len(levels) :]:
        x = layers.Conv2D(channels, 3, strides=2, padding="same", name=f"extra_{stride}")(x)
        maps[stride] = x
        x = layers.ReLU(name=f"extra_{stride}_relu")(x)
    return maps


def extra_levels(levels: Maps, strides: Sequence[int], channels: int) -> Maps:
    """The backbone's levels as they are, and behind them a 1 x 1 and a 3 x 3 convolution of stride 2 for each further
    one (Liu et al. 2016, section 2.1)."""
    maps = dict(levels)
    x = list(levels.values())[-1]
    for stride in strides[len(levels) :]:
        x = layers.Conv2D(channels, 1, activation="relu", kernel_initializer="he_normal", name=f"squeeze_{stride}")(x)
        x = layers.Conv2D(
            2 * channels,
            3,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"extra_{stride}",
        )(x)
        maps[stride] = x
    return maps


def shared_head(
    name: str, values: int, depth: int, channels: int, bias: float = 0.0, separable: bool = False
) -> Predictor:
    """Convolutions that are the same at every level (Lin et al. 2017, "Focal loss", section 4).

    Args:
        name: of its layers; the last has this name alone.
        values: what it predicts at each place.
        depth: convolutions before the last, each with ReLU.
        channels: of these.
        bias: what the last begins with.
        separable: whether those before the last are separable.
    """
    made: list[layers.Layer] = []
    for i in range(depth):
        options: dict[str, Any] = {"padding": "same", "activation": "relu", "name": f"{name}_{i + 1}"}
        if separable:
            made.append(layers.SeparableConv2D(channels, 3, **options))
        else:
            made.append(layers.Conv2D(channels, 3, kernel_initializer="he_normal", **options))
    made.append(last_convolution(name, values, bias))

    def head(x: keras.KerasTensor) -> keras.KerasTensor:
        for layer in made:
            x = layer(x)
        return x

    return head


def last_convolution(name: str, values: int, bias: float = 0.0) -> layers.Conv2D:
    """What predicts `values` at each place; in float32 whatever the precision."""
    return layers.Conv2D(
        values,
        3,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
        dtype="float32",
    )


def prior_bias(probability: float = PRIOR) -> float:
    """The logit that means this probability."""
    return -math.log((1 - probability) / probability)


def flat(predictions: Mapping[int, keras.KerasTensor], values: int, name: str) -> keras.KerasTensor:
    """What was predicted at the levels, `[n, rows, columns, per_cell * values]` each, as one list `[n, anchors,
    values]`, in the order of `AnchorGenerator`."""
    rows = [
        layers.Reshape((-1, values), name=f"{name}_at_{stride}", dtype="float32")(each)
        for stride, each in predictions.items()
    ]
    return layers.Concatenate(axis=1, name=name, dtype="float32")(rows) if len(rows) > 1 else rows[0]
