"""Whether runs can be one ensemble: told from their recipes alone, before any network is loaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...models.errors import InputError
from ..recipe import Recipe, load_recipe
from ..run import difference, recipe_file

log = logging.getLogger("saccade")


def recipes_in_agreement(runs: Sequence[Path], of_one_start: bool) -> list[Recipe]:
    """The recipes of runs that answer the same question about the same input.

    Args:
        runs: their folders.
        of_one_start: whether they must have one architecture and one start too, so that their weights can be averaged
            (Wortsman et al. 2022: trainings that begin at the same pretrained weights end in one basin).

    Raises:
        InputError: no run, one that is named twice, or the first that differs, and in what.
    """
    for number, run in enumerate(runs):
        if run.resolve() in [each.resolve() for each in runs[:number]]:
            raise InputError(f"{run}: named twice; every run counts once")
    recipes = [load_recipe(recipe_file(run)) for run in runs]
    first = recipes[0]
    if of_one_start and first.model.weights == "none":
        raise InputError(
            f"{runs[0]}: model.weights is none, and weights are averaged only of runs of one start "
            "(imagenet, a file, a run); take --average probabilities"
        )
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        _agree(run, recipe, runs[0], first)
        if of_one_start and recipe.model != first.model:
            told = _told("model", recipe.model, runs[0], first.model)
            raise InputError(f"{run}: {told}: weights are averaged only of runs of one model and one start")
    return recipes


def _agree(run: Path, recipe: Recipe, first_run: Path, first: Recipe) -> None:
    if recipe.task_class is not first.task_class:
        raise InputError(f"{run}: its task is {recipe.task}, that of {first_run} is {first.task}: no common answer")
    if recipe.input != first.input:
        told = _told("input", recipe.input, first_run, first.input)
        raise InputError(f"{run}: {told}: all runs of an ensemble see the same input")
    asked, asked_first = (_truth(each) for each in (recipe, first))
    if asked != asked_first:
        raise InputError(f"{run}: it answers for {asked}, {first_run} for {asked_first}: no common answer")
    if recipe.data != first.data:
        log.warning(
            "%s: %s: what one run held out, another may have been trained on, so that figures come out too good",
            run,
            _told("data", recipe.data, first_run, first.data),
        )


def _truth(recipe: Recipe) -> str:
    return ", ".join(recipe.task_class((), recipe.model, recipe.input).truth)


def _told(section: str, here: Any, first_run: Path, there: Any) -> str:
    """The first key in which a section differs from the first run's."""
    mine, theirs = ({section: each.model_dump(mode="json")} for each in (here, there))
    key, value, other = difference(mine, theirs)
    return f"{key} is {value!r}, in {first_run} {other!r}"
