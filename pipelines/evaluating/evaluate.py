"""The evaluation job: the Predictor of a run on the bytes of a split."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...models.contract import Value
from ...models.errors import InputError, nearest
from ...models.files import WriteError, saving
from ..data.source import SPLITS
from ..recipe.recipe import load_recipe
from ..run import recipe_file
from .breakdown import Breakdown, Part, find_column

log = logging.getLogger("saccade")


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found.

    Attributes:
        values: the metrics.
        parts: where a column was named, the metrics for each of its values.
        scores: how well each sample was answered, by key; empty for a task that does not score single samples.
        set_aside: keys of the samples that could not be read.
        folder: where the files are; None where the run cannot be written to.
    """

    values: Mapping[str, Value]
    parts: Mapping[str, Part]
    scores: Mapping[str, float]
    set_aside: Sequence[str]
    folder: Path | None


def check_split(split: str) -> None:
    """Refuses what is no split.

    Raises:
        InputError: with the nearest names.
    """
    known = [*SPLITS, "all"]
    if split not in known:
        raise InputError(f"no split '{split}': {nearest(str(split), known)}")


def evaluate(
    run: Path | str, split: str = "test", overrides: Sequence[str] = (), batch: int = 32, by: str | None = None
) -> dict[str, Value]:
    """The metrics alone; see `evaluated`."""
    return dict(evaluated(run, split, overrides, batch, by).values)


def evaluated(
    run: Path | str, split: str = "test", overrides: Sequence[str] = (), batch: int = 32, by: str | None = None
) -> Evaluated:
    """Evaluates a run, and writes metrics, images, worst and doubtful cases into its `evaluation/SPLIT` folder.

    Of a run that cannot be written to all is found as well, and a warning says that there are no files.

    Args:
        run: the folder that `train` left.
        split: "train", "validation", "test", or "all" samples, as for data that was never trained on.
        overrides: `data.key=value`, to evaluate on other data.
        batch: images in one call of the graph.
        by: a column of the data, for each of whose values the metrics are told, too: `by` in `metrics.json`.

    Raises:
        InputError: no run, no such split or one without samples, no such column, more bad samples than `data.max_bad`.
    """
    check_split(split)
    foreign = [each for each in overrides if not each.startswith(("data.", "data="))]
    if foreign:
        raise InputError(f"'{foreign[0]}': only data.* can be changed for an evaluation; the rest belongs to the run")
    run = Path(run)
    recipe = load_recipe(recipe_file(run), overrides)
    source, task = recipe.open()

    if by is not None:
        find_column(source, by)

    from ...models.predictor import Predictor
    from ..data.data import log_bad, refuse_bad
    from ..data.splits import split_unchecked
    from .evaluation_files import evaluation_folder, write_evaluation
    from .validation import evaluate_positions

    predictor = Predictor.load(run)
    if predictor.task.class_names != task.class_names:
        odd = sorted(set(task.class_names) ^ set(predictor.task.class_names))
        raise InputError(
            f"the data has other classes than the run: {', '.join(odd) or 'another order'}", where=str(run)
        )
    positions = np.arange(len(source)) if split == "all" else split_unchecked(source, task, recipe.data)[split]
    if not len(positions):
        raise InputError(f"the {split} split is empty (data.{split} is its share of the data)", where=str(run))
    breakdown = Breakdown(by, source, positions) if by is not None else None
    evaluation, bad = evaluate_positions(predictor, source, positions, batch, show=split, breakdown=breakdown)
    refuse_bad(bad, len(positions), source, recipe.data)
    log_bad(bad, source, f"metrics.json of evaluation/{split}")
    folder: Path | None = evaluation_folder(run, split)
    try:
        with saving(run):
            values = write_evaluation(evaluation, bad, source, split, predictor, run, overrides, breakdown)
    except WriteError as error:
        log.warning("%s; the metrics are told all the same, without files of this evaluation", error)
        values, folder = evaluation.values(), None
    parts = breakdown.parts() if breakdown is not None else {}
    return Evaluated(values, parts, evaluation.scores(), [source.keys[position] for position in bad], folder)
