"""Pictures whose pixels are numbers: class ids, objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....models.errors import InputError
from ....models.inputs.image.options import IGNORE
from .mask_image import read_mask

BACKGROUND = "background"
"""What class 0 of a mask is called where nothing else is said."""


def read_pixels(data: bytes) -> np.ndarray:
    """The numbers in an encoded picture: grey values as they are, of a palette picture the indices and not the colours.

    Args:
        data: PNG, or another format that loses nothing.

    Returns:
        uint8, or int32 where the format has more bits; `[height, width]`.

    Raises:
        InputError: no picture, one of colours, or one that compression has changed; in a phrase.
    """
    try:
        image = read_mask(data)
    except InputError as error:
        raise InputError(f"a mask that cannot be used: {error}") from None
    if image.kind == "colors":
        raise InputError(
            "a mask of colours, not of class ids as a palette or grey picture: data.source=masks takes data.colors"
        )
    return image.values


def class_ids(pixels: np.ndarray, values: Sequence[int], name: str = "mask") -> np.ndarray:
    """Class ids from what the pixels hold.

    Args:
        pixels: whole numbers of any shape.
        values: the number of each class, in the order of the classes; what is `IGNORE` elsewhere does not count.
        name: what the mask is called in messages.

    Returns:
        uint8 of the same shape.

    Raises:
        InputError: other numbers, in a phrase.
    """
    table = {IGNORE: IGNORE} | {value: class_id for class_id, value in enumerate(values)}
    found = np.unique(pixels)
    strange = [value for value in found.tolist() if value not in table]
    if strange:
        raise InputError(
            f"{name} with the values {listed(strange)}, and those of the classes are {listed(values)} ({IGNORE} does "
            "not count)"
        )
    return np.array([table[value] for value in found.tolist()], np.uint8)[np.searchsorted(found, pixels)]


def listed(values: Sequence[int]) -> str:
    """Numbers in one line: a range where they follow each other, not more than twelve otherwise."""
    values = list(values)
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values[:12])) + (", ..." if len(values) > 12 else "")
