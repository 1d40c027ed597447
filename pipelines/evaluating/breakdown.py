"""An evaluation told apart by the values of a column: where a model is worse than its mean says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...models.contract import Evaluation, Raw, Value
from ...models.errors import InputError, nearest
from ..data.source import Source

MIN_SAMPLES = 10  # samples: a metric of less says next to nothing
MAX_VALUES = 200  # values of a column: a table of more is no table


@dataclass(frozen=True)
class Part:
    """The samples of one value of the column: how many were evaluated, and their metrics."""

    count: int
    values: Mapping[str, Value]


def find_column(source: Source, column: str) -> Sequence[str]:
    """The texts of a column, one a sample.

    Raises:
        InputError: the source has no such column; the message lists the nearest.
    """
    columns = source.columns
    if column not in columns:
        known = nearest(column, columns) if columns else "it has none (data.source=csv has those of its table)"
        raise InputError(f"the data has no column '{column}' to tell metrics apart by: {known}")
    return columns[column]


class Breakdown:
    """One evaluation for each value of a column, fed beside the one of all samples.

    Args:
        column: a name from `source.columns`.
        source: where the samples come from.
        positions: those that are evaluated.

    Raises:
        InputError: no such column, or one with more than 200 different values.
    """

    def __init__(self, column: str, source: Source, positions: Sequence[int]):
        self.column, texts = column, find_column(source, column)
        self._value_of = {source.keys[position]: texts[position] or "(empty)" for position in positions}
        self._counts: Counter[str] = Counter()
        self._evaluations: dict[str, Evaluation] = {}
        different = len(set(self._value_of.values()))
        if different > MAX_VALUES:
            raise InputError(
                f"column '{column}' has {different} different values in these {len(positions)} samples: a column of at "
                f"most {MAX_VALUES} can be told apart"
            )

    def update(
        self,
        fresh: Callable[[], Evaluation],
        truth: Mapping[str, Any],
        results: Mapping[str, Any],
        key: str,
        raw: Callable[[], Raw],
    ) -> None:
        """Takes in one sample; `fresh` makes the evaluation of a value that comes for the first time."""
        value = self._value_of[key]
        if value not in self._evaluations:
            self._evaluations[value] = fresh()
        self._evaluations[value].update(truth, results, key, raw)
        self._counts[value] += 1

    def parts(self) -> dict[str, Part]:
        """Value of the column to its samples' metrics; the values that most samples have come first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return {value: Part(count, self._evaluations[value].values()) for value, count in ordered}


def widest_gap(column: str, parts: Mapping[str, Part]) -> str:
    """One line about the metric in which two values of a column lie farthest apart for the width of their intervals.

    Values with less than 10 samples are left out, and so are metrics without interval.
    """
    enough = {value: part for value, part in parts.items() if part.count >= MIN_SAMPLES}
    best, line = 0.0, f"no gap to tell: fewer than two values of '{column}' have {MIN_SAMPLES} samples"
    if len(enough) > 1:
        line = f"no gap between the values of '{column}'"
    for name in dict.fromkeys(name for part in enough.values() for name in part.values if "/" not in name):
        having = [(part.values[name], value) for value, part in enough.items() if name in part.values]
        having = sorted((each for each in having if each[0].low is not None), key=lambda each: each[0].value)
        if len(having) < 2:
            continue
        (lower, least), (upper, most) = having[0], having[-1]
        gap = upper.value - lower.value
        uncertain = max((upper.value - upper.low) + (lower.high - lower.value), 1e-9)
        if gap / uncertain > best:
            best = gap / uncertain
            apart = "do not overlap" if upper.low > lower.high else "overlap: it may be chance"
            line = (
                f"widest gap: {name} {lower.value:.4f} for {column}={least} against {upper.value:.4f} for "
                f"{column}={most}; their intervals {apart}"
            )
    return line
