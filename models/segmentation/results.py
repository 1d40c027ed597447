"""From logits to named results, as graph operations that run in TF Serving, too."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from ..contract import Tile
from ..inputs.image import ImageInput
from ..inputs.image.geometry import IGNORE, inside_of

_ROWS = 64  # of a large image that are decided at a time


def segmented(
    logits: tf.Tensor, geometry: dict[str, tf.Tensor], image_input: ImageInput, threshold: float | None
) -> dict[str, tf.Tensor]:
    """Masks in the pixels of the originals.

    Args:
        logits: float `[n, height, width, classes]`, of the model's input.
        geometry: of the batch.
        image_input: what it came from.
        threshold: with two classes, the probability from which on a pixel belongs to the second; None takes the
            likeliest class.

    Returns:
        mask: uint8 `[n, H, W]`, class ids, where H and W are the largest of the batch: each image lies in the upper
            left corner, and what is beside it is 255.
        size: int32 `[n, 2]`, height and width of each image.
        mask_png_bytes: string `[n]`, each mask at its own size as a grey PNG of class ids.
        probabilities: float32 `[n, H, W, classes]`, 0 beside an image.
    """
    probabilities = image_input.maps_to_original(to_probabilities(logits), geometry)
    mask = tf.cast(tf.where(inside_of(geometry), to_ids(probabilities, threshold), IGNORE), tf.uint8)
    return {
        "mask": mask,
        "size": geometry["size"],
        "mask_png_bytes": tf.map_fn(_png, (mask, geometry["size"]), fn_output_signature=tf.string),
        "probabilities": probabilities,
    }


def merged_tiles(tiles: Iterator[Tile], size: tuple[int, int], threshold: float | None) -> dict[str, np.ndarray]:
    """The mask of one image that was seen in tiles, in memory for the mask and one row of tiles.

    Args:
        tiles: with `probabilities`, from the top to the bottom.
        size: height and width of the image.
        threshold: as for `segmented`.

    Returns:
        mask: uint8 `[height, width]`.
        size: int32 `[2]`.
    """
    mask, top = np.empty(size, np.uint8), 0
    for strip in _blended(tiles, size):
        mask[top : top + len(strip)] = to_ids(tf.constant(strip), threshold).numpy()
        top += len(strip)
    return {"mask": mask, "size": np.array(size, np.int32)}


def _blended(tiles: Iterator[Tile], size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Weighted sums of the tiles' probabilities, some rows at a time; each is valid until the next."""
    height, width = size
    row, top = None, 0  # of tiles, float32 [tile height, width and beyond, classes]

    def finished(done: int) -> Iterator[np.ndarray]:
        for at in range(0, done, _ROWS):
            yield row[at : min(at + _ROWS, done), :width]
        row[: len(row) - done] = row[done:]
        row[len(row) - done :] = 0

    for tile in tiles:
        values = tile.results["probabilities"]
        if row is None:
            row = np.zeros((len(tile.rows), width + len(tile.columns), values.shape[-1]), np.float32)
        if tile.top > top:  # no further tile reaches what is above
            yield from finished(tile.top - top)
            top = tile.top
        weights = (tile.rows[: len(values), np.newaxis] * tile.columns[: values.shape[1]])[..., np.newaxis]
        row[: len(values), tile.left : tile.left + values.shape[1]] += values * weights
    yield from finished(height - top)


def to_probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Softmax over the last axis, in float32 whatever the network computes in."""
    return tf.nn.softmax(tf.cast(logits, tf.float32))


def to_ids(probabilities: tf.Tensor, threshold: float | None) -> tf.Tensor:
    """Class ids int32 `[...]` of probabilities `[..., classes]`; the threshold is that of `segmented`."""
    if threshold is None:
        return tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    return tf.cast(probabilities[..., 1] >= threshold, tf.int32)


def _png(mask_and_size: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    mask, size = mask_and_size
    return tf.io.encode_png(mask[: size[0], : size[1], tf.newaxis])
