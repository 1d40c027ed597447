"""Image sets of TensorFlow Datasets (TFDS), by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from ....models.contract import Truth
from ....models.errors import InputError, advise, nearest
from ....models.inputs.image.header import read_header
from ....models.inputs.image.options import IGNORE
from ....models.options import RecipePath
from ..source import DataOptions, ImageSource, Split, check_truth
from . import boxes
from .mask_image import class_ids, listed
from .tfds_boxes import find_objects, names_of, read_objects
from .tfds_records import Features, choose_samples, open_examples, open_set

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


class TfdsOptions(DataOptions):
    """The recipe's `data` section of a TFDS set."""

    name: str = Field(min_length=1)
    """The set, as TFDS names it: `mnist`, `set/config`, `my_set:1.0.0`. `image_folder` reads images that lie in
    `data_dir` as split/class/image, in the way of `tfds.folder_dataset.ImageFolder`."""
    data_dir: RecipePath | None = None
    """Where prepared sets stand; TFDS's own place (`TFDS_DATA_DIR`, else ~/tensorflow_datasets) unless given."""
    splits: dict[Split, str] = {}
    """Slices in TFDS's syntax, as `{train: "train[:80%]", validation: "train[80%:]", test: test}`; by default the set's
    own splits of these names."""
    image: str | None = None
    """The feature that holds the image; the only image unless given."""
    label: str | None = None
    """The feature that holds the class, or a sequence of classes for several labels; the only such one unless given."""
    mask: str | None = None
    """The feature that holds a class for each pixel; the only labelled image, or map of whole numbers, unless given."""
    objects: str | None = None
    """The feature that holds the objects, a sequence with `bbox` and a class label each; the only such one unless
    given. `label` is then a field of it."""
    classes: list[str] | None = Field(None, min_length=1, max_length=255)
    """Of masks, the class names in their order, where the set does not name them."""
    values: list[int] | None = Field(None, min_length=1)
    """Of masks, the number that stands for each class, in the order of the classes, where they do not count from 0;
    255 does not count unless it is given."""
    download: bool = False
    """Download and prepare the set where it is not there."""

    @field_validator("classes", "values")
    @classmethod
    def _differ(cls, value: list[Any] | None) -> list[Any] | None:
        repeated = [each for each in value or [] if (value or []).count(each) > 1]
        if repeated:
            raise ValueError(f"{repeated[0]!r} is given twice")
        return value


class Tfds(ImageSource):
    """A prepared set, read at random and undecoded: `read` gives the image as it was stored.

    A key is the set's split and the place in it, `train/00012`: the same whichever slice takes it. Samples stand in the
    order of the shards, which is how `tfds.load` reads them with `ReadConfig(interleave_cycle_length=1)`.
    """

    Options = TfdsOptions

    def __init__(self, options: TfdsOptions, truth: Mapping[str, Truth] | None):
        truth = truth or {}
        offered = {
            "label": Truth("int32"),
            "labels": truth.get("labels", Truth("float32", (None,))),
            "mask": Truth("uint8", (None, None)),
            **boxes.OFFERED,
        }
        check_truth("tfds", truth, offered)
        builder = open_set(options.name, options.data_dir, options.download)
        named = {"image": options.image, "label": options.label, "mask": options.mask, "objects": options.objects}
        features = find_features(builder, named, truth)
        samples = choose_samples(builder, options.splits)
        names = {sample.split for chosen in samples.values() for sample in chosen}
        self._examples = {name: open_examples(builder, name, features) for name in sorted(names)}
        self._samples = [sample for chosen in samples.values() for sample in chosen]
        self._classes: dict[int, tuple[int, ...]] = {}
        self._truth = truth
        self.keys = [sample.key for sample in self._samples]
        self.groups = self.keys
        self.class_names = features.class_names
        if "mask" in truth:
            first = range(min(16, len(self)))
            self.class_names, self._values = mask_classes(features, options.classes, options.values, first, self._mask)
        self._features = features
        ends = np.cumsum([len(chosen) for chosen in samples.values()])
        self.splits = {
            name: range(end - len(chosen), end) for end, (name, chosen) in zip(ends, samples.items(), strict=True)
        }

    def truth(self, position: int) -> dict[str, Any]:
        return self.inspect_truth(position)[0]

    def inspect_truth(self, position: int) -> tuple[dict[str, Any], str]:
        values: dict[str, Any] = {}
        note = ""
        if self._features.objects is not None:
            found = self._boxes(position)
            values, note = found.values(self._truth), found.note
        for name, wanted in self._truth.items():
            if name in values:
                continue
            if name == "mask":
                values[name] = class_ids(self._mask(position), self._values).astype(wanted.dtype, copy=False)
            else:
                values[name] = _value(name, self._known_classes(position), len(self.class_names), wanted.dtype)
        return values, note

    def encoded(self, position: int) -> bytes:
        sample = self._samples[position]
        return self._examples[sample.split].image(sample.index)

    def where(self, position: int) -> str:
        sample = self._samples[position]
        return self._examples[sample.split].where(sample.index)

    def stamp(self, position: int) -> str | None:
        sample = self._samples[position]
        return self._examples[sample.split].stamp(sample.index)

    def _mask(self, position: int) -> np.ndarray:
        sample = self._samples[position]
        return self._examples[sample.split].mask(sample.index)

    def _boxes(self, position: int) -> boxes.BoxTruth:
        sample = self._samples[position]
        header = read_header(self.encoded(position))
        if header is None:
            raise InputError("no image that can be read, so that its boxes have no size")
        objects = self._examples[sample.split].objects(sample.index)
        return read_objects(objects, self._features.label or "label", header.upright)

    def _known_classes(self, position: int) -> tuple[int, ...]:
        """They stand in one record with the image, so they are read only once."""
        if position not in self._classes:
            self._classes[position] = self._read_classes(position)
        return self._classes[position]

    def _read_classes(self, position: int) -> tuple[int, ...]:
        sample = self._samples[position]
        try:
            classes = self._examples[sample.split].classes(sample.index)
        except OSError as error:
            raise InputError(f"{error.strerror}: prepare the set again", where=self.where(position)) from None
        if -1 in classes:  # what TFDS stores for an unknown class
            raise InputError(
                f"{sample.key} has no label (-1), as others of '{sample.split}' may: leave them out by data.splits"
            )
        return classes


