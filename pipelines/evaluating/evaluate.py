"""The evaluation job: the Predictor of a run on the bytes of a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.contract import Value
from ...models.errors import InputError
from ..recipe import load_recipe
from ..run import recipe_file, saving
from .breakdown import Breakdown, find_column


def evaluate(
    run: Path | str, split: str = "test", overrides: Sequence[str] = (), batch: int = 32, by: str | None = None
) -> dict[str, Value]:
    """Evaluates a run, and writes figures, pictures, worst and doubtful cases into its `evaluation/SPLIT` folder.

    Args:
        run: the folder that `train` left.
        split: "train", "validation", "test", or "all" samples, as for data that was never trained on.
        overrides: `data.key=value`, to evaluate on other data.
        batch: pictures in one call of the graph.
        by: a column of the data, for each of whose values the figures are told, too: `by` in `metrics.json`.

    Returns:
        Name to figure, with 95 % intervals.

    Raises:
        InputError: no run, a split without samples, no such column, more bad samples than `data.max_bad`.
    """
    foreign = [each for each in overrides if not each.startswith(("data.", "data="))]
    if foreign:
        raise InputError(f"'{foreign[0]}': only data.* can be changed for an evaluation; the rest belongs to the run")
    run = Path(run)
    recipe = load_recipe(recipe_file(run), overrides)
    source, task = recipe.open()

    if by is not None:
        find_column(source, by)

    from ...models.predictor import Predictor
    from ..checking.findings import log_bad, refuse_bad
    from ..checking.splits import split_unchecked
    from .evaluation_files import write_evaluation
    from .validation import evaluate_positions

    predictor = Predictor.load(run)
    if predictor.task.class_names != task.class_names:
        odd = sorted(set(task.class_names) ^ set(predictor.task.class_names))
        raise InputError(f"{run}: the data has other classes than the run: {', '.join(odd) or 'another order'}")
    positions = np.arange(len(source)) if split == "all" else split_unchecked(source, task, recipe.data)[split]
    if not len(positions):
        raise InputError(f"{run}: the {split} split is empty (data.{split} is its share of the data)")
    breakdown = Breakdown(by, source, positions) if by is not None else None
    evaluation, bad = evaluate_positions(predictor, source, positions, batch, show=split, breakdown=breakdown)
    refuse_bad(bad, len(positions), source, recipe.data)
    log_bad(bad, source, f"metrics.json of evaluation/{split}")
    with saving(run):
        return write_evaluation(evaluation, bad, source, split, predictor, run, overrides, breakdown)
