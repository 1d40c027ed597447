"""Metrics as text for a terminal: the headline, a table of the classes, a table of the values of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...models.contract import Value
from .breakdown import MIN_SAMPLES, Part, widest_gap

MAX_INTERVALS = 4  # metrics with intervals: as many as a terminal of usual width takes


def metrics_text(values: Mapping[str, Value]) -> str:
    """The metrics of all samples one a line with their intervals, then those of single classes as a table."""
    headline = [(name, str(value)) for name, value in values.items() if "/" not in name]
    text = _aligned(headline)
    by_class: dict[str, dict[str, str]] = {}
    metrics: dict[str, None] = {}
    for name, value in values.items():
        metric, slash, of = name.partition("/")
        if slash:
            metrics[metric] = None
            by_class.setdefault(of, {})[metric] = f"{value.value:.4f}"
    if by_class:
        rows = [["class", *metrics]]
        rows += [[of, *(cells.get(metric, "-") for metric in metrics)] for of, cells in by_class.items()]
        text += "\n\n" + _aligned(rows)
    return text


def breakdown_text(column: str, parts: Mapping[str, Part]) -> str:
    """A row for each value of a column: how many samples, and the metrics of all classes with their intervals; and in
    the last line the widest gap."""
    names = list(dict.fromkeys(name for part in parts.values() for name in part.values if "/" not in name))
    tables = []
    for start in range(0, max(1, len(names)), MAX_INTERVALS):
        chosen = names[start : start + MAX_INTERVALS]
        rows = [[column, "samples", *chosen]]
        for value, part in parts.items():
            count = f"{part.count} (too few)" if part.count < MIN_SAMPLES else str(part.count)
            rows.append([value, count, *(_short(part.values.get(name)) for name in chosen)])
        tables.append(_aligned(rows))
    return "\n\n".join([*tables, widest_gap(column, parts)])


def _short(value: Value | None) -> str:
    if value is None:
        return "-"
    return f"{value.value:.3f}" + ("" if value.low is None else f" ({value.low:.3f} to {value.high:.3f})")


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def comparison_rows(names: tuple[str, str], first: Mapping[str, Value], second: Mapping[str, Value]) -> str:
    """The metrics that both have side by side, and how much more the second has; `*` marks the better one."""
    rows = [["(* is better)", *names, "difference"]]
    for name, ours in first.items():
        if "/" in name or name not in second:
            continue
        theirs = second[name]
        difference = theirs.value - ours.value
        better = difference > 0 if ours.higher_is_better else difference < 0
        marks = ("", "") if difference == 0 else ("", "*") if better else ("*", "")
        cells = [str(value) + mark for value, mark in zip((ours, theirs), marks, strict=True)]
        rows.append([name, *cells, f"{difference:+.4f}"])
    return _aligned(rows)
