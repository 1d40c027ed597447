"""The picture that a person looks at: an image over a strip with what was said and what is true."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .words import in_words, names, scores

NARROWEST = 160  # pixels: what a short caption needs
TALLEST = 1024  # pixels: a narrow picture is not enlarged beyond

PLAIN, RIGHT, WRONG, STRIP = (235, 235, 235), (110, 220, 110), (255, 120, 110), (24, 24, 24)


class Caption(NamedTuple):
    """One line: a text that may be cut, what follows it and is never cut, and its colour."""

    text: str
    ending: str
    color: tuple[int, int, int]


def captions(
    class_names: Sequence[str], results: Mapping[str, Any] | None, truth: Mapping[str, Any] | None
) -> list[Caption]:
    """What to write under a picture.

    Args:
        class_names: in the order of the class ids.
        results: of one sample, as the Predictor gives them for one or for several labels.
        truth: `label`, a class id, or `labels` `[classes]`.
    """
    lines = []
    if results is not None:
        said, scored = names(class_names, results), scores(results)
        single = len(said) == 1  # its score is never cut
        text = said[0] if single else in_words(class_names, results)
        lines.append(Caption(text, f" {scored[0]:.2f}" if single else "", PLAIN))
    if truth is not None:
        color = PLAIN if results is None else RIGHT if said == names(class_names, truth) else WRONG
        lines.append(Caption(f"is {in_words(class_names, truth)}", "", color))
    return lines


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
