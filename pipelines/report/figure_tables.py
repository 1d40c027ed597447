"""The figures of an evaluation as tables: those of the whole split, and those of each class or group."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...models.contract import Value
from ..evaluating.breakdown import widest_gap
from .evaluations import Evaluated
from .intervals_svg import common_scale, interval_bar, is_share, own_scale
from .markup import Markup, details, element, markup, section, table
from .material import Material

MOST_ROWS = 20


def in_words(name: str) -> str:
    return name.replace("_", " ")


def number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.5g}"


def interval(value: Value) -> str:
    """The interval of a figure as text, empty where it has none."""
    return "" if value.low is None else f"{number(value.low)} to {number(value.high)}"


def headline_table(material: Material) -> Markup:
    """Every figure of the quoted split with its interval, beside the same figure of validation."""
    quoted = material.quoted
    if quoted is None:
        return Markup("")
    scale = common_scale(quoted.headlines.values())
    others = [each for each in material.evaluations.values() if each is not quoted]
    rows = []
    for name, value in quoted.headlines.items():
        bar = interval_bar(value, scale if is_share(value) else own_scale(value))
        less = Markup("") if value.higher_is_better else element("small", {}, "less is better")
        rows.append(
            [
                markup(in_words(name), " ", less),
                element("b", {}, number(value.value)),
                interval(value),
                bar,
                *(_beside(each, name) for each in others),
            ]
        )
    head = ["figure", f"{quoted.split} split", "95 % interval", "", *(f"{each.split} split" for each in others)]
    return section("Figures", table(head, rows, "headlines"), *_set_aside(quoted))


def _beside(other: Evaluated, name: str) -> Markup:
    """The same figure of another split; on a narrow page, where the table has no head, it says of which."""
    if name not in other.figures:
        return Markup("")
    return element("span", {"class": "beside", "data-split": other.split}, number(other.figures[name].value))


def _set_aside(quoted: Evaluated) -> list[Markup]:
    if not quoted.set_aside:
        return []
    return [element("p", {"class": "note"}, f"{quoted.set_aside} samples could not be read and do not count.")]


def named_tables(material: Material) -> Markup:
    """One table for each family of names: a row a class or group, a column a figure, the worst row first."""
    quoted = material.quoted
    if quoted is None:
        return Markup("")
    parts = [_named_table(columns) for columns in families(quoted.figures)]
    note = element("p", {"class": "note"}, "The worst first, by the mean of their ranks over the columns.")
    return section("Figures by name", note, *parts) if parts else Markup("")


def breakdowns(material: Material) -> Markup:
    """One table for each column that figures were told apart by (`evaluate --by`): a row a value of it."""
    parts = []
    for column, values in (material.quoted.by if material.quoted else {}).items():
        names = list(dict.fromkeys(name for part in values.values() for name in part.values if "/" not in name))
        rows = [
            [value, str(part.count), *(_cell(part.values[name]) if name in part.values else "" for name in names)]
            for value, part in values.items()
        ]
        parts.append(table([column, "samples", *map(in_words, names)], rows, "named"))
        parts.append(element("p", {"class": "note"}, widest_gap(column, values)))
    return section("Figures by column", *parts)


def families(figures: Mapping[str, Value]) -> list[dict[str, dict[str, Value]]]:
    """Figures named `figure/NAME`, as figure to name to value; figures that share a name stand in one table."""
    tables: list[dict[str, dict[str, Value]]] = []
    for full, value in figures.items():
        if "/" not in full:
            continue
        figure, name = full.split("/", 1)
        mine = [each for each in tables if figure in each or any(name in column for column in each.values())]
        merged: dict[str, dict[str, Value]] = {}
        for each in mine:
            merged |= each
            tables.remove(each)
        merged.setdefault(figure, {})[name] = value
        tables.append(merged)
    return tables


def worst_first(columns: Mapping[str, Mapping[str, Value]]) -> list[str]:
    """The names of a table, by the mean of their ranks: how many are better in a column, as a share of it."""
    ranks: dict[str, list[float]] = {}
    for column in columns.values():
        for name, value in column.items():
            better = sum(_goodness(other) > _goodness(value) for other in column.values())
            ranks.setdefault(name, []).append(better / len(column))
    return sorted(ranks, key=lambda name: -sum(ranks[name]) / len(ranks[name]))


def _goodness(value: Value) -> float:
    if not math.isfinite(value.value):
        return -math.inf
    return value.value if value.higher_is_better else -value.value


def _named_table(columns: Mapping[str, Mapping[str, Value]]) -> Markup:
    rows = [
        [name, *(_cell(column[name]) if name in column else "" for column in columns.values())]
        for name in worst_first(columns)
    ]
    head = ["", *map(in_words, columns)]
    first = table(head, rows[:MOST_ROWS], "named")
    if len(rows) <= MOST_ROWS:
        return first
    return markup(first, details(f"{len(rows) - MOST_ROWS} more", table(head, rows[MOST_ROWS:], "named")))


def _cell(value: Value) -> Markup:
    if not is_share(value):
        return element("span", {"class": "cell"}, number(value.value))
    title = interval(value)
    style = {"class": "cell", "style": f"--share:{100 * value.value:.1f}%"} | ({"title": title} if title else {})
    return element("span", style, f"{value.value:.3f}")
