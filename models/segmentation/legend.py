"""Panels side by side under their names, and a strip that says what their colours mean."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..captions import PLAIN, STRIP

GAP = 4  # pixels between two panels


class Entry(NamedTuple):
    """A text, with a square of its colour before it where it has one."""

    text: str
    color: tuple[int, int, int] | None = None


def beside(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Pictures uint8 `[h, w, 3]` of one size in a row, each under its name."""
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


def legend(picture: np.ndarray, entries: Sequence[Entry]) -> np.ndarray:
    """Puts a strip with entries beneath a picture, in as many lines as they need; none without entries.

    An entry that is wider than the picture is cut.
    """
    height, width = picture.shape[:2]
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
    canvas.paste(Image.fromarray(picture), (0, 0))
    pen = ImageDraw.Draw(canvas)
    for entry, left, top in placed:
        if entry.color:
            pen.rectangle((left, top + size // 4, left + size - 1, top + size // 4 + size - 1), entry.color)
            left += size + edge
        pen.text((left, top + size // 5), entry.text, PLAIN, font)
    return np.asarray(canvas)


def _font_size(width: int) -> int:
    return min(max(width // 18, 12), 32)
