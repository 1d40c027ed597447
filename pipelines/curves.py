"""The learning curves of a run, drawn in one place: `curves.png` of the run and the panels of its report."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE = "samples_per_second"  # as history.jsonl has it
PACE = ("learning_rate", RATE)
"""What the history says of each epoch beside its metrics."""
INK = {"train": "#9aa7b8", "valid": "#1f6fd6", "soft": "#5d6878", "line": "#e3e7ec"}
"""Colours by their names in page.css, which has a second set for the dark."""
WIDTH, HEIGHT = 340, 190  # points of one panel
MAX_DOTS = 60  # epochs; the dots of more would run into one another

History = Sequence[Mapping[str, float]]


def curve_names(history: History) -> list[str]:
    """The metrics that are drawn, those of both training and validation first."""
    names = {name.removeprefix("val_"): None for name in history[-1] if "/" not in name}
    for other in ("epoch", "seconds", *PACE):
        names.pop(other, None)
    return sorted(names, key=lambda name: not (name in history[-1] and f"val_{name}" in history[-1]))


def curve_title(name: str) -> str:
    return {RATE: "samples per second"}.get(name, name.replace("_", " "))


def draw_curves(history: History, path: Path) -> None:
    """One panel a metric, training and validation together, over epochs; then learning rate and pace.

    Args:
        history: one mapping an epoch, with "epoch" from 1, as the run has it.
        path: the PNG to write.
    """
    if not history:  # its file was lost
        return
    from matplotlib.figure import Figure

    names = [*curve_names(history), *(name for name in PACE if name in history[-1])]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    plot = Figure(figsize=(WIDTH / 72 * columns, HEIGHT / 72 * 1.2 * rows), layout="constrained")
    panels = list(plot.subplots(rows, columns, squeeze=False).flat)
    for panel, name in zip(panels, names, strict=False):
        titles = _draw(panel, history, name)
        panel.set_title(curve_title(name), fontsize=10, parse_math=False)
        panel.set_xlabel("epoch", fontsize=9)
        if titles:
            panel.legend(frameon=False, fontsize=8)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    plot.savefig(path, dpi=120)


def panel_svg(history: History, name: str, best_epoch: int | None = None, second_phase: int = 0) -> str:
    """One metric over epochs as an `<svg>` to stand inside an HTML page, in the colours of that page.

    Every dot says its epoch and value to a resting mouse. The same history gives the same text.

    Args:
        history: one mapping an epoch, with "epoch" from 1.
        name: the metric; `val_` before it is validation's.
        best_epoch: marked on the curve of validation.
        second_phase: how many epochs the first phase has; a line stands behind them. 0: there is one phase.

    Returns:
        Markup, all text in it escaped; nothing where no epoch has a finite value.
    """
    import matplotlib
    from matplotlib.figure import Figure

    plot = Figure(figsize=(WIDTH / 72, HEIGHT / 72), layout="constrained")
    titles = _draw(plot.subplots(), history, name, best_epoch, second_phase)
    if not titles:
        return ""
    stream = io.StringIO()
    # Text as text; ids that depend on the metric alone, for several of these stand in one page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.sans-serif": ["DejaVu Sans"]}):
        plot.savefig(stream, format="svg", transparent=True)
    svg = ElementTree.fromstring(stream.getvalue())
    for node in svg.iter():
        node.tag = node.tag.rpartition("}")[2]  # HTML knows the namespaces of SVG by itself
        node.attrib = {key.rpartition("}")[2]: value for key, value in node.attrib.items()}
        if node.tag == "g" and (kind := node.attrib.pop("id", "")) in (*titles, "phase"):
            node.set("class", kind)
    svg.remove(svg.find("metadata"))  # the date
    svg.remove(svg.find("defs"))  # a style that would hold for the whole page
    for kind, said in titles.items():
        for dot, title in zip(svg.iterfind(f".//g[@class='{kind}']//use"), said, strict=False):
            ElementTree.SubElement(dot, "title").text = title
    svg.attrib = {
        "viewBox": svg.get("viewBox"),
        "role": "img",
        "aria-label": f"{curve_title(name)} over epochs, training and validation",
    }
    text = ElementTree.tostring(svg, encoding="unicode")
    for variable, colour in INK.items():
        text = text.replace(colour, f"var(--{variable})")
    return text


def _draw(
    axes: Axes, history: History, name: str, best_epoch: int | None = None, second_phase: int = 0
) -> dict[str, list[str]]:
    """Draws one panel; for each curve that it has, by its gid, what its dots say."""
    from matplotlib.ticker import MaxNLocator

    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=INK["line"], linewidth=1, clip_on=False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=11, labelcolor=INK["soft"])
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    titles, last = {}, 2
    for kind, key, ink in (("training", name, INK["train"]), ("validation", f"val_{name}", INK["valid"])):
        points = [(line["epoch"], line[key]) for line in history if math.isfinite(line.get(key, math.nan))]
        if not points:
            continue
        marker = {"marker": "o", "markersize": 4, "markeredgewidth": 0} if len(points) <= MAX_DOTS else {}
        axes.plot(*zip(*points, strict=True), color=ink, linewidth=1.8, label=kind, gid=kind, clip_on=False, **marker)
        titles[kind] = [f"epoch {epoch:g}, {kind}: {value:.4g}" for epoch, value in points]
        last = max(last, points[-1][0])
        if kind == "validation" and (best := dict(points).get(best_epoch)) is not None:
            ring = {"marker": "o", "markersize": 10, "markeredgewidth": 1.8, "fillstyle": "none"}
            axes.plot([best_epoch], [best], color=ink, gid="best", clip_on=False, **ring)
            titles["best"] = [f"epoch {best_epoch:g}, the best: {best:.4g}"]
    axes.set_xlim(history[0]["epoch"], max(last, history[0]["epoch"] + 1))
    if 0 < second_phase < last:
        axes.axvline(
            second_phase + 0.5, color=INK["soft"], linewidth=1, linestyle=(0, (3, 3)), gid="phase", clip_on=False
        )
    return titles
