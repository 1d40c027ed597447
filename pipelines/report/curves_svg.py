"""Learning curves as SVG: lines that are sharp at every size and take the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator

from .markup import Markup, element

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 24
MOST_DOTS = 60  # epochs; with more, dots would run into one another

History = Sequence[Mapping[str, float]]


def curve_names(history: History) -> list[str]:
    """The figures that are drawn, those that training and validation share first."""
    names = {name.removeprefix("val_"): None for name in history[-1] if "/" not in name}
    for other in ("epoch", "learning_rate", "pictures_per_second", "seconds"):
        names.pop(other, None)
    return sorted(names, key=lambda name: not (name in history[-1] and f"val_{name}" in history[-1]))


def draw_panel(history: History, name: str, best_epoch: int | None = None, second_phase: int = 0) -> Markup:
    """One figure over epochs, training and validation together.

    Args:
        history: one mapping an epoch, with "epoch" from 1.
        name: the figure; `val_` before it is validation's.
        best_epoch: marked on the curve of validation.
        second_phase: how many epochs the first phase has; a line stands behind them. 0: there is one phase.
    """
    curves = {kind: _points(history, key) for kind, key in (("train", name), ("valid", f"val_{name}"))}
    known = [point for points in curves.values() for point in points]
    if not known:
        return Markup("")
    frame = _Frame([epoch for epoch, _ in known], [value for _, value in known])
    parts = [*frame.grid()]
    if 0 < second_phase < max(epoch for epoch, _ in known):
        x = frame.x(second_phase + 0.5)
        parts.append(element("line", {"class": "phase", "x1": x, "x2": x, "y1": TOP, "y2": HEIGHT - BOTTOM}))
    for kind, points in curves.items():
        parts += _curve(frame, kind, points)
    parts += [_best(frame, epoch, value) for epoch, value in curves["valid"] if epoch == best_epoch]
    label = f"{name} over epochs, training and validation"
    return element("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": label}, *parts)


class _Frame:
    """From epochs and values to places in the picture."""

    def __init__(self, epochs: Sequence[float], values: Sequence[float]):
        self._epochs = min(epochs), max(max(epochs), min(epochs) + 1)
        low, high = min(values), max(values)
        pad = 0.05 * (high - low) or 0.05 * abs(high) or 1
        self._values = low - pad, high + pad

    def x(self, epoch: float) -> float:
        first, last = self._epochs
        return LEFT + (epoch - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self._values
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> list[Markup]:
        parts = []
        for value in MaxNLocator(4).tick_values(*self._values):
            if self._values[0] <= value <= self._values[1]:
                y = self.y(value)
                parts.append(element("line", {"class": "grid", "x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y}))
                parts.append(element("text", {"x": LEFT - 6, "y": y + 3.5, "text-anchor": "end"}, f"{value:.4g}"))
        for epoch in MaxNLocator(6, integer=True).tick_values(*self._epochs):
            if self._epochs[0] <= epoch <= self._epochs[1]:
                x = self.x(epoch)
                parts.append(element("text", {"x": x, "y": HEIGHT - 7, "text-anchor": "middle"}, f"{epoch:g}"))
        return parts


def _points(history: History, key: str) -> list[tuple[float, float]]:
    return [(line["epoch"], line[key]) for line in history if math.isfinite(line.get(key, math.nan))]


def _curve(frame: _Frame, kind: str, points: Sequence[tuple[float, float]]) -> list[Markup]:
    if not points:
        return []
    places = [(frame.x(epoch), frame.y(value)) for epoch, value in points]
    line = element("polyline", {"class": kind, "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in places)})
    if len(points) > MOST_DOTS:
        return [line]
    said = "training" if kind == "train" else "validation"
    dots = [
        element(
            "circle",
            {"class": kind, "cx": x, "cy": y, "r": 2},
            element("title", {}, f"epoch {epoch:g}, {said}: {value:.4g}"),
        )
        for (x, y), (epoch, value) in zip(places, points, strict=True)
    ]
    return [line, *dots]


def _best(frame: _Frame, epoch: float, value: float) -> Markup:
    title = element("title", {}, f"epoch {epoch:g}, the best: {value:.4g}")
    return element("circle", {"class": "best", "cx": frame.x(epoch), "cy": frame.y(value), "r": 5}, title)