def _value(name: str, classes: tuple[int, ...], count: int, dtype: str) -> np.generic | np.ndarray:
    """`label` is the only class of a sample, `labels` a vector with 1 for each that is there."""
    if name == "label":
        return np.dtype(dtype).type(classes[0])
    present = np.zeros(count, dtype)
    present[list(classes)] = 1
    return present


def find_features(
    builder: tfds.core.DatasetBuilder, named: Mapping[str, str | None], truth: Mapping[str, Any]
) -> Features:
    """The named features, or the only ones of their kind.

    Args:
        builder: of the set.
        named: the features for `image`, `label`, `mask` and `objects`, None for one to be found.
        truth: `label` for one class an image, `labels` for any number, `mask` for a class a pixel, those of boxes for
            objects, empty for none.

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
        if named["image"] is None:  # beside a colour image, others of one channel are maps, too
            images = [name for name in images if features[name].shape[-1] != 1] or images
    images = [name for name in images if name != mask]
    image = _choose(set_name, "image", "an image", named["image"], images, features)
    if np.issubdtype(features[image].np_dtype, np.floating):
        raise InputError(
            "images of floating point numbers have no encoding that can be read",
            where=f"data.image={image}",
            field="data.image",
        )
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
    objects = None
    if not truth.keys().isdisjoint(boxes.OFFERED):
        if label is not None or "mask" in truth:
            raise InputError(f"boxes are read alone, and the task wants {', '.join(truth)}", where=set_name)
        objects, label = find_objects(set_name, named["objects"], named["label"], features)
        class_names = names_of(features[objects], label)
    return Features(image, label, mask if "mask" in truth else None, class_names, objects)


def _find_mask(set_name: str, mask: str | None, image: str | None, features: Mapping[str, Any]) -> str:
    """The feature with a class in each pixel: a labeled image, else one of whole numbers in one channel."""
    import tensorflow_datasets as tfds

    fitting = [name for name, each in features.items() if name != image and _is_map(each)]
    labeled = [name for name in fitting if isinstance(features[name], tfds.features.LabeledImage)]
    if mask is None:
        fitting = labeled or fitting
    mask = _choose(set_name, "mask", "a mask (whole numbers, one channel)", mask, fitting, features)
    if isinstance(features[mask], tfds.features.Image) and features[mask].encoding_format == "jpeg":
        raise InputError(
            f"{set_name} keeps it as JPEG, whose compression changes class ids",
            where=f"data.mask={mask}",
            field="data.mask",
        )
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
        raise InputError(f"{_list(fitting)} are each {kind}: choose by data.{key}", where=set_name)
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
        raise InputError(
            f"data.classes gives {len(classes)} names, and {place} has {count} classes", field="data.classes"
        )
    held = [set(np.unique(mask).tolist()) - {IGNORE} for mask in _readable(first, read)]
    found = sorted(set().union(*held))
    if not names:
        which = "" if found[:1] == [0] else f" {advise('data.values', found)}"
        line = advise("data.classes", [f"class_{number}" for number in found])
        raise InputError(
            f"the set does not name its classes, and its first masks hold {listed(found)}: say with your "
            f"names, in their order, {line}{which}",
            where=place,
        )
    if values is not None and len(values) != len(names):
        raise InputError(
            f"data.values gives {len(values)} numbers for {len(names)} classes: {', '.join(names[:12])}",
            field="data.values",
        )
    numbers = range(len(names)) if values is None else values
    strange = [not each.issubset(numbers) for each in held]
    if sum(strange) * 2 > len(held):
        line = advise("data.values", found) if len(found) == len(names) else "data.values lists them"
        raise InputError(
            f"its first masks hold {listed(found)}, and the {len(names)} classes are numbered "
            f"{listed(numbers)}: say which number each has, in their order: {line}",
            where=place,
        )
    return list(names), numbers


def _readable(positions: Sequence[int], read: Callable[[int], np.ndarray]) -> list[np.ndarray]:
    masks = []
    for position in positions:
        with suppress(OSError, InputError):  # the check of all samples will name it
            masks.append(read(position))
    return masks
