"""The training job: from a recipe to a run. What can be refused without TensorFlow is refused before it is loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..models.stopping import stoppable
from .recipe.recipe import Recipe
from .run import Run, alone_in

DRY_RUN_SAMPLES = 64


def train(recipe: Recipe) -> Path:
    """Trains a recipe and leaves a run; an unfinished run of the same training is resumed.

    Args:
        recipe: the resolved recipe.

    Returns:
        The folder of the run.

    Raises:
        InputError: the recipe, the data or the folder is not usable.
        JobError: the training failed.
        Interrupted: the user stopped it; everything is saved.
    """
    return _train(recipe, limit=None)


def dry_run(recipe: Recipe, folder: Path) -> Path:
    """The whole of a training job in one epoch on a few samples, before it costs a night.

    The data is checked in full all the same.

    Args:
        recipe: the recipe to try.
        folder: where its run goes.

    Returns:
        The folder of the run.
    """
    once = {"epochs": min(1, recipe.train.epochs)}
    head = recipe.train.head and recipe.train.head.model_copy(update={"epochs": 1})
    options = recipe.train.model_copy(update=once | {"run": str(folder / recipe.name), "head": head})
    return _train(dataclasses.replace(recipe, train=options), limit=DRY_RUN_SAMPLES)


def _train(recipe: Recipe, limit: int | None) -> Path:
    Run.of(recipe)  # what is in the way is told without touching it
    with stoppable(), alone_in(Path(recipe.train.run)):
        run = Run.of(recipe)  # another job may have written to it until now
        source, task = recipe.open()
        run.refuse_other_classes(task.class_names)
        run.refuse_other_prepare(task.Input)

        from .training.job import Training

        return Training(recipe, run, source, task, limit).work()
