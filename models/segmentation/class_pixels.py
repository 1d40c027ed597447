"""What the training masks hold of each class: whether there is anything but background, and what a class weighs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, nearest
from ..image_geometry import IGNORE
from .options import SegmentationOptions

_IDS = 256  # of a mask, 255 among them
_NAMED = 5  # classes in one message


def refuse_background(class_names: Sequence[str], truths: Sequence[Mapping[str, Any]]) -> None:
    """Refuses training masks that show nothing but background; reads them only until one shows something.

    Args:
        class_names: in the order of the class ids; the first is the background.
        truths: the truth of each training sample.

    Raises:
        InputError: no mask has a pixel of any other class.
    """
    masks = (truths[index]["mask"] for index in range(len(truths)))
    if not any(np.any((mask != 0) & (mask != IGNORE)) for mask in masks):
        raise _only_background(class_names, len(truths))


def class_weights(
    options: SegmentationOptions, class_names: Sequence[str], truths: Sequence[Mapping[str, Any]]
) -> np.ndarray | None:
    """What `model.class_weights` means for the training masks.

    Balanced weights are inverse to how many pixels a class has in all of them, `pixels / (classes * pixels of the
    class)`, as scikit-learn's; pixels that do not count are left out. Weights by name are taken as they are: the losses
    divide by the sum of the weights, so only their ratios matter.

    Args:
        options: the recipe's `model` section.
        class_names: in the order of the class ids; the first is the background.
        truths: the truth of each training sample; only balanced weights read it.

    Returns:
        Float32 `[classes]`; None where all weigh the same.

    Raises:
        InputError: a weight for a class that the data does not have; for balanced weights a class without a pixel,
            or nothing but background.
    """
    given = options.class_weights
    if given == "none":
        return None
    if isinstance(given, dict):
        for name in given:
            if name not in class_names:
                raise InputError(f"model.class_weights: the data has no class '{name}': {nearest(name, class_names)}")
        return np.array([given.get(name, 1.0) for name in class_names], np.float32)
    counts = _count(len(class_names), truths)
    if not counts[1:].any():
        raise _only_background(class_names, len(truths))
    _refuse_absent(class_names, counts)
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def _count(classes: int, truths: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """How many pixels each class has, float64 `[classes]`."""
    counts = np.zeros(_IDS)
    for index in range(len(truths)):
        counts += np.bincount(truths[index]["mask"].ravel(), minlength=_IDS)
    return counts[:classes]


def _refuse_absent(class_names: Sequence[str], counts: np.ndarray) -> None:
    absent = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
    if absent:
        names = "', '".join(absent[:_NAMED])
        more = f" and of {len(absent) - _NAMED} other classes" if len(absent) > _NAMED else ""
        raise InputError(
            f"model.class_weights: no training mask has a pixel of '{names}'{more}, so there is nothing to balance: "
            f"name the weights of others, as {{{class_names[int(counts[1:].argmax()) + 1]}: 2.0}}"
        )


def _only_background(class_names: Sequence[str], masks: int) -> InputError:
    others = "', '".join(class_names[1 : 1 + _NAMED])
    return InputError(
        f"none of the {masks} training masks has a pixel of any class but '{class_names[0]}', so there is nothing to "
        f"learn: look at the masks, and at how the data section reads '{others}' from them"
    )
