"""Whether a mask can belong to a picture."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..inputs.image.options import IGNORE

SHOWN = 8  # values that an error lists


def check_mask(name: str, mask: np.ndarray, size: tuple[int, int], class_names: Sequence[str] | None) -> None:
    """Refuses a mask of another size than its picture, or with values that are no class.

    Args:
        name: what the mask is called, "mask" or "instances".
        mask: integers `[height, width]`.
        size: height and width of the upright picture.
        class_names: those that its values stand for, in the order of the class ids, beside 255 for pixels that do not
            count; None: any value is fine.

    Raises:
        InputError: what is wrong, in a phrase.
    """
    height, width = size
    if mask.shape != (height, width):
        told = f"{name} is {' x '.join(map(str, mask.shape))}, its picture {height} x {width} (height x width)"
        if mask.shape == (width, height):
            told += ": one of them is turned; a picture is taken as its EXIF orientation says, so turn the mask as well"
        raise InputError(told)
    if class_names is None:
        return
    count = len(class_names)
    wrong = mask[((mask < 0) | (mask >= count)) & (mask != IGNORE)]
    if wrong.size:
        ids, pixels = np.unique(wrong, return_counts=True)
        listed = [f"{i} ({_pixels(number)})" for i, number in zip(ids[:SHOWN].tolist(), pixels.tolist(), strict=False)]
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        raise InputError(
            f"{name} has values that are none of its {count} classes, 0 to {count - 1}: {', '.join(listed)}{more}; "
            "give each a class, or make it 255, which does not count"
        )


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"
