"""Backbones of `keras.applications`, with the preprocessing of their family inside: `mobilenet_v2(shape)` and so on.

Which there are, and all that tells them apart, stands in `families.py`.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial

import keras
import numpy as np

from .backbone import Backbone, Shape, has_stride, require_one_size, require_size
from .families import NETWORKS, Family, family_of

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], "float32"), np.array([0.229, 0.224, 0.225], "float32")
"""Of ImageNet's pixels / 255, red, green, blue."""


def __getattr__(name: str) -> Callable[..., Backbone]:
    if name not in NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(build, name)


def build(name: str, shape: Shape, options: object = None) -> Backbone:
    """A network of `keras.applications`, with new weights.

    Args:
        name: one of `families.NETWORKS`.
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section, of which nothing is used.

    Returns:
        The backbone with its levels. A level that does not align at this size is left out.

    Raises:
        InputError: the input is too small for it, or must have one size.
    """
    family = family_of(name)
    require_size(shape, family.minimum, name)
    if family.fixed:
        require_one_size(shape, f"{name} is built for one size")
    make = getattr(keras.applications, family.members[name].builder)
    preprocess = getattr(keras.applications, family.module).preprocess_input
    image = keras.Input(shape, name="image")
    # One flat graph of preprocessing and network, so that the network's own weight files fit it.
    net = make(include_top=False, weights=None, input_tensor=preprocess(image), input_shape=shape)
    net = keras.Model(image, net.outputs[0], name=name)
    _set_normalization(net)
    return Backbone(
        net,
        _levels(net, family),
        lambda: make(include_top=False, weights="imagenet", input_shape=(224, 224, 3)),
        _note(family, name),
    )


def _set_normalization(net: keras.Model) -> None:
    """Sets mean and variance where the network holds them as weights, which only EfficientNet-B0 to -B7 do.

    Keras builds these differently with ImageNet weights (one more scaling) and without: their files hold ImageNet's
    standard deviation where the layer expects the variance (tensorflow issue 49930). Here the layer always holds mean
    and variance, which gives the same numbers, (pixel / 255 - mean) / deviation, whatever the network starts from.
    """
    for layer in net.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([MEAN, DEVIATION**2, np.zeros((), "int32")])
            layer.finalize_state()


def _levels(net: keras.Model, family: Family) -> dict[int, keras.KerasTensor]:
    levels = {}
    for stride, pattern in family.levels.items():
        *_, layer = (each for each in net.layers if fnmatchcase(each.name, pattern))
        levels[stride] = layer._inbound_nodes[-1].input_tensors[0]  # layer.input is another one for a nested model
    if levels:
        levels[32] = net.outputs[0]
    image = net.inputs[0]
    return {stride: level for stride, level in levels.items() if has_stride(level, image, stride)}


def _note(family: Family, name: str) -> str:
    """For messages about missing levels: where this network has them, if anywhere."""
    if not family.levels:
        return f"the maps of {name} do not align at any size"
    if family.multiple > 1:
        return f"{name} has {', '.join(map(str, family.strides))} where both sides are multiples of {family.multiple}"
    return ""
