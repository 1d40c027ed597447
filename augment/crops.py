"""Where crops go that look at what is in the image: at its classes, at its boxes."""

from collections.abc import Sequence

import numpy as np

from .sample import IGNORE


def crop_with_class(
    mask: np.ndarray, size: tuple[int, int], background: int | None, generator: np.random.Generator
) -> tuple[int, int]:
    """Chooses a crop in three draws: a class that is there, one of its pixels, a place for the crop that contains it.

    Each is uniform over what there is, so a class of a hundred pixels is found as often as one of a million.

    Args:
        mask: an integer `[height, width]`, no smaller than the crop; 255 is no class.
        size: height and width of the crop.
        background: a class id that is not chosen as long as there are others; None treats all alike.
        generator: decides everything that is random.

    Returns:
        The crop's upper row and left column. Where there is no class to choose, every place is as likely.
    """
    classes = np.unique(mask)
    classes = classes[(classes != IGNORE) & (classes != (IGNORE if background is None else background))]
    if not len(classes):
        return tuple(int(generator.integers(room - side + 1)) for room, side in zip(mask.shape, size, strict=True))
    pixels = np.flatnonzero(mask == generator.choice(classes))
    pixel = np.unravel_index(generator.choice(pixels), mask.shape)
    return tuple(
        int(generator.integers(max(at - side + 1, 0), min(at, room - side) + 1))
        for at, room, side in zip(map(int, pixel), mask.shape, size, strict=True)
    )


MAX_TRIALS = 50
"""Patches that are looked at for one overlap, as in the SSD authors' own code."""


def ssd_patch(
    boxes: np.ndarray,
    size: tuple[int, int],
    min_iou: Sequence[float],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[int, int, int, int]:
    """The random crop of SSD (Liu et al. 2016, section 2.2, "Data augmentation").

    Chooses the whole image, a patch that overlaps an object by one of `min_iou`, or any patch, each as likely.

    A patch keeps the objects whose centre lies in it. Unlike the paper's it keeps at least one, where there is one,
    and the overlap asked for is that of an object it keeps (as in torchvision's RandomIoUCrop): a patch that only
    grazes an object teaches nothing. A choice that finds no patch in `MAX_TRIALS` gives way to the next, so that each
    of those that can be had is as likely.

    Args:
        boxes: `[n, 4]`, x_min, y_min, x_max, y_max in pixels; without any the image stays whole.
        size: height and width of the image.
        min_iou: intersections over union of patch and object to choose from, 0..1.
        scale: the least and the greatest area of a patch, as fractions of the image's. The paper's 0.1 to 1 of the size
            are sides from 0.32 on, and the authors' code has sides from 0.3 on.
        ratio: the least and the greatest width / height of a patch; between them the logarithm is uniform.
        generator: decides everything that is random.

    Returns:
        x_min, y_min, x_max, y_max of the patch in whole pixels.
    """
    whole = (0, 0, size[1], size[0])
    for choice in generator.permutation([-1.0, 0.0, *min_iou]):
        if choice < 0 or not len(boxes):
            return whole
        patches = _patches(size, scale, ratio, generator)
        patches = patches[(centred(boxes, patches) & (_iou(boxes, patches) >= choice)).any(axis=1)]
        if len(patches):
            return tuple(map(int, patches[0]))
    return whole


def centred(boxes: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """Which boxes, `[n, 4]`, have their centre in which patches, `[k, 4]`: bool `[k, n]`."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres >= patches[:, None, :2]) & (centres < patches[:, None, 2:])).all(axis=-1)


def _patches(
    size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], generator: np.random.Generator
) -> np.ndarray:
    """Those of `MAX_TRIALS` random patches that are no larger than the image: whole numbers `[k, 4]`."""
    area = generator.uniform(*scale, MAX_TRIALS) * size[0] * size[1]
    shape = np.exp(generator.uniform(*np.log(ratio), MAX_TRIALS))
    sides = np.maximum(np.round(np.sqrt(np.stack([area * shape, area / shape], axis=1))), 1)  # width, height
    room = np.array(size[::-1]) - sides
    start = np.floor(generator.uniform(size=sides.shape) * (room + 1))
    return np.concatenate([start, start + sides], axis=1)[(room >= 0).all(axis=1)].astype(np.int64)


def _iou(boxes: np.ndarray, patches: np.ndarray) -> np.ndarray:
    low, high = np.maximum(boxes[:, :2], patches[:, None, :2]), np.minimum(boxes[:, 2:], patches[:, None, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=-1) for each in (boxes, patches)]
    return shared / (areas[0] + areas[1][:, None] - shared)
