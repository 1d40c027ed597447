"""Objects with boxes in TFDS sets, as `voc` and `coco` of its catalogue have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ....models.errors import InputError, nearest
from .boxes import BoxTruth

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

BBOX, CROWD, DIFFICULT, AREA = "bbox", "is_crowd", "is_difficult", "area"
_FIELDS = {"crowd": CROWD, "difficult": DIFFICULT, "area": AREA}
"""Truth to what TFDS calls it; where a set has none, it is 0, the area that of the box."""


def find_objects(set_name: str, named: str | None, label: str | None, features: Mapping[str, Any]) -> tuple[str, str]:
    """The sequence of objects, each with a box in fractions of the image, and the field of it that holds the class.

    Args:
        set_name: for messages.
        named: the feature, None for the only one.
        label: the field, None for the only one, or that called `label`.
        features: of the set.

    Raises:
        InputError: no such feature, none at all, or several to choose from.
    """
    import tensorflow_datasets as tfds

    fields = {name: _fields(each) for name, each in features.items()}
    fitting = [name for name, each in fields.items() if isinstance(each.get(BBOX), tfds.features.BBoxFeature)]
    if named is None and len(fitting) != 1:
        which = (
            f"{', '.join(sorted(fitting))} are each objects with boxes: choose by data.objects"
            if fitting
            else (f"no feature is a sequence of objects with a '{BBOX}', but {', '.join(sorted(features))}")
        )
        raise InputError(f"{which}", where=set_name)
    if named is not None and named not in fitting:
        raise InputError(
            f"{set_name} has no such objects with boxes: {nearest(named, fitting)}",
            where=f"data.objects={named}",
            field="data.objects",
        )
    name = named or fitting[0]
    labels = [key for key, each in fields[name].items() if isinstance(each, tfds.features.ClassLabel)]
    if label is None:
        label = "label" if "label" in labels else labels[0] if len(labels) == 1 else None
    if label not in labels:
        found = ", ".join(sorted(labels)) or "none at all"
        raise InputError(
            f"class labels of '{name}' are {found}: data.label={label} chooses none of them", where=set_name
        )
    box_format = getattr(fields[name][BBOX], "bbox_format", None)
    if box_format is not None and box_format.value != "REL_YXYX":
        raise InputError(
            f"{set_name} keeps boxes as {box_format.value}, and REL_YXYX is read, in fractions of the image",
            where=f"data.objects={name}",
            field="data.objects",
        )
    return name, label


def names_of(feature: tfds.features.FeatureConnector, label: str) -> list[str]:
    """The class names of the objects."""
    return list(_fields(feature)[label].names)


def _fields(feature: Any) -> Mapping[str, Any]:
    """What each entry of a sequence holds, by name; empty where it is no sequence of such."""
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Sequence) or not isinstance(feature.feature, tfds.features.FeaturesDict):
        return {}
    return dict(feature.feature.items())


def read_objects(objects: Mapping[str, np.ndarray], label: str, size: tuple[int, int]) -> BoxTruth:
    """The objects of one example.

    Args:
        objects: field to values, `[n, ...]`; boxes are y_min, x_min, y_max, x_max in fractions of the image.
        label: the field of the classes.
        size: height and width of the upright image in pixels.

    Raises:
        InputError: a box that is no finite number, an object without a class, in a phrase.
    """
    found = BoxTruth(size)
    boxes = np.asarray(objects[BBOX], np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]] * np.array([size[1], size[0]] * 2)
    others = {name: objects[field] for name, field in _FIELDS.items() if field in objects}
    for number, (corners, kind) in enumerate(zip(boxes, np.ravel(objects[label]).tolist(), strict=True)):
        if kind < 0:  # what TFDS stores for an unknown class
            raise InputError(f"object {number} has no class (-1)")
        values = {name: each[number].item() for name, each in others.items()}
        found.add(
            corners,
            kind,
            crowd=bool(values.get("crowd")),
            difficult=bool(values.get("difficult")),
            area=values.get("area"),
            name=f"object {number}",
        )
    return found
