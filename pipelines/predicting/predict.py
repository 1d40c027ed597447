"""The prediction job: image files through the Predictor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ...models.contract import Raw, Task
from ...models.errors import InputError
from ...models.files import refuse_file, saving, whole_file
from ...models.inputs.own_output import note
from ...models.predictor import Predictor
from ..progress import bar
from .answers import Answer, answers
from .start import result_name
from .tile_layout import Tiles
from .tiles import tiled_answers


def predict(
    predictor: Predictor,
    samples: Sequence[tuple[str, Callable[[], Raw]]],
    batch: int = 32,
    draw: Path | None = None,
    save: Path | None = None,
    tiles: Tiles | None = None,
) -> Iterator[Answer]:
    """Answers for image files, in order; a file that cannot be read has a reason instead of results.

    What is not possible is told at once; an image's files are complete when its answer comes.

    Args:
        predictor: the Predictor of a run.
        samples: a name for each, and what reads its raw values.
        batch: samples in one call of the graph.
        draw: a folder for images with their results drawn on them.
        save: a folder for the files that the task makes of results.
        tiles: to see each image in tiles.

    Raises:
        InputError: tiles that do not go with the Predictor, a task that makes no files, a folder that cannot be made.
    """
    if save is not None and type(predictor.task).files is Task.files:
        raise InputError(f"{type(predictor.task).__name__} makes no files: its lines say everything; leave 'save' out")
    for folder in filter(None, (draw, save)):
        with saving(folder):
            is_new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
        if is_new:  # in the images' folder or beside it, what is drawn is none of them the next time
            note(folder, {os.path.join(os.path.dirname(each), up) for each, _ in samples for up in (".", "..")})

    readers = dict(enumerate(read for _, read in samples))

    def read(number: int) -> Raw:
        return readers[number]()

    found = tiled_answers(predictor, readers, read, tiles) if tiles else answers(predictor, readers, read, batch)
    named = (replace(answer, item=samples[answer.item][0]) for answer in found)
    return _written(predictor.task, named, len(samples), draw, save, shown=tiles is None or len(samples) > 1)


def _written(
    task: Task, found: Iterator[Answer], count: int, draw: Path | None, save: Path | None, shown: bool
) -> Iterator[Answer]:
    """The answers, each after what is to be written of it."""
    for number, answer in enumerate(bar("predict", "images", count, found, shown=shown)):
        name = result_name(number, answer.item)
        if answer.results is not None and save is not None:
            answer = _saved(task, answer, save / name)
        if answer.results is not None and draw is not None:
            answer = _drawn(task, answer, draw / f"{name}.png")
        yield answer


def _drawn(task: Task, answer: Answer, file: Path) -> Answer:
    """Writes the image that a person looks at, with the results."""
    drawn = Image.fromarray(task.draw(task.input.show(answer.raw()), answer.results))
    refuse_file(file)
    with saving(file.parent), whole_file(file) as partial:
        drawn.save(partial, "PNG")
    return answer


def _saved(task: Task, answer: Answer, begin: Path) -> Answer:
    """Writes what the task makes of the results to files whose names begin alike."""
    try:
        contents = task.files(answer.results)
    except InputError as error:
        return Answer(answer.item, reason=str(error))
    paths = [begin.with_name(begin.name + ending) for ending in contents]
    with saving(begin.parent):
        for path, content in zip(paths, contents.values(), strict=True):
            refuse_file(path)
            with whole_file(path, lasting=False) as partial:
                partial.write_bytes(content)
    return replace(answer, files=tuple(map(str, paths)))
