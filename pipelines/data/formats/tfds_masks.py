"""What the numbers in the masks of a TFDS set stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from ....models.errors import InputError, advise
from ....models.inputs.image.options import IGNORE
from .mask_pixels import listed
from .tfds_features import Features


def mask_classes(
    features: Features,
    classes: list[str] | None,
    values: list[int] | None,
    first: Sequence[int],
    read: Callable[[int], np.ndarray],
) -> tuple[list[str], Sequence[int]]:
    """The class names, and for each the number that stands for it in masks.

    Args:
        features: of the set.
        classes: the names that the recipe gives, None for those of the set.
        values: the numbers that the recipe gives, None for 0, 1, 2, ...
        first: positions of some samples, enough to tell how a set numbers its classes.
        read: the mask at a position.

    Raises:
        InputError: no names, another count of names or numbers than there are classes, or most masks hold a number
            that is none of the classes'. What few masks hold is for the check of every sample to refuse.
    """
    names, place = classes or features.class_names, f"data.mask={features.mask}"
    if classes and features.class_names and len(classes) != len(features.class_names):
        count = len(features.class_names)
        raise InputError(f"data.classes gives {len(classes)} names, and {place} has {count} classes")
    held = [set(np.unique(mask).tolist()) - {IGNORE} for mask in _readable(first, read)]
    found = sorted(set().union(*held))
    if not names:
        which = "" if found[:1] == [0] else f" {advise('data.values', found)}"
        line = advise("data.classes", [f"class_{number}" for number in found])
        raise InputError(
            f"{place}: the set does not name its classes, and its first masks hold {listed(found)}: say with your "
            f"names, in their order, {line}{which}"
        )
    if values is not None and len(values) != len(names):
        raise InputError(f"data.values gives {len(values)} numbers for {len(names)} classes: {', '.join(names[:12])}")
    numbers = range(len(names)) if values is None else values
    strange = [not each.issubset(numbers) for each in held]
    if sum(strange) * 2 > len(held):
        line = advise("data.values", found) if len(found) == len(names) else "data.values lists them"
        raise InputError(
            f"{place}: its first masks hold {listed(found)}, and the {len(names)} classes are numbered "
            f"{listed(numbers)}: say which number each has, in their order: {line}"
        )
    return list(names), numbers


def _readable(positions: Sequence[int], read: Callable[[int], np.ndarray]) -> list[np.ndarray]:
    masks = []
    for position in positions:
        with suppress(OSError, InputError):  # the check of all samples will name it
            masks.append(read(position))
    return masks
