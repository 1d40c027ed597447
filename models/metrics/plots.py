"""Plots over classes, and captions below images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from ..contract import Value

MAX_NUMBERED_CLASSES = 30  # classes; with more, a number would not fit its cell


def confusion_figure(matrix: np.ndarray, class_names: Sequence[str], in_percent: bool = False) -> Figure:
    """A confusion matrix as an image: counts as numbers, the share of each true class as colour.

    Args:
        matrix: int `[classes, classes]`, rows are the truth, columns what was said.
        class_names: in the order of the class ids.
        in_percent: the numbers are the shares, too; counts of pixels would not fit.
    """
    count = len(class_names)
    side = 3 + max(0.2, 0.45 - 0.005 * count) * count  # inches
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    label = "share of the true class" + (" (cells: %)" if in_percent else "")
    figure.colorbar(shown, ax=axes, label=label, shrink=0.8)
    size = 9 if count <= MAX_NUMBERED_CLASSES else 6
    names = [shortened(name) for name in class_names]
    turned = count > 6 or max(map(len, names)) > 8
    axes.set_xticks(range(count), names, rotation=90 if turned else 0, fontsize=size, parse_math=False)
    axes.set_yticks(range(count), names, fontsize=size, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true")
    if count <= MAX_NUMBERED_CLASSES:
        for (row, column), count in np.ndenumerate(matrix):
            text = f"{100 * shares[row, column]:.0f}" if in_percent else str(count)
            if text != "0":
                color = "white" if shares[row, column] > 0.6 else "black"
                axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    return figure


def bars_figure(values: Mapping[str, Value], label: str) -> Figure:
    """One bar for each name, 0..1, the best on top, with its interval where it has one."""
    ordered = sorted(values.items(), key=lambda item: item[1].value)
    figure = Figure(figsize=(7, 1.2 + 0.22 * len(ordered)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(range(len(ordered)), [value.value for _, value in ordered])
    for place, (_, value) in enumerate(ordered):
        end = value.value
        if value.low is not None:
            end = max(end, value.high)
            axes.plot([value.low, value.high], [place, place], color="black", linewidth=1.2, marker="|", markersize=5)
        at = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(f"{value.value:.2f}", (end, place), **at)
    axes.set_yticks(range(len(ordered)), [shortened(name) for name, _ in ordered], fontsize=8, parse_math=False)
    axes.set(xlabel=label, xlim=(0, 1.1))
    return figure


def shortened(name: str, length: int = 24) -> str:
    return name if len(name) <= length else name[: length - 3] + "..."


MIN_WIDTH = 160  # pixels: what a short caption needs
MAX_HEIGHT = 1024  # pixels: a narrow image is not enlarged beyond

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
    factor = max(1, min(math.ceil(MIN_WIDTH / width), MAX_HEIGHT // height))
    enlarged = Image.fromarray(image).resize((width * factor, height * factor), Image.Resampling.NEAREST)
    strip_width = max(enlarged.width, MIN_WIDTH)
    size = min(max(strip_width // 20, 13), 48)
    font = ImageFont.load_default(size)
    line_height = round(size * 1.5)
    canvas = Image.new("RGB", (strip_width, enlarged.height + line_height * len(lines)), STRIP)
    canvas.paste(enlarged, ((strip_width - enlarged.width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        top = enlarged.height + place * line_height + size // 4
        draw.text((size // 3, top), _fitted(line, font, strip_width - 2 * (size // 3)), line.color, font)
    return np.asarray(canvas)


def _fitted(line: Caption, font: Any, width: int) -> str:
    """The longest cut of the text that fits with its ending."""
    if font.getlength(line.text + line.ending) <= width:
        return line.text + line.ending
    ending = "..." + line.ending
    cuts = (line.text[:length] + ending for length in range(len(line.text), 0, -1))
    return next((cut for cut in cuts if font.getlength(cut) <= width), ending)
