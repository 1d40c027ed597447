"""Where crops go that look at what is in the image: at its classes, at its boxes."""

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


MIN_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""What a crop must overlap each box by that it keeps, drawn anew for each image (Liu et al. 2016, section 2.2, "Data
augmentation"); 0 is any. The whole image is one more choice."""
TRIALS = 50
"""Crops tried for one overlap, as in the authors' own code, before another is drawn."""


def crop_by_overlap(
    boxes: np.ndarray, size: tuple[int, int], generator: np.random.Generator, smallest: float = 0.3
) -> tuple[int, int, int, int]:
    """The random crop of SSD: the whole image, or a part that overlaps at least one box by a drawn amount.

    Sides are drawn between `smallest` and 1 of the image's, aspect ratios between 1/2 and 2. (The paper says 0.1 to 1
    of the size; the authors' code has sides of 0.3 to 1.)

    Args:
        boxes: `[n, 4]`, x_min, y_min, x_max, y_max in pixels; without any the image stays whole.
        size: height and width of the image.
        generator: decides everything that is random.
        smallest: see above.

    Returns:
        x_min, y_min, x_max, y_max of the crop, in whole pixels.
    """
    height, width = size
    if not len(boxes):
        return 0, 0, width, height
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    for _ in range(4):
        choice = int(generator.integers(len(MIN_OVERLAPS) + 1))
        if choice == len(MIN_OVERLAPS):
            break
        for _ in range(TRIALS):
            down, across = (max(1, int(side * generator.uniform(smallest, 1))) for side in size)
            if not 0.5 <= down / across <= 2:
                continue
            top, left = int(generator.integers(height - down + 1)), int(generator.integers(width - across + 1))
            crop = np.array([left, top, left + across, top + down])
            kept = ((centres >= crop[:2]) & (centres < crop[2:])).all(axis=1)
            if kept.any() and _overlaps(boxes, crop).max() >= MIN_OVERLAPS[choice]:
                return tuple(crop.tolist())
    return 0, 0, width, height


def _overlaps(boxes: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """Intersection over union of each box with the crop."""
    low, high = np.maximum(boxes[:, :2], crop[:2]), np.minimum(boxes[:, 2:], crop[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return shared / ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (crop[2:] - crop[:2]).prod() - shared)
