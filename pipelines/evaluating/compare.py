"""The comparison of two runs: their figures side by side, and whether the difference may be chance."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...models.contract import Value
from ...models.errors import InputError
from ...models.files import read_json
from ..recipe import Recipe, load_recipe
from ..run import recipe_file
from .evaluate import Evaluated, check_split, evaluated
from .figure_tables import comparison_rows
from .paired import PairedTest, paired_test


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same samples; `print` it.

    Attributes:
        runs: their folders.
        split: what they were evaluated on.
        values: the figures of each, by name.
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
            f"{split} split they share {len(asked[0] & asked[1])}, and figures of different samples cannot be compared"
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
