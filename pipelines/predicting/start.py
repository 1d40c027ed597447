"""Prediction as a person asks for it: what can be told before TensorFlow is loaded is told before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.errors import at_least_one
from ..recipe import load_recipe
from ..run import recipe_file
from .tile_layout import as_asked

if TYPE_CHECKING:
    from ...models.contract import Task
    from .answers import Answer


def start(
    run: str | Path,
    places: Sequence[str | Path],
    batch: int,
    draw: str | Path | None,
    save: str | Path | None,
    tile: int | None,
    overlap: int | None,
) -> tuple[Task, Iterator[Answer]]:
    """The run's task, and the answers for picture files, in order; the arguments are those of `saccade.predict`.

    Raises:
        InputError: no pictures, no run, a batch of none, or what is not possible with it.
    """
    at_least_one("batch", batch)
    tiles = as_asked(tile, overlap)
    task = load_recipe(recipe_file(run)).make_task(())
    samples = task.input.find(list(map(str, places)))

    from ...models.predictor import Predictor
    from .predict import predict

    predictor = Predictor.load(run)
    folders = (Path(folder) if folder else None for folder in (draw, save))
    return predictor.task, predict(predictor, samples, batch, *folders, tiles)
