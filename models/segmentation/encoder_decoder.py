"""A network in two parts: an encoder with levels, and a decoder that leads from them to a score for each pixel."""

from collections.abc import Iterable

import keras

from ..backbones.backbone import Backbone, Shape
from ..backbones.families import NETWORKS, networks_with
from ..errors import InputError
from ..naming import find_callable, own_code
from .options import SegmentationOptions

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
        shape: (height, width, 3) of the input, None where it follows the picture.
        options: the recipe's `model` section.
        strides: of the levels that it must have.

    Raises:
        InputError: there is none of that name, it lacks a level, or the input does not suit it.
    """
    if options.backbone == "none":
        known = ", ".join(networks_with(strides))
        raise InputError(f"model.backbone: {options.name} needs one, as mobilenet_v2; those with its levels: {known}")
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
            f"input.size: {shape[0]} x {shape[1]}: {name} needs height and width that are multiples of {stride}"
        )
