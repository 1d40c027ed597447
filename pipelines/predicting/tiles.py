"""Large pictures in overlapping tiles: memory for the picture, its results, and one row of tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ...models.errors import InputError
from ...models.image_errors import answer_calls
from ...models.image_options import ImageOptions
from ...models.per_pixel import PerPixel
from ...models.predictor import Predictor
from ..progress import bar
from .answers import Answer
from .tile_layout import Side, Tiles, lay

_PIXELS = 2**20  # in one call of the graph: small tiles go together, large ones alone
_ROWS = 64  # of the picture that the task is given at a time


class Tiler:
    """Predicts a picture of any size tile by tile, by a task that can blend its answers (`PerPixel`).

    Args:
        predictor: whose network sees pictures in their own size (`input.fit: pad`).
        tiles: how pictures are cut.

    Raises:
        InputError: another fit, a task without an answer for each pixel, or tiles that do not go with the stride.
    """

    def __init__(self, predictor: Predictor, tiles: Tiles):
        if not isinstance(predictor.task, PerPixel):
            raise InputError(f"{type(predictor.task).__name__} has no answer for each pixel: predict without tiles")
        options = predictor.task.input_options
        fit = options.fit if isinstance(options, ImageOptions) else None
        if fit != "pad":
            raise InputError(
                f"tiles need a network that sees pictures in their own size, and input.fit is {fit}, which resizes "
                "them: predict without tiles, or train with input.fit: pad"
            )
        tiles.check(options.stride)
        self._predictor, self._tiles, self._options = predictor, tiles, options
        images = predictor.task.input.tensor_signature["images"]
        weights = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None, None], tf.float32)
        self._graph = tf.function(self._weighted, [images, *weights])

    def __call__(self, picture: np.ndarray, name: str = "tiles") -> dict[str, np.ndarray]:
        """Results of one upright picture, uint8 `[height, width, 3]`, as `Predictor.predict` gives them."""
        height, width = picture.shape[:2]
        down, across = (lay(pixels, self._tiles, self._options.stride) for pixels in (height, width))
        with bar(name, "tiles", len(down.starts) * len(across.starts)) as progress:
            strips = self._strips(picture, down, across, progress.update)
            return self._predictor.task.from_maps(strips, (height, width), self._predictor.settings)

    def _strips(
        self, picture: np.ndarray, down: Side, across: Side, advance: Callable[[int], Any]
    ) -> Iterator[np.ndarray]:
        """The picture's maps from the top to the bottom, some rows at a time; each is valid until the next."""
        height, width = picture.shape[:2]
        together = max(1, _PIXELS // (down.length * across.length))
        row = None  # of tiles, float32 [down.length, across.end, channels]: sums of weighted maps
        for top, weights, end in zip(down.starts, down.weights, [*down.starts[1:], height], strict=True):
            for first in range(0, len(across.starts), together):
                these = slice(first, first + together)
                images = np.stack([self._cut(picture, top, left, down, across) for left in across.starts[these]])
                maps = np.asarray(memoryview(self._graph(images, weights, across.weights[these])))
                if row is None:
                    row = np.zeros((down.length, across.end, maps.shape[-1]), np.float32)
                for left, each in zip(across.starts[these], maps, strict=True):
                    row[:, left : left + across.length] += each
                advance(len(images))
            done = end - top  # rows that no further tile reaches
            for at in range(0, done, _ROWS):
                yield row[at : min(at + _ROWS, done), :width]
            row[: down.length - done] = row[done:]
            row[down.length - done :] = 0

    def _cut(self, picture: np.ndarray, top: int, left: int, down: Side, across: Side) -> np.ndarray:
        """One tile; beyond the picture's right and bottom, by less than a stride, it is filled as the input does it."""
        part = picture[top : top + down.length, left : left + across.length]
        if part.shape[:2] == (down.length, across.length):
            return part
        tile = np.full((down.length, across.length, 3), self._options.fill, np.uint8)
        tile[: part.shape[0], : part.shape[1]] = part
        return tile

    def _weighted(self, images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        """Maps of some tiles of a row, float32 `[n, height, width, channels]`, times what each pixel weighs."""
        tensors, _ = self._predictor.task.input.from_images(images)
        maps = self._predictor.task.maps(self._predictor.model(tensors, training=False))
        return maps * (rows[tf.newaxis, :, tf.newaxis] * columns[:, tf.newaxis, :])[..., tf.newaxis]


def tiled_answers(
    predictor: Predictor, items: Iterable[Any], read: Callable[[Any], bytes], tiles: Tiles
) -> Iterator[Answer]:
    """As `answers`, each picture by itself and in tiles; raises as `Tiler`, before the first answer is asked for."""
    tiler = Tiler(predictor, tiles)

    def answer(item: Any) -> Answer:
        try:
            data = read(item)
        except OSError as error:
            return Answer(item, reason=error.strerror or str(error))

        def tiled(_: list[int]) -> dict[str, np.ndarray]:
            return tiler(np.asarray(memoryview(predictor.task.input.decode(tf.constant(data)))), str(item))

        ((_, found),) = answer_calls([[0]], tiled, [data])
        return Answer(item, reason=found) if isinstance(found, str) else Answer(item, found)

    return map(answer, items)
