"""The `input` section of a recipe whose model looks at one image."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...contract.truth import IGNORE
from ...options import Options

__all__ = ["IGNORE", "ImageOptions", "Pixels"]

Pixels = Annotated[int, Field(ge=1)]


class ImageOptions(Options):
    """How an image of any size becomes the model's input; `image_input.ImageInput` carries it out."""

    size: Pixels | tuple[Pixels, Pixels] | None = 224
    """Height and width of the model's input in pixels, `[192, 256]`; one number is a square. null with `fit: pad`."""
    fit: Literal["letterbox", "stretch", "crop", "pad"] = "letterbox"
    """`letterbox` scales the whole image to fit inside, centres it and fills the rest; `stretch` scales both sides on
    their own; `crop` scales until the frame is covered and cuts the centre; `pad` keeps the native size and fills the
    bottom and the right, up to the largest of the batch rounded up to `stride`."""
    fill: int = Field(default=114, ge=0, le=255)
    """The grey, 0..255, of what the image does not cover. 114 is the mean of ImageNet's pixels (0.449 * 255), about 0
    after the usual normalisation."""
    stride: Pixels = 32
    """`pad` rounds both sides up to a multiple of it: the model's coarsest stride."""

    @model_validator(mode="after")
    def _size_belongs_to_fit(self) -> "ImageOptions":
        if self.fit == "pad" and "size" not in self.model_fields_set:
            object.__setattr__(self, "size", None)  # not given: native size, not the default of the other fits
        if self.fit == "pad" and self.size is not None:
            raise ValueError("fit 'pad' keeps the native size: leave size out, or take fit 'letterbox'")
        if self.fit != "pad" and self.size is None:
            raise ValueError(f"fit '{self.fit}' needs a size; only fit 'pad' keeps the native size")
        return self

    @property
    def height_width(self) -> tuple[int | None, int | None]:
        """The two sides of the model's input in pixels, None where they follow the image."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)
