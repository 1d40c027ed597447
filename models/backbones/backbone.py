"""A network as a backbone: levels by stride, stages, freezing, batch norm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import keras

from ..errors import InputError
from .families import networks_with

Stages = dict[int | str, list[keras.Variable]]


def stages_of(model: keras.Model, levels: Mapping[int, keras.KerasTensor]) -> Stages:
    """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head".

    Args:
        model: a functional model.
        levels: of its backbone, stride to feature map.

    Returns:
        Each variable in the first stage that needs it.
    """
    found: Stages = {}
    for stride, level in sorted(levels.items()):
        found[stride] = _others(keras.Model(model.inputs[0], level).trainable_variables, found)
    return found | {"head": _others(model.trainable_variables, found)}


def _others(variables: list[keras.Variable], known: Stages) -> list[keras.Variable]:
    seen = {id(variable) for each in known.values() for variable in each}
    return [variable for variable in variables if id(variable) not in seen]


Shape = tuple[int | None, int | None, int]
"""(height, width, 3) of the model's input; None where it follows the image."""


@dataclass(frozen=True)
class Backbone:
    """A network without a head. Its preprocessing is inside: it takes RGB float32, 0..255.

    Attributes:
        net: a functional model from images `[n, height, width, 3]` to the deepest feature map `[n, h, w, channels]`
            or to features `[n, channels]`.
        levels: stride to feature map of `net`, finest first: the level of stride 8 has ceil(height / 8) rows.
        imagenet: makes the same network with its ImageNet weights, downloaded where they are not in Keras' cache.
        note: where this network has levels that are missing here, for messages.

    Raises:
        InputError: a level's size is not that of its stride, so that maps of several levels would not align.
    """

    net: keras.Model
    levels: Mapping[int, keras.KerasTensor] = field(default_factory=dict)
    imagenet: Callable[[], keras.Model] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        image = self.net.inputs[0]
        for stride, level in self.levels.items():
            if not has_stride(level, image, stride):
                height, width = _rows_and_columns(image, stride)
                raise InputError(
                    f"backbone {self.net.name}: level {stride} is {level.shape[1]} x {level.shape[2]} for an input of "
                    f"{image.shape[1]} x {image.shape[2]}, not {height} x {width}: it does not align with the others"
                )

    @property
    def features(self) -> keras.KerasTensor:
        """Pooled features `[n, channels]`, the layer named "features": where they may be cached (5 KB for 1280)."""
        output = self.net.outputs[0]
        if len(output.shape) == 4:
            return keras.layers.GlobalAveragePooling2D(name="features")(output)
        return keras.layers.Identity(name="features")(output)

    def pyramid(self, strides: Iterable[int]) -> dict[int, keras.KerasTensor]:
        """The levels for a head that looks at several scales.

        Args:
            strides: of the levels that it needs.

        Returns:
            Stride to feature map `[n, ceil(height / stride), ceil(width / stride), channels]`, in the order asked for.

        Raises:
            InputError: a level is missing; names the networks that have them all.
        """
        strides = list(strides)
        missing = [str(stride) for stride in strides if stride not in self.levels]
        if missing:
            height, width = self.net.inputs[0].shape[1:3]
            raise InputError(
                f"model.backbone: {self.net.name} at {height} x {width} has no level of stride {', '.join(missing)} "
                f"(it has {self._strides()}); networks with all: {', '.join(networks_with(strides)) or 'none'}",
                field="model.backbone",
            )
        return {stride: self.levels[stride] for stride in strides}

    def freeze(self, until: int | str) -> None:
        """Freezes the layers up to a level: weights stay, batch norm uses its stored statistics, dropout is off.

        Args:
            until: the stride of the last level that is frozen, "all" or "none".

        Raises:
            InputError: there is no level of that stride.
        """
        if until == "none":
            return
        if until != "all" and until not in self.levels:
            found = self._strides()
            raise InputError(
                f"model.freeze: no level of stride {until}: this backbone has {found}; or none, all",
                field="model.freeze",
            )
        part = self.net if until == "all" else keras.Model(self.net.inputs[0], self.levels[until])
        for layer in part._flatten_layers(include_self=False):
            layer.trainable = False
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0  # Keras would go on dropping: frozen means a fixed function

    def freeze_batch_norm(self) -> None:
        """Keeps batch norm as it is, whatever trains around it: stored statistics, scale and offset.

        As Keras' guide to transfer learning has it, statistics stay those of the weights that training starts from.
        The guide lets scale and offset train; here the layers are frozen as a whole (`trainable = False`), because the
        convolution before each can learn the same.
        """
        for layer in _batch_norms(self.net):
            layer.trainable = False

    def set_batch_norm_momentum(self, momentum: float) -> None:
        """Sets how much of its moving statistics each batch norm keeps a step, 0..1."""
        set_batch_norm_momentum(self.net, momentum)

    def _strides(self) -> str:
        strides = ", ".join(map(str, self.levels)) or "no levels"
        return f"{strides}: {self.note}" if self.note else strides


def set_batch_norm_momentum(net: keras.Model, momentum: float) -> None:
    """Sets how much of its moving statistics each batch norm of a network keeps a step, 0..1."""
    for layer in _batch_norms(net):
        layer.momentum = momentum


def _batch_norms(net: keras.Model) -> list[keras.layers.BatchNormalization]:
    layers = net._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def has_stride(level: keras.KerasTensor, image: keras.KerasTensor, stride: int) -> bool:
    """Whether a feature map has ceil(side / stride) rows and columns, as far as the image's sides are known.

    Sides that follow the image are multiples of 32, as `fit: pad` makes them unless `input.stride` says otherwise.
    """
    return tuple(level.shape[1:3]) == _rows_and_columns(image, stride)


def _rows_and_columns(image: keras.KerasTensor, stride: int) -> tuple[int | None, ...]:
    return tuple(None if side is None else -(-side // stride) for side in image.shape[1:3])


def require_one_size(shape: Shape, reason: str) -> None:
    """Refuses an input that follows the image.

    Raises:
        InputError: naming `input.fit` and the reason.
    """
    if None in shape:
        raise InputError(f"input.fit: {reason}: take letterbox or stretch, not pad", field="input.fit")


def require_size(shape: Shape, minimum: int, name: str) -> None:
    """Refuses an input whose known sides are smaller than `minimum` pixels.

    Raises:
        InputError: naming `input.size` and the minimum.
    """
    if any(side is not None and side < minimum for side in shape[:2]):
        raise InputError(
            f"input.size: {shape[0]} x {shape[1]} pixels are too few for {name}: at least {minimum} x {minimum}",
            field="input.size",
        )
