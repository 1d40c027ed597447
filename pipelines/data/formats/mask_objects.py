"""From object numbers to classes that a network can learn."""

import numpy as np

from ....models.errors import InputError

CLASSES = {
    "foreground": ["background", "foreground"],
    "separated": ["background", "foreground"],
    "boundary": ["background", "interior", "boundary"],
}
"""The classes of each way, in the order of their ids."""

_MOST = 65535


def object_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers as uint16 `[h, w]`.

    Raises:
        InputError: negative, or more than 16 bits hold.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < 0 or high > _MOST:
        raise InputError(f"object number {low if low < 0 else high}: they lie between 0 and {_MOST}")
    return values.astype(np.uint16)


def classes_of(objects: np.ndarray, way: str) -> np.ndarray:
    """Class ids, uint8 `[h, w]`, of object numbers uint16 `[h, w]`, where 0 is none.

    Pixels touch at their corners, too; the picture's edge is no boundary.

    Args:
        objects: the numbers.
        way: `foreground`, all objects alike; `separated`, where of two that touch the one of the higher number loses
            its outermost pixels to the background (Ronneberger et al. 2015, section 3, and figure 3); `boundary`,
            where each object's outermost pixels are a class of their own.
    """
    import cv2

    inside, around = objects > 0, np.ones((3, 3), np.uint8)
    if way == "foreground":
        return inside.astype(np.uint8)
    if way == "separated":
        smallest = cv2.erode(np.where(inside, objects, _MOST).astype(np.uint16), around)
        return (inside & (smallest == objects)).astype(np.uint8)
    outermost = (cv2.erode(objects, around) != objects) | (cv2.dilate(objects, around) != objects)
    return inside.astype(np.uint8) + (inside & outermost)
