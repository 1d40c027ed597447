"""The weights that the U-Net paper gives to the gaps between objects."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from ..inputs.image.geometry import IGNORE

REACH = 4
"""How far a weight reaches, in sigmas: beyond, it is under 4e-4 of its peak, and is left at 0."""

_TOUCHING = np.ones((3, 3), bool)  # sides and corners


def weight_maps(masks: np.ndarray, peak: float, sigma: float, boundary: int | None = None) -> np.ndarray:
    """`weight_map` of each mask of a batch `[n, h, w]`, float32 `[n, h, w]`."""
    maps = np.zeros(masks.shape, np.float32)
    for row, mask in zip(maps, masks, strict=True):
        row[:] = weight_map(mask, peak, sigma, boundary)
    return maps


def weight_map(mask: np.ndarray, peak: float, sigma: float, boundary: int | None = None) -> np.ndarray:
    """How much more a pixel weighs because it lies between objects (Ronneberger et al. 2015, equation 2).

    `peak * exp(-(d1 + d2) ** 2 / (2 * sigma ** 2))`, where d1 and d2 are the distances to the nearest and to the second
    nearest object; within an object d1 is 0. The paper's other term, which balances classes, is `model.class_weights`.

    Args:
        mask: an integer `[h, w]`, class ids, 0 for the background, 255 where a pixel does not count. Objects are the
            pixels of one class that touch, by a side or a corner; what does not count is no object.
        peak: the weight where both distances are 0 (w0 of the paper).
        sigma: in pixels.
        boundary: the class id of pixels that only part objects and are none, where there is one.

    Returns:
        Float32 `[h, w]`, from 0 to `peak`.
    """
    first = np.full(mask.shape, np.inf, np.float32)
    second = first.copy()
    # A pixel with any weight has both objects within reach, so no object needs more than its surroundings.
    for window, beside in _objects(mask, boundary, int(np.ceil(REACH * sigma))):
        distance = ndimage.distance_transform_edt(beside).astype(np.float32)
        nearest, next_nearest = first[window], second[window]  # views
        np.minimum(next_nearest, np.maximum(nearest, distance), out=next_nearest)
        np.minimum(nearest, distance, out=nearest)
    total = first + second
    return np.where(total <= REACH * sigma, peak * np.exp(-(total**2) / (2 * sigma**2)), 0).astype(np.float32)


def _objects(mask: np.ndarray, boundary: int | None, margin: int) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """A window round each object, `margin` pixels wider on all sides, and where in it the object is not."""
    for label in set(np.unique(mask).tolist()) - {0, boundary, IGNORE}:
        numbers, _ = ndimage.label(mask == label, _TOUCHING)
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), start=1):
            window = (
                slice(max(rows.start - margin, 0), rows.stop + margin),
                slice(max(columns.start - margin, 0), columns.stop + margin),
            )
            yield window, numbers[window] != number
