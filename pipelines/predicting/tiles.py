"""Large images in overlapping tiles: memory for the image, its results, and one row of tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...models.contract import Raw, Tile
from ...models.errors import InputError
from ...models.inputs.image import ImageOptions
from ...models.inputs.reasons import answer_calls
from ...models.predictor import Predictor
from ..progress import bar
from .answers import Answer
from .tile_layout import Side, Tiles, lay

_MAX_PIXELS = 2**20  # in one call of the graph: small tiles go together, large ones alone


class Tiler:
    """Predicts an image of any size tile by tile, by a task that can merge the results of tiles.

    Args:
        predictor: whose network sees images in their own size (`input.fit: pad`).
        tiles: how images are cut.

    Raises:
        InputError: another fit, a task that cannot merge, or tiles that do not go with the stride.
    """

    def __init__(self, predictor: Predictor, tiles: Tiles):
        if not predictor.task.tile_results:
            raise InputError(f"{type(predictor.task).__name__} cannot merge results of tiles: predict without tiles")
        if predictor.task.input.prepare_version:
            raise InputError(f"{type(predictor.task.input).__name__} prepares whole images: predict without tiles")
        options = predictor.task.input_options
        fit = options.fit if isinstance(options, ImageOptions) else None
        if fit != "pad":
            raise InputError(
                f"tiles need a network that sees images in their own size, and input.fit is {fit}, which resizes "
                "them: predict without tiles, or train with input.fit: pad"
            )
        tiles.check(options.stride)
        self._predictor, self._tiles, self._options = predictor, tiles, options

    def __call__(self, image: np.ndarray, name: str = "tiles") -> dict[str, np.ndarray]:
        """Results of one upright image, uint8 `[height, width, 3]`, as `Predictor.predict` gives them."""
        height, width = image.shape[:2]
        down, across = (lay(pixels, self._tiles, self._options.stride) for pixels in (height, width))
        with bar(name, "tiles", len(down.starts) * len(across.starts)) as progress:
            tiles = self._seen(image, down, across, progress.update)
            return self._predictor.task.merge_tiles(tiles, (height, width), self._predictor.settings)

    def _seen(self, image: np.ndarray, down: Side, across: Side, advance: Callable[[int], Any]) -> Iterator[Tile]:
        """The tiles with their results, from the top to the bottom."""
        together = max(1, _MAX_PIXELS // (down.length * across.length))
        for top, rows in zip(down.starts, down.weights, strict=True):
            for first in range(0, len(across.starts), together):
                lefts = across.starts[first : first + together]
                images = np.stack([self._cut(image, top, left, down, across) for left in lefts])
                found = self._predictor(self._predictor.task.tile_results, images=images)
                values = {name: np.asarray(memoryview(value)) for name, value in found.items()}
                for place, left in enumerate(lefts):
                    each = {name: value[place] for name, value in values.items()}
                    yield Tile(each, top, left, rows, across.weights[first + place])
                advance(len(images))

    def _cut(self, image: np.ndarray, top: int, left: int, down: Side, across: Side) -> np.ndarray:
        """One tile; beyond the image's right and bottom, by less than a stride, it is filled as the input does it."""
        part = image[top : top + down.length, left : left + across.length]
        if part.shape[:2] == (down.length, across.length):
            return part
        tile = np.full((down.length, across.length, 3), self._options.fill, np.uint8)
        tile[: part.shape[0], : part.shape[1]] = part
        return tile


def tiled_answers(
    predictor: Predictor, items: Iterable[Any], read: Callable[[Any], Raw], tiles: Tiles
) -> Iterator[Answer]:
    """As `answers`, each image by itself and in tiles; raises as `Tiler`, before the first answer is asked for."""
    tiler = Tiler(predictor, tiles)

    def answer(item: Any) -> Answer:
        try:
            raw = read(item)
        except OSError as error:
            return Answer(item, reason=error.strerror or str(error))
        source = predictor.task.input

        def tiled(_: list[int]) -> dict[str, np.ndarray]:
            return tiler(source.show(raw), str(item))

        try:
            ((_, found),) = answer_calls([[0]], tiled, lambda _, error: source.reason(error, raw))
        except InputError as error:
            found = str(error)
        return Answer(item, reason=found) if isinstance(found, str) else Answer(item, found, raw=lambda: raw)

    return map(answer, items)
