"""Which features of a TFDS set are the picture and its truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....models.errors import InputError, nearest

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


@dataclass(frozen=True)
class Features:
    """Names of features; `label` and `mask` are None where they are not wanted.

    Attributes:
        class_names: of the label, or of the mask where it is wanted; empty where the set does not name them.
    """

    image: str
    label: str | None
    mask: str | None
    class_names: list[str]


def find_features(
    builder: tfds.core.DatasetBuilder, named: Mapping[str, str | None], truth: Mapping[str, Any]
) -> Features:
    """The named features, or the only ones of their kind.

    Args:
        builder: of the set.
        named: the features for `image`, `label` and `mask`, None for one to be found.
        truth: `label` for one class a picture, `labels` for any number, `mask` for a class a pixel, empty for none.

    Raises:
        InputError: no such feature, one of another kind, none, or several to choose from.
    """
    import tensorflow_datasets as tfds

    features, set_name = dict(builder.info.features.items()), builder.info.full_name
    images = [
        name
        for name, each in features.items()
        # A labeled image holds a class in each pixel.
        if isinstance(each, tfds.features.Image) and not isinstance(each, tfds.features.LabeledImage)
    ]
    mask = named["mask"]
    if "mask" in truth:
        only = images[0] if len(images) == 1 else None
        mask = _find_mask(set_name, mask, named["image"] or only, features)
        if named["image"] is None:  # beside a colour picture, others of one channel are maps, too
            images = [name for name in images if features[name].shape[-1] != 1] or images
    images = [name for name in images if name != mask]
    image = _choose(set_name, "image", "an image", named["image"], images, features)
    if np.issubdtype(features[image].np_dtype, np.floating):
        raise InputError(f"data.image={image}: pictures of floating point numbers have no encoding that can be read")
    label, class_names = None, []
    if "label" in truth or "labels" in truth:
        several = "labels" in truth
        class_labels = {name: _class_label(each, several) for name, each in features.items()}
        fitting = [name for name, each in class_labels.items() if each is not None]
        kind = "a sequence of class labels" if several else "a class label"
        label = _choose(set_name, "label", kind, named["label"], fitting, features)
        class_names = list(class_labels[label].names)
    if "mask" in truth:
        is_labeled = isinstance(features[mask], tfds.features.LabeledImage)
        class_names = list(features[mask].names) if is_labeled and features[mask].num_classes else []
    return Features(image, label, mask if "mask" in truth else None, class_names)


def _find_mask(set_name: str, mask: str | None, image: str | None, features: Mapping[str, Any]) -> str:
    """The feature with a class in each pixel: a labeled image, else one of whole numbers in one channel."""
    import tensorflow_datasets as tfds

    fitting = [name for name, each in features.items() if name != image and _is_map(each)]
    labeled = [name for name in fitting if isinstance(features[name], tfds.features.LabeledImage)]
    if mask is None:
        fitting = labeled or fitting
    mask = _choose(set_name, "mask", "a mask (whole numbers, one channel)", mask, fitting, features)
    if isinstance(features[mask], tfds.features.Image) and features[mask].encoding_format == "jpeg":
        raise InputError(f"data.mask={mask}: {set_name} keeps it as JPEG, whose compression changes class ids")
    return mask


def _is_map(feature: Any) -> bool:
    """Whether it holds one whole number for each pixel."""
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Image) and type(feature) is not tfds.features.Tensor:
        return False
    is_one = len(feature.shape) == 2 or len(feature.shape) == 3 and feature.shape[-1] == 1
    return is_one and np.issubdtype(feature.np_dtype, np.integer)


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
