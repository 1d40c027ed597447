"""What a sample must look like before it is augmented, and what of it moves along."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import AugmentError

IGNORE = 255  # the mask value of a pixel without truth


@dataclass(frozen=True)
class Moving:
    """The part of a sample that a transform may change.

    Attributes:
        image: uint8 `[height, width, 3]`.
        mask: integer `[height, width]`, or None.
        boxes: `[n, 4]` x_min, y_min, x_max, y_max in pixels, or None.
        classes: `[n]`; zeros where the sample has none. None without boxes.
    """

    image: np.ndarray
    mask: np.ndarray | None
    boxes: np.ndarray | None
    classes: np.ndarray | None


def moving_part(sample: Mapping[str, np.ndarray]) -> Moving:
    """Takes the part that moves out of a sample.

    Raises:
        AugmentError: a missing picture, a wrong dtype or shape, a mask of another size, boxes and classes of
            different number.
    """
    if "image" not in sample:
        raise AugmentError(f"the sample has no 'image', only {', '.join(sorted(sample)) or 'nothing'}")
    image, mask, boxes, classes = (sample.get(key) for key in ("image", "mask", "boxes", "classes"))
    if not is_picture(image):
        raise AugmentError(f"'image' must be uint8 [height, width, 3], got {shown(image)}")
    if mask is not None:
        _check_mask(mask, image)
    if boxes is None:
        return Moving(image, mask, None, None)
    if not isinstance(boxes, np.ndarray) or boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind != "f":
        raise AugmentError(f"'boxes' must be float32 [n, 4], got {shown(boxes)}")
    if not np.isfinite(boxes).all():
        raise AugmentError("'boxes' has a coordinate that is not a finite number")
    if classes is None:
        classes = np.zeros(len(boxes), np.int32)
    if not isinstance(classes, np.ndarray) or classes.shape != (len(boxes),):
        raise AugmentError(f"'classes' must be int32 [n], one for each of {len(boxes)} boxes, got {shown(classes)}")
    return Moving(image, mask, boxes, classes)


def is_picture(value: object) -> bool:
    """Whether this is a uint8 `[height, width, 3]` array with at least one pixel."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] == 3
        and value.size > 0
    )


def _check_mask(mask: object, image: np.ndarray) -> None:
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype.kind not in "iu":
        raise AugmentError(f"'mask' must be integer [height, width], got {shown(mask)}")
    if mask.shape != image.shape[:2]:
        raise AugmentError(f"'mask' is {shown(mask)}, its 'image' is {shown(image)}")
    if np.iinfo(mask.dtype).max < IGNORE:
        raise AugmentError(f"'mask' is {mask.dtype}, which cannot hold the ignore value {IGNORE}")


def shown(value: object) -> str:
    """What a value is, for messages: `uint8 [48, 64, 3]`."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
