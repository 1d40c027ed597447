"""Images side by side under their names, over what their colours mean; free of TensorFlow."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..inputs.image.options import IGNORE
from .plots import PLAIN, STRIP

_HUES = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""Okabe and Ito (2008), Color Universal Design: told apart with any common colour blindness."""


def palette() -> np.ndarray:
    """A colour for each class id, uint8 `[256, 3]`.

    The first class, the background, is black, 255 is grey. The next seven are the palette's, then seven dark and seven
    light ones of the same hues; from the 22nd on they come again.
    """
    hues = np.array(_HUES, np.float64)
    distinct = np.concatenate([hues, hues * 0.55, hues * 0.45 + 255 * 0.55])
    colors = np.zeros((256, 3))
    colors[1:] = distinct[np.arange(255) % len(distinct)]
    colors[IGNORE] = 128
    return np.round(colors).astype(np.uint8)


GAP = 4  # pixels between two panels


class Entry(NamedTuple):
    """A text, with a square of its colour before it where it has one."""

    text: str
    color: tuple[int, int, int] | None = None


def beside(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Images uint8 `[h, w, 3]` of one size in a row, each under its name."""
    height, width = panels[0][1].shape[:2]
    size = _font_size(width)
    top = round(size * 1.5)
    canvas = Image.new("RGB", (len(panels) * (width + GAP) - GAP, top + height), STRIP)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for place, (name, panel) in enumerate(panels):
        left = place * (width + GAP)
        pen.text((left + size // 3, size // 4), name, PLAIN, font)
        canvas.paste(Image.fromarray(panel), (left, top))
    return np.asarray(canvas)


def legend(image: np.ndarray, entries: Sequence[Entry]) -> np.ndarray:
    """Puts a strip with entries beneath an image, in as many lines as they need; none without entries.

    An entry that is wider than the image is cut.
    """
    height, width = image.shape[:2]
    size = _font_size(width // 3)
    font, line, edge = ImageFont.load_default(size), round(size * 1.5), size // 2
    placed, left, row = [], edge, 0
    for entry in entries:
        square = size + edge if entry.color else 0
        wide = square + round(font.getlength(entry.text)) + 2 * edge
        if left > edge and left + wide > width:
            left, row = edge, row + 1
        placed.append((entry, left, height + row * line))
        left += wide
    canvas = Image.new("RGB", (width, height + (row + 1) * line * bool(entries)), STRIP)
    canvas.paste(Image.fromarray(image), (0, 0))
    pen = ImageDraw.Draw(canvas)
    for entry, left, top in placed:
        if entry.color:
            pen.rectangle((left, top + size // 4, left + size - 1, top + size // 4 + size - 1), entry.color)
            left += size + edge
        pen.text((left, top + size // 5), entry.text, PLAIN, font)
    return np.asarray(canvas)


def _font_size(width: int) -> int:
    return min(max(width // 18, 12), 32)
