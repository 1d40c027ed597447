"""Several views of one image, whose answers are averaged: mirrored, and cropped at the centre and the corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from .errors import InputError
from .inputs.image.options import ImageOptions
from .options import Options

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class View:
    """One view of a batch of images: a part cut out, then mirrored.

    Attributes:
        part: (top, left, height, width) in pixels of the whole; None is the whole.
        mirrored: whether left and right change places, within the part.
    """

    part: tuple[int, int, int, int] | None = None
    mirrored: bool = False

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """From images `[n, height, width, channels]` to what is seen of them."""
        if self.part is not None:
            top, left, height, width = self.part
            images = images[:, top : top + height, left : left + width]
        return images[:, :, ::-1] if self.mirrored else images


class Views(Options):
    """Which views a Predictor takes of each image.

    Attributes:
        flip: each view once more, mirrored.
        crops: 1 is the whole image; 5 are the centre and the corners, at the network's size, of a larger image
            (Krizhevsky et al. 2012, section 4.1; with `flip` they are its ten).
        crop_share: a crop's side as a share of the larger image's. 0.875 is the usual 224 of 256 pixels.
    """

    flip: bool = False
    crops: Literal[1, 5] = 1
    crop_share: Annotated[float, Field(gt=0, lt=1)] = 0.875

    @classmethod
    def of(cls, flip: bool = False, crops: int = 1, crop_share: float = 0.875) -> Views:
        """As a person asks for them; 10 crops are 5 and their mirror images.

        Raises:
            InputError: another number of crops, or a share that is none.
        """
        if crops not in (1, 5, 10):
            raise InputError(f"crops {crops}: 5 are the centre and the corners, 10 these and their mirror images")
        if not 0 < crop_share < 1:
            raise InputError(f"crop share {crop_share:g}: a crop's side as a share of the image's, between 0 and 1")
        return cls(flip=flip or crops == 10, crops=1 if crops == 1 else 5, crop_share=crop_share)

    @property
    def several(self) -> bool:
        """Whether there is more than the whole image as it is."""
        return self.flip or self.crops > 1

    def input(self, options: Options) -> Options:
        """The input that the views are cut from.

        Args:
            options: the network's own `input` section.

        Returns:
            The same; with crops, one of a larger size.

        Raises:
            InputError: crops of something that has no fixed size, or too few pixels for crops to differ.
        """
        if self.crops == 1:
            return options
        if not isinstance(options, ImageOptions):
            raise InputError("crops need one image as input, and this task has another")
        if options.fit == "pad":
            raise InputError("crops need an input of one size, and input.fit is pad, which keeps each image's own")
        whole = tuple(round(side / self.crop_share) for side in options.height_width)
        if any(outer - inner < 2 for outer, inner in zip(whole, options.height_width, strict=True)):
            inner, outer = (" x ".join(map(str, size)) for size in (options.height_width, whole))
            raise InputError(
                f"crops of {inner} out of {outer} pixels would hardly differ: "
                f"take a crop share below {self.crop_share:g}, or leave crops out"
            )
        return type(options)(**options.model_dump() | {"size": whole})

    def views(self, options: Any) -> list[View]:
        """All views, the plain one or the centre first.

        Args:
            options: the network's own `input` section.
        """
        parts: list[tuple[int, int, int, int] | None] = [None]
        if self.crops > 1:
            height, width = options.height_width
            down, right = (
                outer - inner for outer, inner in zip(self.input(options).size, (height, width), strict=True)
            )
            starts = [(down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right)]
            parts = [(top, left, height, width) for top, left in starts]
        return [View(part, mirrored) for mirrored in ((False, True) if self.flip else (False,)) for part in parts]
