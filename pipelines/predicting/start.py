"""Prediction as a person asks for it: what can be told before TensorFlow is loaded is told before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InputError, at_least_one
from ...models.files import refuse_folder
from ..recipe.recipe import load_recipe
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
    """The run's task, and the answers for image files, in order; the arguments are those of `saccade.predict`.

    Raises:
        InputError: no images, no run, a batch of none, a folder that cannot be written or has results of these
            images from before, or what is not possible with the run.
    """
    at_least_one("batch", batch)
    tiles = as_asked(tile, overlap)
    samples = load_recipe(recipe_file(run)).make_task(()).input.find([_name(place) for place in places])
    targets = [Path(folder) if folder else None for folder in (draw, save)]
    for folder in filter(None, targets):
        refuse_folder(folder)
        refuse_former(folder, [name for name, _ in samples])

    from ...models.predictor import Predictor
    from .predict import predict

    predictor = Predictor.load(run)
    return predictor.task, predict(predictor, samples, batch, *targets, tiles)


def _name(place: Any) -> str:
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    raise InputError("places are names of files; values go to load(run).predict(...)", where=type(place).__name__)


def result_name(number: int, sample: str) -> str:
    """What the names of all files begin with that are made of one sample; the number tells those of one stem apart."""
    return f"{number:05}_{Path(sample).stem[:100]}"


def refuse_former(folder: Path, samples: Sequence[str]) -> None:
    """Refuses a folder that holds results under the names that those of some samples will have.

    Raises:
        InputError: with the first of them.
    """
    begins = {result_name(number, sample) for number, sample in enumerate(samples)}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        if any(name[:at] in begins for at, letter in enumerate(name) if letter == "."):
            raise InputError(
                "exists already, and nothing is overwritten: name another folder, or remove it",
                where=str(folder / name),
            )
