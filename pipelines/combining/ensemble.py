"""The ensemble job: several runs, or several views by one, made one folder that is used like a run.

What can be refused without TensorFlow is refused before it is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ...models.errors import InputError, nearest
from ...models.stopping import stoppable
from ...models.views import Views
from .agreement import recipes_in_agreement
from .new_folder import new_folder

AVERAGES = ("probabilities", "weights")


@stoppable()
def ensemble(
    runs: Sequence[Path | str], out: Path | str, average: str = "probabilities", views: Views | None = None
) -> Path:
    """Makes one Predictor of several runs, of several views, or of both, in a folder like a run's.

    Settings of the members (temperature, thresholds) do not fit their average: raw outputs are averaged without them,
    and the whole chooses its own on validation (Rahaman and Thiery 2021: first pool, then calibrate, as the mean of
    calibrated members is not confident enough).

    Args:
        runs: the folders that `train` left. Data, splits and proof samples are the first's.
        out: the new folder. It needs none of the runs afterwards.
        average: "probabilities" keeps every member and takes as long as all of them; "weights", for runs of one start,
            makes one network with the size and the speed of one.
        views: what is shown of each picture; the whole alone unless given.

    Returns:
        `out`.

    Raises:
        InputError: runs that do not belong together or lack weights, views that input or task do not admit, nothing
            to average, `out` exists. Nothing is left behind.
    """
    folders, out, views = [Path(run) for run in runs], Path(out), views or Views()
    if average not in AVERAGES:
        raise InputError(f"average '{average}': {nearest(average, AVERAGES)}")
    if len(folders) < (2 if average == "weights" or not views.several else 1):
        way = "name another" if average == "weights" else "name another, or take --flip or --crops"
        raise InputError(f"{', '.join(map(str, folders)) or 'no run'}: one run alone is no ensemble: {way}")
    recipes = recipes_in_agreement(folders, of_one_start=average == "weights")
    views.input(recipes[0].input)  # refuses
    with new_folder(out) as made:
        from .combine import combine

        train = recipes[0].train.model_copy(update={"run": str(out.absolute())})
        recipes[0] = dataclasses.replace(recipes[0], train=train)
        combine(folders, recipes, average, views, made)
    return out
