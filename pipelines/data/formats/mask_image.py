"""A mask file's pixels as they are stored, indices as indices and 16 bits as they are, and what some of many hold."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ....models.errors import InputError
from ....models.inputs.image.header import BROKEN, read_header
from ....models.inputs.image.options import IGNORE

if TYPE_CHECKING:
    from PIL import Image

Kind = Literal["bits", "grey", "palette", "colors", "deep"]

Byte = Annotated[int, Field(ge=0, le=255)]
Color = Annotated[tuple[Byte, ...], Field(min_length=3, max_length=3)]

MAX_LOOKED_AT = 200
"""Masks that are looked at, spread over all."""

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
    """Decodes a mask. Its own EXIF turns nothing: a mask is stored as it lies on the upright image.

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


def check_turn(size: tuple[int, int], image: bytes) -> None:
    """Refuses a mask that lies on an image as it is stored, where the image's EXIF orientation turns that.

    Args:
        size: height and width of the mask.
        image: the encoded image.

    Raises:
        InputError: in a phrase.
    """
    header = read_header(image)
    if header is None:  # the check of images tells what is wrong with it
        return
    height, width, orientation = header
    if header.upright != (height, width) and size == (height, width):
        raise InputError(
            f"{height} x {width} as its image is stored, which EXIF orientation {orientation} turns to "
            f"{width} x {height}: save the mask as the image is seen, upright"
        )


BACKGROUND = "background"
"""What class 0 of a mask is called where nothing else is said."""


def read_pixels(data: bytes) -> np.ndarray:
    """The numbers in an encoded image: grey values as they are, of a palette image the indices and not the colours.

    Args:
        data: PNG, or another format that loses nothing.

    Returns:
        uint8, or int32 where the format has more bits; `[height, width]`.

    Raises:
        InputError: no image, one of colours, or one that compression has changed; in a phrase.
    """
    try:
        image = read_mask(data)
    except InputError as error:
        raise InputError(f"a mask that cannot be used: {error}") from None
    if image.kind == "colors":
        raise InputError(
            "a mask of colours, not of class ids as a palette or grey image: data.source=masks takes data.colors"
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


def count_values(values: np.ndarray) -> dict[int, int]:
    """Value to pixels, sorted; bytes are counted without sorting all of them."""
    if values.dtype == np.uint8:
        count = np.bincount(values.ravel(), minlength=256)
        return {value: int(count[value]) for value in np.flatnonzero(count).tolist()}
    return dict(zip(*(each.tolist() for each in np.unique(values, return_counts=True)), strict=True))


def pack(colors: np.ndarray) -> np.ndarray:
    """Colours uint8 `[..., 3]` as numbers, int32 `[...]`."""
    red, green, blue = (colors[..., at].astype(np.int32) for at in range(3))
    return red << 16 | green << 8 | blue


def unpack(code: int) -> Color:
    """The colour behind a number of `pack`."""
    return code >> 16, code >> 8 & 255, code & 255


def pixels(count: int) -> str:
    """Their number in words."""
    return "1 pixel" if count == 1 else f"{count} pixels"


@dataclass(frozen=True)
class Seen:
    """What one mask holds.

    Attributes:
        name: of the mask.
        kind: of its pixels.
        values: value to pixels that have it; of colours their numbers (`encoding.pack`).
        colors: of a palette, index to its colour, of those that occur.
    """

    name: str
    kind: Kind
    values: dict[int, int]
    colors: dict[int, Color]

    def in_colors(self) -> Counter[Color]:
        """Colour to pixels, not of `deep`."""
        found: Counter[Color] = Counter()
        for value, count in self.values.items():
            if self.kind == "colors":
                found[unpack(value)] += count
            else:
                found[self.colors[value] if self.kind == "palette" else (value, value, value)] += count
        return found


@dataclass(frozen=True)
class SeenMasks:
    """What the masks that were looked at hold.

    Attributes:
        seen: one each.
        total: how many masks there are.
    """

    seen: Sequence[Seen]
    total: int

    @property
    def kinds(self) -> set[Kind]:
        return {each.kind for each in self.seen}

    @cached_property
    def values(self) -> Counter[int]:
        """Value to pixels over all masks."""
        return sum((Counter(each.values) for each in self.seen), Counter())

    @cached_property
    def colors(self) -> Counter[Color]:
        """Colour to pixels over all masks, none of them `deep`."""
        return sum((each.in_colors() for each in self.seen), Counter())

    @property
    def share(self) -> str:
        """How many of all were looked at, where it is not all of them; ends in a space."""
        return f"({len(self.seen)} of {self.total} looked at) " if len(self.seen) < self.total else ""


def look_at(names: Sequence[str], read: Callable[[int], MaskImage]) -> SeenMasks:
    """Reads all masks of a small set, of a large one `MAX_LOOKED_AT` that are spread over it.

    A mask that cannot be read is passed over here: the check of the data names it.

    Args:
        names: of all masks.
        read: reads the one at a position.

    Raises:
        InputError: of the first mask, if none can be read.
    """
    positions = np.unique(np.linspace(0, len(names) - 1, MAX_LOOKED_AT).round().astype(int)).tolist()

    def look(position: int) -> Seen | InputError:
        try:
            return _seen(names[position], read(position))
        except OSError as error:
            return InputError(f"mask {error.filename or names[position]}: {error.strerror or error}")
        except InputError as error:
            return error

    with ThreadPoolExecutor() as pool:  # Pillow and NumPy decode and count outside Python's lock
        found: list[Any] = list(pool.map(look, positions))
    seen = [each for each in found if isinstance(each, Seen)]
    if not seen:
        raise found[0]
    return SeenMasks(seen, len(names))


def _seen(name: str, image: MaskImage) -> Seen:
    values = pack(image.values) if image.kind == "colors" else image.values
    held = count_values(values)
    colors = {index: tuple(image.palette[index].tolist()) for index in held} if image.kind == "palette" else {}
    return Seen(name, image.kind, held, colors)
