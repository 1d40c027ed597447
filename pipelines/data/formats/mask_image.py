"""A mask file's pixels as they are stored: indices stay indices, numbers of 16 bits keep them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ....models.errors import InputError
from ....models.inputs.image.header import BROKEN, read_header
from ....models.inputs.image.options import IGNORE

if TYPE_CHECKING:
    from PIL import Image

Kind = Literal["bits", "grey", "palette", "colors", "deep"]

EXTENSIONS = ("png", "bmp", "gif", "tif", "tiff", "jpg", "jpeg", "webp")
"""Of files that are meant as masks; the last three are refused, with the reason."""
LOSSY = ("jpg", "jpeg", "webp")
WHY_LOSSY = "compression changes class ids at every edge: save masks as PNG"


@dataclass(frozen=True)
class MaskImage:
    """A decoded mask.

    Attributes:
        kind: `bits` and `grey` are one channel of 1 and 8 bits, or colours that are all grey; `deep` is one channel of
            more bits.
        values: uint8 `[h, w]`, of `bits` 0 and 255; int32 `[h, w]` of `deep`; uint8 `[h, w, 3]` of `colors`.
        palette: uint8 `[256, 3]`, the colour of each index of `palette`, empty of the others.
    """

    kind: Kind
    values: np.ndarray
    palette: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.values.shape[:2]

    def in_colors(self) -> np.ndarray:
        """The colour of each pixel, uint8 `[h, w, 3]`; not of `deep`."""
        if self.kind == "palette":
            return self.palette[self.values]
        return self.values if self.kind == "colors" else np.repeat(self.values[..., np.newaxis], 3, axis=-1)


def read_mask(data: bytes) -> MaskImage:
    """Decodes a mask. Its own EXIF turns nothing: a mask is stored as it lies on the upright picture.

    Raises:
        InputError: why it cannot be a mask, in a phrase.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        kind = image.format
        if kind in ("JPEG", "MPO", "WEBP"):
            raise InputError(f"a {'WebP' if kind == 'WEBP' else 'JPEG'}: {WHY_LOSSY}")
        values, mode = np.asarray(image), image.mode
        palette = _palette(image)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError("not an image (PNG, BMP, GIF or TIFF)" if data else "empty: 0 bytes") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"too large: {error}") from None
    except BROKEN:
        raise InputError("truncated or broken") from None
    return _as_mask(values, mode, palette)


def _as_mask(values: np.ndarray, mode: str, palette: np.ndarray) -> MaskImage:
    none = np.zeros((0, 3), np.uint8)
    if mode == "1":
        return MaskImage("bits", values.astype(np.uint8) * 255, none)
    if mode in ("L", "LA", "La"):
        return MaskImage("grey", values if values.ndim == 2 else values[..., 0], none)
    if mode in ("P", "PA"):
        return MaskImage("palette", values if values.ndim == 2 else values[..., 0], palette)
    if mode == "I" or mode.startswith("I;16"):
        return MaskImage("deep", values.astype(np.int32), none)
    if mode in ("RGB", "RGBA", "RGBX"):
        red, green, blue = values[..., 0], values[..., 1], values[..., 2]
        if np.array_equal(red, green) and np.array_equal(green, blue):
            return MaskImage("grey", red, none)
        return MaskImage("colors", values[..., :3], none)
    raise InputError(f"pixels of type {mode}: save masks as PNG of one channel, with a palette, or RGB")


def _palette(image: Image.Image) -> np.ndarray:
    colors = np.zeros((256, 3), np.uint8)
    found = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colors[: len(found)] = found
    return colors


def check_turn(size: tuple[int, int], picture: bytes) -> None:
    """Refuses a mask that lies on a picture as it is stored, where the picture's EXIF orientation turns that.

    Args:
        size: height and width of the mask.
        picture: the encoded picture.

    Raises:
        InputError: in a phrase.
    """
    header = read_header(picture)
    if header is None:  # the check of pictures tells what is wrong with it
        return
    height, width, orientation = header
    if header.upright != (height, width) and size == (height, width):
        raise InputError(
            f"{height} x {width} as its picture is stored, which EXIF orientation {orientation} turns to "
            f"{width} x {height}: save the mask as the picture is seen, upright"
        )


BACKGROUND = "background"
"""What class 0 of a mask is called where nothing else is said."""


def read_pixels(data: bytes) -> np.ndarray:
    """The numbers in an encoded picture: grey values as they are, of a palette picture the indices and not the colours.

    Args:
        data: PNG, or another format that loses nothing.

    Returns:
        uint8, or int32 where the format has more bits; `[height, width]`.

    Raises:
        InputError: no picture, one of colours, or one that compression has changed; in a phrase.
    """
    try:
        image = read_mask(data)
    except InputError as error:
        raise InputError(f"a mask that cannot be used: {error}") from None
    if image.kind == "colors":
        raise InputError(
            "a mask of colours, not of class ids as a palette or grey picture: data.source=masks takes data.colors"
        )
    return image.values


def class_ids(pixels: np.ndarray, values: Sequence[int], name: str = "mask") -> np.ndarray:
    """Class ids from what the pixels hold.

    Args:
        pixels: whole numbers of any shape.
        values: the number of each class, in the order of the classes; what is `IGNORE` elsewhere does not count.
        name: what the mask is called in messages.

    Returns:
        uint8 of the same shape.

    Raises:
        InputError: other numbers, in a phrase.
    """
    table = {IGNORE: IGNORE} | {value: class_id for class_id, value in enumerate(values)}
    found = np.unique(pixels)
    strange = [value for value in found.tolist() if value not in table]
    if strange:
        raise InputError(
            f"{name} with the values {listed(strange)}, and those of the classes are {listed(values)} ({IGNORE} does "
            "not count)"
        )
    return np.array([table[value] for value in found.tolist()], np.uint8)[np.searchsorted(found, pixels)]


def listed(values: Sequence[int]) -> str:
    """Numbers in one line: a range where they follow each other, not more than twelve otherwise."""
    values = list(values)
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
