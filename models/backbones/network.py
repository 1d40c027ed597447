"""What is known of a network without building it; free of TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """One line of `saccade models`; None where it is not known, or where there is no such thing.

    Attributes:
        target: where the network is built, `module:Name` as in a task's table of models.
        parameters: the number of its weights without a top; for 32 x 32 pixels where it depends on the size.
        minimum: the smallest height and width of its input, in pixels.
        strides: those of its levels, finest first; empty where it has none.
        multiple: sides that are a multiple of it have all levels; 1 where every side has.
        native: height and width, in pixels, of the images that its ImageNet weights were trained on.
        licence: that of the ImageNet weights.
    """

    target: str
    parameters: int | None = None
    minimum: int | None = None
    strides: tuple[int, ...] = ()
    multiple: int = 1
    native: int | None = None
    licence: str | None = None

    @property
    def megabytes(self) -> float | None:
        """The size of its weights in float32, in MB (10^6 bytes)."""
        return None if self.parameters is None else self.parameters * 4 / 1e6
