"""Where a crop goes that favours rare classes."""

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
