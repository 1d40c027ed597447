"""Image files: which of them a person means, how other images become one, what a header tells before decoding."""

from __future__ import annotations

import glob
import io
import os
import struct
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ...errors import InputError
from ..file_listing import list_pictures
from ..file_tree import DiskTree

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises on files that are not whole."""
_ORIENTATION = 0x0112
_one_at_a_time = Lock()  # which warnings are shown is the whole process's, and data is checked in threads


class Header(NamedTuple):
    """Height and width in pixels as they are stored, and the EXIF orientation, 1..8."""

    height: int
    width: int
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width of the picture as it is seen."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_header(data: bytes) -> Header | None:
    """The header of a picture in any format that Pillow knows; None where that cannot read it."""
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


def find_images(places: Iterable[str]) -> list[str]:
    """Files behind files, folders (searched in depth), globs, and "-" (names on standard input, one a line).

    Raises:
        InputError: a place without any image.
    """
    found: list[str] = []
    for place in places:
        if place == "-":
            found += [line.rstrip("\n") for line in sys.stdin if line.strip()]
            continue
        path = Path(place)
        if path.is_dir():
            files = [os.path.join(place, each) for each in list_pictures(DiskTree(place), []).pictures]
        else:
            files = [place] if path.is_file() else sorted(glob.glob(place, recursive=True))
        if not files:
            raise InputError(f"{place}: no picture here (files, folders, globs or - for a list on standard input)")
        found += files
    return found


def to_bytes(item: Any) -> bytes:
    """Encoded bytes of an image: a path is read, bytes pass through, arrays and PIL images are encoded as PNG."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, str | os.PathLike):
        return Path(item).read_bytes()
    from PIL import Image, ImageOps

    if isinstance(item, np.ndarray):
        if item.dtype != np.uint8:
            raise InputError(
                f"an array of {item.dtype}: images are uint8 RGB [height, width, 3] or grey [height, width]"
            )
        item = Image.fromarray(item)
    if not isinstance(item, Image.Image):
        raise InputError(f"{type(item).__name__}: give a path, encoded bytes, a uint8 array or a PIL image")
    item = ImageOps.exif_transpose(item)  # PNG keeps the pixels; where they belong is known here
    if item.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):  # PNG has no others, such as CMYK
        item = item.convert("RGB")
    buffer = io.BytesIO()
    item.save(buffer, "PNG", exif=b"")
    return buffer.getvalue()
