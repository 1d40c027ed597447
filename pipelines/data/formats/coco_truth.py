"""What the annotations of a COCO picture mean: a class and an object for every pixel, boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....models.errors import InputError
from ....models.inputs.image.options import IGNORE
from .coco_file import Annotation
from .run_lengths import covered, run_lengths


def paint(annotations: Sequence[Annotation], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Objects on the background 0, the smaller over the larger, so that a cup on a table is seen; of two as large the
    later one. Crowd regions lie below all objects and do not count.

    COCO does not say what lies in front: its panoptic truth was made with overlaps settled by hand, and torchvision's
    reference (references/segmentation/coco_utils.py) gives up the pixels that two objects share.

    Args:
        annotations: of one picture.
        height: of the picture, in pixels.
        width: likewise.

    Returns:
        mask: uint8 `[height, width]`, class ids, 255 for crowds.
        instances: uint16 `[height, width]`, an object's place among the annotations from 1, 0 for background, crowds.

    Raises:
        InputError: a segmentation that cannot be drawn, in a phrase.
    """
    mask = np.zeros((height, width), np.uint8)
    instances = np.zeros((height, width), np.uint16)
    drawn = []
    for number, each in enumerate(annotations, 1):
        if each.segmentation is None:
            raise InputError(f"annotation {each.id} has no segmentation")
        try:
            lengths = run_lengths(each.segmentation, height, width)
        except InputError as error:
            raise InputError(f"annotation {each.id}: {error}") from None
        drawn.append((not each.is_crowd, -lengths[1::2].sum(), number, each, lengths))
    for _, _, number, each, lengths in sorted(drawn, key=lambda one: one[:3]):
        place = covered(lengths, height, width)
        mask[place] = IGNORE if each.is_crowd else each.class_id
        instances[place] = number if each.class_id and not each.is_crowd else 0
    return mask, instances


def boxes(annotations: Sequence[Annotation]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of all objects but crowds.

    Returns:
        boxes: float32 `[n, 4]`, x_min, y_min, x_max, y_max in pixels.
        classes: int32 `[n]`.

    Raises:
        InputError: an annotation without a box of four numbers, in a phrase.
    """
    corners, classes = [], []
    for each in annotations:
        box = each.bbox
        if not isinstance(box, list) or len(box) != 4 or not all(type(value) in (int, float) for value in box):
            raise InputError(f"annotation {each.id}: its bbox is {box!r}, not [x, y, width, height]")
        if not each.is_crowd:
            x, y, width, height = box
            corners.append((x, y, x + width, y + height))
            classes.append(each.class_id)
    return np.array(corners, np.float32).reshape(-1, 4), np.array(classes, np.int32)
