"""Whether two models that answered the same samples differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test of the same samples answered twice.

    Attributes:
        name: of the test.
        p_value: how probable so large a difference, or a larger one, is between equally good models.
        samples: how many both answered.
        first_better, second_better: samples that only the first, or only the second, answered right; where answers
            have degrees, that it answered better.
        favours_second: None where neither is ahead.
        graded: whether answers have degrees, not only right and wrong.
    """

    name: str
    p_value: float
    samples: int
    first_better: int
    second_better: int
    favours_second: bool | None
    graded: bool

    @property
    def is_chance(self) -> bool:
        """Whether the difference may be chance, at the level of 0.05."""
        return self.p_value >= LEVEL

    def conclusion(self, first: str, second: str) -> str:
        """Two plain sentences, with what the two models are called."""
        what = "better answered by" if self.graded else "right only in"
        counts = (
            f"of {self.samples} samples both answered, {self.first_better} are {what} {first} and "
            f"{self.second_better} {what} {second}"
        )
        p = f"p = {self.p_value:.2g}, {self.name}"
        if self.favours_second is None or self.is_chance:
            return f"{counts}\nthe difference may be chance: {p}"
        return f"{counts}\n{second if self.favours_second else first} is better, by more than chance: {p}"


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Compares the scores of two models on the same samples, in the same order.

    Right and wrong answers (scores of 1 and 0 alone): McNemar's test, exact: a two-sided binomial test of the samples
    that only one of them has right (McNemar 1947; Dietterich 1998 recommends it for two classifiers and one test set).
    Other scores: Wilcoxon's signed-rank test (1945).

    Args:
        first: scores 0..1, `[n]`.
        second: likewise.
    """
    from scipy.stats import binomtest, wilcoxon

    ours, theirs = np.asarray(first, np.float64), np.asarray(second, np.float64)
    differences = theirs - ours
    first_better, second_better = int((differences < 0).sum()), int((differences > 0).sum())
    graded = not np.isin([ours, theirs], (0, 1)).all()
    if not differences.any():
        p, ahead = 1.0, 0.0
    elif graded:
        p, ahead = float(wilcoxon(differences).pvalue), _signed_ranks(differences)
    else:
        p, ahead = float(binomtest(second_better, first_better + second_better).pvalue), second_better - first_better
    return PairedTest(
        name="Wilcoxon's signed-rank test" if graded else "McNemar's exact test",
        p_value=p,
        samples=len(differences),
        first_better=first_better,
        second_better=second_better,
        favours_second=None if ahead == 0 else bool(ahead > 0),
        graded=graded,
    )


def _signed_ranks(differences: np.ndarray) -> float:
    """The sum of signed ranks: whom Wilcoxon's test favours, which is not always who is better more often."""
    from scipy.stats import rankdata

    differences = differences[differences != 0]
    return float(np.sum(np.sign(differences) * rankdata(np.abs(differences))))
