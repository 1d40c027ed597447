"""The contract of an evaluation: how good results are, and what a person should look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .truth import Raw

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Value:
    """One metric of an evaluation, with its 95 % interval where one was asked for."""

    value: float
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({self.low:.4f} to {self.high:.4f})"
        return f"{self.value:.4f}{interval}"


@dataclass(frozen=True)
class Case:
    """One sample that a person should look at: its key, how bad (higher is worse) and why in a few words."""

    key: str
    badness: float
    note: str


class Evaluation(ABC):
    """Gathers truth and results sample by sample, and says how good they are.

    Attributes:
        needs: names of the results that `update` reads; None: those of the default signature.
    """

    needs: Sequence[str] | None = None

    @abstractmethod
    def update(
        self,
        truth: Mapping[str, np.ndarray],
        results: Mapping[str, np.ndarray],
        key: str,
        raw: Callable[[], Raw],
    ) -> None:
        """Takes in one sample.

        Args:
            truth: as the source has it; empty for a task without.
            results: without the padding of their batch.
            key: the sample's stable id.
            raw: gives the raw values that the results are of, for a metric that looks at them.
        """

    @abstractmethod
    def values(self, intervals: bool = True) -> dict[str, Value]:
        """Name to metric. `intervals=False` leaves out what needs resampling (used once an epoch)."""

    def plots(self) -> dict[str, Figure]:
        """Name to matplotlib figure; a task without any keeps this."""
        return {}

    def worst(self, n: int) -> list[Case]:
        """At most `n` cases, the worst first."""
        return []

    def label_issues(self, n: int) -> list[Case]:
        """At most `n` samples whose truth is likelier wrong than the results, the likeliest first."""
        return []

    def scores(self) -> dict[str, float]:
        """Key to how well each sample was answered, 0..1, for a comparison of two models sample by sample.

        A task whose answers are right or wrong gives 1 or 0.
        """
        return {}

    def choose_settings(self) -> dict[str, float]:
        """Values of the Predictor's settings that suit these samples best; asked once, on the validation split.

        Only the settings to be changed; a task without any keeps this.
        """
        return {}
