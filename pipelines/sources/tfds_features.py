"""Which features of a TFDS set are the picture and its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.errors import InputError, nearest

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


@dataclass(frozen=True)
class Features:
    """Names of features; `label` is None where no truth is wanted."""

    image: str
    label: str | None
    class_names: list[str]


def find_features(
    builder: tfds.core.DatasetBuilder, image: str | None, label: str | None, truth: Mapping[str, Any]
) -> Features:
    """The named features, or the only ones of their kind.

    Args:
        builder: of the set.
        image: the feature of the picture, None to find it.
        label: the feature of the class or classes, None to find it.
        truth: `label` for one class a picture, `labels` for any number, empty for none.

    Raises:
        InputError: no such feature, one of another kind, none, or several to choose from.
    """
    import tensorflow_datasets as tfds

    features = dict(builder.info.features.items())
    images = [
        name
        for name, each in features.items()
        # A labeled image holds a class in each pixel.
        if isinstance(each, tfds.features.Image) and not isinstance(each, tfds.features.LabeledImage)
    ]
    image = _choose(builder.info.full_name, "image", "an image", image, images, features)
    if np.issubdtype(features[image].np_dtype, np.floating):
        raise InputError(f"data.image={image}: pictures of floating point numbers have no encoding that can be read")
    if not truth:
        return Features(image, None, [])
    several = "labels" in truth
    class_labels = {name: _class_label(each, several) for name, each in features.items()}
    fitting = [name for name, each in class_labels.items() if each is not None]
    kind = "a sequence of class labels" if several else "a class label"
    label = _choose(builder.info.full_name, "label", kind, label, fitting, features)
    return Features(image, label, list(class_labels[label].names))


def _class_label(feature: Any, several: bool) -> tfds.features.ClassLabel | None:
    """The class label in a feature of the wanted kind, None for another kind."""
    import tensorflow_datasets as tfds

    if several:
        feature = feature.feature if isinstance(feature, tfds.features.Sequence) else None
    return feature if isinstance(feature, tfds.features.ClassLabel) else None


def _choose(
    set_name: str, key: str, kind: str, name: str | None, fitting: list[str], features: Mapping[str, Any]
) -> str:
    """The named feature, or the only fitting one."""
    if name is None and len(fitting) == 1:
        return fitting[0]
    if name is None and fitting:
        raise InputError(f"{set_name}: {_list(fitting)} are each {kind}: choose by data.{key}")
    if name is None:
        kinds = [f"{each} ({type(feature).__name__})" for each, feature in features.items()]
        raise InputError(f"{set_name} has no feature that is {kind}, but {_list(kinds)}")
    if name not in features:
        raise InputError(f"data.{key}={name}: {set_name} has no such feature: {nearest(name, features)}")
    if name not in fitting:
        found = f"which {_list(fitting)} would be" if fitting else "and no other feature is"
        raise InputError(f"data.{key}={name}: it is {type(features[name]).__name__}, not {kind}, {found}")
    return name


def _list(names: list[str]) -> str:
    return ", ".join(sorted(names))
