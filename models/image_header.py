"""What an encoded picture tells before its pixels are decoded."""

from __future__ import annotations

import io
import struct
import warnings
from threading import Lock
from typing import NamedTuple

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
