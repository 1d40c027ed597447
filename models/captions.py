"""Captions: lines of text on a strip under a picture that a person looks at."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NARROWEST = 160  # pixels: what a short caption needs
TALLEST = 1024  # pixels: a narrow picture is not enlarged beyond

PLAIN, RIGHT, WRONG, STRIP = (235, 235, 235), (110, 220, 110), (255, 120, 110), (24, 24, 24)


class Caption(NamedTuple):
    """One line: a text that may be cut, what follows it and is never cut, and its colour."""

    text: str
    ending: str
    color: tuple[int, int, int]


def add_strip(image: np.ndarray, lines: Sequence[Caption]) -> np.ndarray:
    """Puts a strip with captions beneath an image; a small image is enlarged by whole factors, pixel by pixel.

    Args:
        image: uint8 `[h, w, 3]`.
        lines: what to write; without any, the strip is left out.

    Returns:
        uint8 `[height, width, 3]`, at least 160 pixels wide.
    """
    height, width = image.shape[:2]
    factor = max(1, min(math.ceil(NARROWEST / width), TALLEST // height))
    picture = Image.fromarray(image).resize((width * factor, height * factor), Image.Resampling.NEAREST)
    strip_width = max(picture.width, NARROWEST)
    size = min(max(strip_width // 20, 13), 48)
    font = ImageFont.load_default(size)
    line_height = round(size * 1.5)
    canvas = Image.new("RGB", (strip_width, picture.height + line_height * len(lines)), STRIP)
    canvas.paste(picture, ((strip_width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        top = picture.height + place * line_height + size // 4
        draw.text((size // 3, top), _fitted(line, font, strip_width - 2 * (size // 3)), line.color, font)
    return np.asarray(canvas)


def _fitted(line: Caption, font: Any, width: int) -> str:
    """The longest cut of the text that fits with its ending."""
    if font.getlength(line.text + line.ending) <= width:
        return line.text + line.ending
    ending = "..." + line.ending
    cuts = (line.text[:length] + ending for length in range(len(line.text), 0, -1))
    return next((cut for cut in cuts if font.getlength(cut) <= width), ending)
