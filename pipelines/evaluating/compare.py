"""The comparison of two runs: their metrics side by side, and whether the difference may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...models.contract import Value
from ...models.errors import InputError
from ...models.files import read_json
from ..recipe.recipe import Recipe, load_recipe
from ..run import recipe_file
from .evaluate import Evaluated, check_split, evaluated
from .metric_tables import comparison_rows

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


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same samples; `print` it.

    Attributes:
        runs: their folders.
        split: what they were evaluated on.
        values: the metrics of each, by name.
        test: the paired test; None for a task that does not score single samples.
    """

    runs: tuple[Path, Path]
    split: str
    values: tuple[Mapping[str, Value], Mapping[str, Value]]
    test: PairedTest | None

    def __str__(self) -> str:
        names = (str(self.runs[0]), str(self.runs[1]))
        table = comparison_rows(names, *self.values)
        if self.test is None:
            return f"{table}\nno paired test: this task does not score single samples"
        return f"{table}\n{self.test.conclusion(*names)}"


def compare(first: Path | str, second: Path | str, split: str = "test") -> Comparison:
    """Compares two runs of one task on one split of the same data.

    What `evaluate` left is used where it is of the run's present weights and data; else the run is evaluated.

    Args:
        first: the folder that `train` left.
        second: another one.
        split: "train", "validation", "test", or "all" samples.

    Raises:
        InputError: no run, runs of different tasks, classes or samples.
    """
    check_split(split)
    runs = Path(first), Path(second)
    recipes = [load_recipe(recipe_file(run)) for run in runs]
    _refuse_other_tasks(runs, *recipes)

    from ...models.predictor import Predictor

    predictors = [Predictor.load(run) for run in runs]
    if predictors[0].task.class_names != predictors[1].task.class_names:
        odd = set(predictors[0].task.class_names) ^ set(predictors[1].task.class_names)
        raise InputError(f"{runs[0]} and {runs[1]} know other classes: {', '.join(sorted(odd)) or 'in another order'}")
    found = [_evaluation(run, split, predictor.fingerprint) for run, predictor in zip(runs, predictors, strict=True)]
    answered = [set(each.scores) for each in found]
    asked = [{*each.scores, *each.set_aside} for each in found]
    if any(answered) and asked[0] != asked[1]:
        raise InputError(
            f"{runs[0]} and {runs[1]} are runs on other data: of {len(asked[0])} and {len(asked[1])} samples of the "
            f"{split} split they share {len(asked[0] & asked[1])}, and metrics of different samples cannot be compared"
        )
    shared = sorted(answered[0] & answered[1])
    test = paired_test(*([each.scores[key] for key in shared] for each in found)) if shared else None
    return Comparison(runs, split, (found[0].values, found[1].values), test)


def _refuse_other_tasks(runs: tuple[Path, Path], first: Recipe, second: Recipe) -> None:
    if first.task_class is not second.task_class:
        raise InputError(
            f"{runs[0]} is a run of task '{first.task}' and {runs[1]} of '{second.task}': only runs of one task can be "
            "compared"
        )
    truths = [recipe.make_task(()).truth for recipe in (first, second)]
    if truths[0].keys() != truths[1].keys():
        told = [" and ".join(truth) for truth in truths]
        raise InputError(
            f"{runs[0]} answers to the truth '{told[0]}' and {runs[1]} to '{told[1]}': only runs on the same truth can "
            "be compared"
        )


def _evaluation(run: Path, split: str, fingerprint: str) -> Evaluated:
    """What an evaluation of the run as it is has found, or finds now."""
    from .evaluation_files import SCORES, evaluation_folder, read_metrics

    folder = evaluation_folder(run, split)
    with suppress(InputError, FileNotFoundError):  # files that are not whole count for nothing
        if (metrics := read_metrics(run, split, fingerprint)) is not None:
            set_aside = [each["key"] for each in metrics["set_aside"]]
            return Evaluated(metrics["metrics"], {}, read_json(folder / SCORES), set_aside, folder)
    return evaluated(run, split)
