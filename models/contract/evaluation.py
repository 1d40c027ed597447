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


MAX_NAMES = 12
"""Classes that one note names."""


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

    def notes(self) -> list[str]:
        """What a person should know and no metric says, each in a phrase, as "never predicted: pole (of 11 classes)";
        the log warns of them when a split was evaluated, as at the end of a training, and the report shows them."""
        return []

    def scores(self) -> dict[str, float]:
        """Key to how well each sample was answered, 0..1, for a comparison of two models sample by sample.

        A task whose answers are right or wrong gives 1 or 0.
        """
        return {}

    def files(self) -> dict[str, bytes]:
        """Further files for other tools, name to contents, as detections in COCO's format; here none."""
        return {}

    def choose_settings(self) -> dict[str, float]:
        """Values of the Predictor's settings that suit these samples best; asked once, on the validation split.

        Only the settings to be changed; a task without any keeps this.
        """
        return {}


def never_right(class_names: Sequence[str], true: np.ndarray, predicted: np.ndarray, right: np.ndarray) -> list[str]:
    """The notes on classes that truth has and that no prediction gets right; empty where there are none.

    Args:
        class_names: in the order of the class ids.
        true: how many samples, pixels or objects are of each class, `[classes]`.
        predicted: how many are predicted to be.
        right: how many of these are.
    """
    counts = list(zip(class_names, true, predicted, right, strict=True))
    never = [name for name, there, found, _ in counts if there and not found]
    wrong = [name for name, there, found, hits in counts if there and found and not hits]
    told = {"never predicted": never, "never predicted where they are": wrong}
    return [f"{what}: {_listed(names)} (of {len(class_names)} classes)" for what, names in told.items() if names]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
