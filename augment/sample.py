"""What a sample must look like before it is augmented, and what of it moves along."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .errors import AugmentError

IGNORE = 255  # the mask value of a pixel without truth


@dataclass(frozen=True)
class Moving:
    """The part of a sample that a transform may change.

    Attributes:
        image: uint8 `[height, width, 3]`.
        masks: name to integers `[height, width]`; transforms that look at a mask look at the first.
        boxes: `[n, 4]` x_min, y_min, x_max, y_max in pixels, or None.
        fields: name to `[n, ...]`, a value for each box; the first of whole numbers is the class for transforms that
            ask for one.
    """

    image: np.ndarray
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    boxes: np.ndarray | None = None
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def labels(self) -> np.ndarray:
        """What stands for the class of each box, `[n]`; zeros where the sample has none."""
        whole = (each for each in self.fields.values() if each.ndim == 1 and each.dtype.kind in "iu")
        return next(whole, np.zeros(0 if self.boxes is None else len(self.boxes), np.int32))


class Moves:
    """Which named values of a sample move with its image, and how.

    Args:
        kinds: name to "mask", "boxes" or "box_field"; the boxes are of one name.

    Raises:
        AugmentError: boxes of two names, or values for boxes and no boxes.
    """

    def __init__(self, kinds: Mapping[str, str]):
        self.kinds = dict(kinds)
        self.masks = [name for name, kind in kinds.items() if kind == "mask"]
        boxes = [name for name, kind in kinds.items() if kind == "boxes"]
        self.fields = [name for name, kind in kinds.items() if kind == "box_field"]
        if len(boxes) > 1 or (self.fields and not boxes):
            raise AugmentError(f"{', '.join(boxes or self.fields)}: one value holds the boxes that others belong to")
        self.boxes = boxes[0] if boxes else None

    def take(self, sample: Mapping[str, np.ndarray]) -> Moving:
        """Takes the part that moves out of a sample.

        Raises:
            AugmentError: a missing image, a wrong dtype or shape, a mask of another size, boxes and what belongs to
                them of different number.
        """
        if "image" not in sample:
            raise AugmentError(f"the sample has no 'image', only {', '.join(sorted(sample)) or 'nothing'}")
        image = sample["image"]
        if not is_image(image):
            raise AugmentError(f"'image' must be uint8 [height, width, 3], got {shown(image)}")
        masks = {name: sample[name] for name in self.masks if name in sample}
        for name, mask in masks.items():
            _check_mask(name, mask, image)
        if self.boxes is None or self.boxes not in sample:
            return Moving(image, masks)
        boxes = sample[self.boxes]
        if not isinstance(boxes, np.ndarray) or boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind != "f":
            raise AugmentError(f"'{self.boxes}' must be float32 [n, 4], got {shown(boxes)}")
        if not np.isfinite(boxes).all():
            raise AugmentError(f"'{self.boxes}' has a coordinate that is not a finite number")
        fields = {name: sample[name] for name in self.fields if name in sample}
        for name, value in fields.items():
            if not isinstance(value, np.ndarray) or value.ndim < 1 or len(value) != len(boxes):
                raise AugmentError(f"'{name}' must be [n, ...], one for each of {len(boxes)} boxes, got {shown(value)}")
        return Moving(image, masks, boxes, fields)

    def put(self, sample: Mapping[str, np.ndarray], moved: Moving) -> dict[str, np.ndarray]:
        """A sample with what moved in the place of what was there."""
        boxes = {} if moved.boxes is None else {self.boxes: moved.boxes}
        return {**sample, "image": moved.image, **moved.masks, **boxes, **moved.fields}


def is_image(value: object) -> bool:
    """Whether this is a uint8 `[height, width, 3]` array with at least one pixel."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] == 3
        and value.size > 0
    )


def _check_mask(name: str, mask: object, image: np.ndarray) -> None:
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype.kind not in "iu":
        raise AugmentError(f"'{name}' must be integer [height, width], got {shown(mask)}")
    if mask.shape != image.shape[:2]:
        raise AugmentError(f"'{name}' is {shown(mask)}, its 'image' is {shown(image)}")
    if np.iinfo(mask.dtype).max < IGNORE:
        raise AugmentError(f"'{name}' is {mask.dtype}, which cannot hold the ignore value {IGNORE}")


def shown(value: object) -> str:
    """What a value is, for messages: `uint8 [48, 64, 3]`."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
