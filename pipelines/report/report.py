"""The report job: from a finished run to its page."""

from __future__ import annotations

import base64
import io
import math
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from ...models.contract import Value
from ...models.errors import InputError
from ...models.files import read_json, refuse_file, saving, write_atomically
from ..curves import PACE, curve_title, panel_svg
from ..recipe.recipe import load_recipe
from ..run import PROVENANCE, RECIPE, Run, recipe_file
from .learning import in_words

if TYPE_CHECKING:
    from .content import Content, Shown

PAGE = "report.html"
MIN_SCALE = 0.6
"""To what fraction of its own width an SVG may shrink, before it scrolls: its text stays readable."""
WIDE = 1.8
"""Width by height from which on a sample's image is shown as wide as the page."""


def report(folder: Path | str) -> Path:
    """Writes the report of a finished run: one HTML page that needs nothing beside it, no network and no script.

    Splits that were evaluated with the run's Predictor are not evaluated again, so a second report costs seconds.

    Args:
        folder: the run, as `train` left it.

    Returns:
        The page, `report.html` in the run.

    Raises:
        InputError: no run, one that is not finished, a task of the user's own that is gone, no room to write.
    """
    recipe = load_recipe(recipe_file(folder))
    run = Run(Path(folder))
    refuse_unfinished(run)
    path = run.folder / PAGE
    refuse_file(path, overwrite=True)

    from .content import gather  # with TensorFlow

    page = render(gather(run, recipe))
    with saving(run.folder):
        write_atomically(path, page)
    return path


def refuse_unfinished(run: Run) -> None:
    """Says how far a training is that was cut short, and how to resume it.

    Raises:
        InputError: the run is not finished.
    """
    progress = run.progress
    if progress.finished:
        return
    path = run.folder / PROVENANCE
    command = read_json(path)["command"] if path.is_file() else ""
    written = yaml.safe_load(recipe_file(run.folder).read_text(encoding="utf-8"))["train"]["run"]
    was_moved = Path(written).resolve() != run.folder.resolve()  # then that command would begin anew in the old place
    if was_moved or not command.startswith("saccade train "):
        command = f"saccade train {shlex.quote(str(run.folder / RECIPE))}"
    epochs = "1 epoch" if progress.epoch == 1 else f"{progress.epoch} epochs"
    step = f" and {progress.step} steps" if progress.step else ""
    raise InputError(
        f"this training was cut short after {epochs}{step}; resume it, then report: {command}", where=run.folder
    )


def render(content: Content) -> str:
    """The whole HTML page; all text that comes from the run is escaped."""
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"words": in_words, "number": number, "interval": interval, "grouped": "{:,}".format}
    environment.tests |= {"fraction": is_fraction}
    environment.globals |= {"image_attributes": image_attributes, "bar": bar, "scale_of": scale_of, "is_wide": is_wide}

    def panels(names: Iterable[str]) -> dict[str, str]:
        best, head = content.progress.best_epoch, content.head_epochs
        drawn = {curve_title(name): panel_svg(content.history, name, best, head) for name in names}
        return {title: svg for title, svg in drawn.items() if svg}

    return environment.get_template("page.html.j2").render(
        content=content,
        style=(here / "page.css").read_text(encoding="utf-8"),
        panels=panels(content.curves),
        pace=panels(name for name in PACE if content.history and name in content.history[-1]),
    )


def number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.5g}"


def interval(value: Value) -> str:
    """The interval of a metric as text, empty where it has none."""
    return "" if value.low is None else f"{number(value.low)} to {number(value.high)}"


def is_fraction(value: Value) -> bool:
    """Whether it lies between 0 and 1 and more is better, so that it may share a scale with others."""
    low, high = _ends(value)
    return value.higher_is_better and 0 <= low <= high <= 1


def scale_of(value: Value, others: Iterable[Value] = ()) -> tuple[float, float]:
    """The scale on which a metric is drawn.

    Returns:
        Of a fraction one that it shares with the fractions among the others: to 1, from a round number below all of
        them. Of another its own: from 0 to a round number past it, or about 0 where it is negative.
    """
    low, high = _ends(value)
    if is_fraction(value):
        lowest = min([low, *(_ends(each)[0] for each in others if is_fraction(each))])
        return max(start for start in (0, 0.5, 0.8, 0.9) if start <= lowest), 1.0
    reach = max(abs(low), abs(high))
    if not math.isfinite(reach) or reach == 0:
        return 0.0, 1.0
    step = 10 ** math.floor(math.log10(reach))
    top = math.ceil(reach / step) * step
    return (0.0 if low >= 0 else -top), top


def bar(value: Value, scale: tuple[float, float]) -> dict[str, str] | None:
    """Where a metric and its interval lie on a scale, in percent of it; None for what is no number."""
    if not math.isfinite(value.value):
        return None
    start, end = scale
    low, high = _ends(value)
    places = {"low": low, "high": high, "at": value.value}
    return {name: f"{100 * (min(max(at, start), end) - start) / (end - start):.2f}%" for name, at in places.items()}


def _ends(value: Value) -> tuple[float, float]:
    """The interval of a metric, which is a point where none is known."""
    if value.low is None or value.high is None:
        return value.value, value.value
    return min(value.low, value.value), max(value.high, value.value)


def is_wide(samples: Sequence[Shown]) -> bool:
    """Whether one of them is drawn as several panels in a row, too wide for a card."""

    def ratio(path: Path) -> float:
        with Image.open(path) as image:
            return image.width / image.height

    return any(ratio(sample.image) > WIDE for sample in samples)


def image_attributes(path: Path, alt: str, largest: int) -> dict[str, Any]:
    """The attributes of an `<img>` with a file within it: an SVG as it is, pixels as PNG or JPEG, what is smaller.

    Args:
        path: the file.
        alt: what it shows, for who cannot see it.
        largest: pixels of the longer side, to which larger images are scaled down.
    """
    if path.suffix == ".svg":
        content = path.read_bytes()
        width = re.search(rb'<svg[^>]* width="([\d.]+)pt"', content)
        pixels = 4 / 3 * float(width.group(1)) if width else 0
        style = f"min-width: {MIN_SCALE * pixels:.0f}px; max-width: {pixels:.0f}px" if pixels else None
        return {"alt": alt, "style": style, "src": _address("svg+xml", content)}
    with Image.open(path) as image:
        shown = image.convert("RGB")
    shown.thumbnail((largest, largest))
    png, jpeg = io.BytesIO(), io.BytesIO()
    shown.save(png, "PNG", optimize=True)
    shown.save(jpeg, "JPEG", quality=85)
    lossless = len(png.getvalue()) <= 1.2 * len(jpeg.getvalue())  # nothing lost is worth a little
    source = _address("png", png.getvalue()) if lossless else _address("jpeg", jpeg.getvalue())
    return {"alt": alt, "width": shown.width, "height": shown.height, "src": source}


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
