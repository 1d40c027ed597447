"""Masks as run lengths, the way COCO writes them: columns from the left, each from above, 0 and 1 in turn, 0 first.

Read by hand: pycocotools does not check them, and given too few returns memory that nobody wrote to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....models.errors import InputError

MAX_COORDINATE = 100_000
"""Pixels: coordinates beyond are no place in or near an image, and pycocotools crashes on very large ones."""


def run_lengths(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Any form of a COCO `segmentation` as run lengths.

    pycocotools draws polygons.

    Args:
        segmentation: polygons `[[x1, y1, x2, y2, ...], ...]` in pixels, or `{"size": [height, width], "counts": ...}`
            with a list (uncompressed) or a text (compressed).
        height: of the image, in pixels.
        width: likewise.

    Returns:
        int64 `[n]` that sum up to height x width.

    Raises:
        InputError: a segmentation that is none or belongs to another size, in a phrase.
    """
    if isinstance(segmentation, list):
        return _of_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise InputError("neither polygons nor run lengths with 'size' and 'counts'")
    if segmentation["size"] != [height, width]:
        raise InputError(f"run lengths of {_size(segmentation['size'])}, and the image is {height} x {width}")
    counts = segmentation["counts"]
    if isinstance(counts, str):
        lengths = _of_text(counts)
    elif isinstance(counts, list) and all(type(each) is int and abs(each) < 2**32 for each in counts):
        lengths = np.array(counts, np.int64)
    else:
        raise InputError("run lengths that are neither whole numbers nor a compressed text")
    if (lengths < 0).any() or lengths.sum() != height * width:
        wrong = "some are negative" if (lengths < 0).any() else f"they sum up to {lengths.sum()}"
        raise InputError(f"run lengths that do not fill the {height} x {width} pixels: {wrong}")
    return lengths


def covered(lengths: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask itself, bool `[height, width]`."""
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def _of_polygons(polygons: list[Any], height: int, width: int) -> np.ndarray:
    from pycocotools import mask as coco_mask

    for polygon in polygons:
        if not isinstance(polygon, list) or not all(type(each) in (int, float) for each in polygon):
            raise InputError("a polygon that is no list of numbers")
        if len(polygon) % 2:
            raise InputError(f"a polygon of {len(polygon)} numbers, which are no pairs of x and y")
        if len(polygon) < 6:
            raise InputError(f"a polygon of {len(polygon) // 2} points; it takes three or more")
        far = [each for each in polygon if not abs(each) <= MAX_COORDINATE]  # so that nan is far, too
        if far:
            raise InputError(f"a polygon with the coordinate {far[0]:g}, in an image of {height} x {width}")
    drawn = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    return _of_text(drawn["counts"].decode())


def _of_text(text: str) -> np.ndarray:
    """Run lengths from the compressed form (rleFrString in cocoapi's maskApi.c).

    A number is groups of five bits, the lowest first, each a character from "0" on; the sixth bit says that another
    follows, the fifth of the last is the sign. From the fourth number on they are differences to the last but one.
    """
    if not text:
        return np.zeros(0, np.int64)
    codes = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - 48
    if ((codes < 0) | (codes > 63)).any() or codes[-1] & 32:
        raise InputError("compressed run lengths that are broken")
    last = codes & 32 == 0
    ends = np.flatnonzero(last) + 1
    begins = np.concatenate([[0], ends[:-1]])
    if (ends - begins > 7).any():  # more than 32 bits
        raise InputError("compressed run lengths that are broken")
    place = np.arange(len(codes)) - np.repeat(begins, ends - begins)
    shifted = (codes & 31) << (5 * place)
    numbers = np.add.reduceat(shifted, begins)
    negative = codes[ends - 1] & 16 != 0
    numbers -= np.where(negative, 1 << (5 * (ends - begins)), 0)
    lengths = numbers.copy()
    lengths[1::2] = np.cumsum(numbers[1::2])
    lengths[2::2] = np.cumsum(numbers[2::2])
    return lengths


def _size(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else repr(value)
