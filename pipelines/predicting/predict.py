"""The prediction job: picture files through the Predictor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from ...models.predictor import Predictor
from ..progress import bar
from ..run import saving
from .answers import Answer, answers


def predict(
    predictor: Predictor, pictures: Sequence[str], batch: int = 32, draw: Path | None = None
) -> Iterator[Answer]:
    """Answers for picture files, in order; a file that cannot be read has a reason instead of results.

    Args:
        predictor: the Predictor of a run.
        pictures: paths.
        batch: pictures in one call of the graph.
        draw: a folder for pictures with their results drawn on them.
    """
    if draw is not None:
        with saving(draw):
            draw.mkdir(parents=True, exist_ok=True)
    found = answers(predictor, pictures, lambda path: Path(path).read_bytes(), batch)
    for number, answer in enumerate(bar("predict", "pictures", len(pictures), found)):
        if draw is not None and answer.results is not None:
            image = predictor.task.input.decode(Path(answer.item).read_bytes()).numpy()
            drawn = predictor.task.draw(image, answer.results)
            Image.fromarray(drawn).save(draw / f"{number:05}_{Path(answer.item).stem}.png")
        yield answer
