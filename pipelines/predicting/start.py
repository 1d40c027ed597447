"""Prediction as a person asks for it: what can be told before TensorFlow is loaded is told before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.errors import at_least_one
from ...models.files import refuse_folder
from ..run import recipe_file
from .picture_files import find_pictures, refuse_former
from .tile_layout import as_asked

if TYPE_CHECKING:
    from ...models.task import Task
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
        InputError: no pictures, no run, a batch of none, a folder that cannot be written or has results of these
            pictures from before, or what is not possible with the run.
    """
    at_least_one("batch", batch)
    tiles = as_asked(tile, overlap)
    pictures = find_pictures(places)
    recipe_file(run)
    targets = [Path(folder) if folder else None for folder in (draw, save)]
    for folder in filter(None, targets):
        refuse_folder(folder)
        refuse_former(folder, pictures)

    from ...models.predictor import Predictor
    from .predict import predict

    predictor = Predictor.load(run)
    return predictor.task, predict(predictor, pictures, batch, *targets, tiles)
