"""A figure and its interval as a small SVG bar on a scale."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...models.contract import Value
from .markup import Markup, element, markup

WIDTH, HEIGHT, EDGE = 180, 22, 26  # the scale's ends are written at its edges


def common_scale(values: Iterable[Value]) -> tuple[float, float]:
    """A scale for shares: it ends at 1 and begins at a round number below all of them."""
    lowest = min((_low(value) for value in values if is_share(value)), default=0.0)
    return max((start for start in (0, 0.5, 0.8, 0.9) if start <= lowest), default=0.0), 1.0


def own_scale(value: Value) -> tuple[float, float]:
    """A scale for one figure in its own unit: from 0 to a round number past it, or about it where it is negative."""
    reach = max(abs(_low(value)), abs(_high(value)))
    if not math.isfinite(reach) or reach == 0:
        return 0.0, 1.0
    step = 10 ** math.floor(math.log10(reach))
    top = math.ceil(reach / step) * step
    return (0.0 if _low(value) >= 0 else -top), top


def is_share(value: Value) -> bool:
    """Whether it lies between 0 and 1 and more is better, so that it may share a scale with others."""
    return value.higher_is_better and 0 <= _low(value) <= _high(value) <= 1


def interval_bar(value: Value, scale: tuple[float, float]) -> Markup:
    """The figure as a dot, its interval as a bar; nothing for what is no number."""
    if not math.isfinite(value.value):
        return Markup("")
    start, end = scale

    def x(at: float) -> float:
        return EDGE + (min(max(at, start), end) - start) / (end - start) * (WIDTH - 2 * EDGE)

    low, high, middle = x(_low(value)), x(_high(value)), HEIGHT / 2
    parts = [
        element("line", {"class": "grid", "x1": EDGE, "x2": WIDTH - EDGE, "y1": middle, "y2": middle}),
        element("rect", {"class": "band", "x": low, "y": middle - 4, "width": high - low, "height": 8, "rx": 4}),
        element("circle", {"class": "dot", "cx": x(value.value), "cy": middle, "r": 4}),
        element("text", {"x": EDGE - 8, "y": middle + 3.5, "text-anchor": "end"}, f"{start:g}"),
        element("text", {"x": WIDTH - EDGE + 8, "y": middle + 3.5}, f"{end:g}"),
    ]
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "class": "interval", "aria-hidden": "true"}
    return element("svg", box, markup(*parts))


def _low(value: Value) -> float:
    return value.value if value.low is None else min(value.low, value.value)


def _high(value: Value) -> float:
    return value.value if value.high is None else max(value.high, value.value)
