"""What an encoded image tells before its pixels are decoded."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises on files that are not whole."""
_ORIENTATION = 0x0112
_MAX_NATIVE_PIXELS = (
    2**21
)  # pixels in one call that the network or its results keep at native size: 64 channels take 0.5 GB
_MAX_DECODED_PIXELS = 2**26  # pixels in one call that are decoded and resized at once: 0.2 GB
_one_at_a_time = Lock()  # which warnings are shown is the whole process's, and data is checked in threads


class Header(NamedTuple):
    """Height and width in pixels as they are stored, and the EXIF orientation, 1..8."""

    height: int
    width: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the image as it is seen."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_header(data: bytes) -> Header | None:
    """The header of an image in any format that Pillow knows; None where that cannot read it."""
    from PIL import Image

    # Ignored are warnings of many pixels, of which none is decoded here, and of broken EXIF.
    with _one_at_a_time, warnings.catch_warnings(action="ignore"):
        try:
            image = Image.open(io.BytesIO(data))
        except (*BROKEN, Image.DecompressionBombError):
            return None
        exif = Image.Exif()  # not `getexif`, which decodes a PNG to its end and reads XMP too, as the decoder does not
        try:
            exif.load(image.info.get("exif"))
            orientation = exif.get(_ORIENTATION, 1)
        except BROKEN:
            orientation = 1
    return Header(image.height, image.width, orientation if orientation in range(1, 9) else 1)


def share_calls(
    sizes: Sequence[tuple[int, int] | None], fit: str | None = None, stride: int = 1, per_pixel: bool = False
) -> list[list[int]]:
    """Which images go together in one call of a graph: memory follows their pixels, not their number.

    With fit `pad` a batch is as large as its largest image, and the network sees what fills the others: only images go
    together that alone would be padded to one size, so that each answer is as if it came alone.

    Args:
        sizes: height and width of each image, upright; None where they cannot be told: that one is called alone.
        fit: of the input.
        stride: what fit `pad` rounds up to.
        per_pixel: whether results are as large as the images; those of a batch have one shape, that of the highest and
            the widest together.

    Returns:
        Indices into `sizes`, each of them once; in ascending order unless the fit is `pad`.
    """
    if fit == "pad":
        return _share_frames(sizes, stride)
    calls: list[list[int]] = []
    height = width = decoded = 0  # of the last call
    for index, size in enumerate(sizes):
        if size is None:
            calls.append([index])
            height = width = decoded = 2**62  # nothing goes with it
            continue
        height, width = max(height, size[0]), max(width, size[1])
        decoded += size[0] * size[1]
        together = len(calls[-1]) + 1 if calls else 1
        if (
            together > 1
            and decoded <= _MAX_DECODED_PIXELS
            and (not per_pixel or height * width * together <= _MAX_NATIVE_PIXELS)
        ):
            calls[-1].append(index)
        else:
            calls.append([index])
            height, width, decoded = *size, size[0] * size[1]
    return calls


def _share_frames(sizes: Sequence[tuple[int, int] | None], stride: int) -> list[list[int]]:
    alike: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        if size is not None:
            height, width = (-(-side // stride) * stride for side in size)
            alike.setdefault((height, width), []).append(index)
    calls = []
    for (height, width), group in alike.items():
        most = max(1, _MAX_NATIVE_PIXELS // (height * width))
        calls += [group[start : start + most] for start in range(0, len(group), most)]
    return calls + [[index] for index, size in enumerate(sizes) if size is None]
