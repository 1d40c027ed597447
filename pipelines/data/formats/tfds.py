"""Image sets of TensorFlow Datasets (TFDS), by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.options import RecipePath
from ..source import DataOptions, ImageSource, Split, check_truth
from .mask_pixels import class_ids
from .tfds_features import find_features
from .tfds_masks import mask_classes
from .tfds_records import open_examples
from .tfds_set import open_set
from .tfds_splits import choose_samples


class TfdsOptions(DataOptions):
    """The recipe's `data` section of a TFDS set."""

    name: str = Field(min_length=1)
    """The set, as TFDS names it: `mnist`, `set/config`, `my_set:1.0.0`. `image_folder` reads pictures that lie in
    `data_dir` as split/class/picture, in the way of `tfds.folder_dataset.ImageFolder`."""
    data_dir: RecipePath | None = None
    """Where prepared sets stand; TFDS's own place (`TFDS_DATA_DIR`, else ~/tensorflow_datasets) unless given."""
    splits: dict[Split, str] = {}
    """Slices in TFDS's syntax, as `{train: "train[:80%]", validation: "train[80%:]", test: test}`; by default the set's
    own splits of these names."""
    image: str | None = None
    """The feature that holds the picture; the only image unless given."""
    label: str | None = None
    """The feature that holds the class, or a sequence of classes for several labels; the only such one unless given."""
    mask: str | None = None
    """The feature that holds a class for each pixel; the only labelled image, or map of whole numbers, unless given."""
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
    """A prepared set, read at random and undecoded: `read` gives the picture as it was stored.

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
        }
        check_truth("tfds", truth, offered)
        builder = open_set(options.name, options.data_dir, options.download)
        named = {"image": options.image, "label": options.label, "mask": options.mask}
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
        ends = np.cumsum([len(chosen) for chosen in samples.values()])
        self.splits = {
            name: range(end - len(chosen), end) for end, (name, chosen) in zip(ends, samples.items(), strict=True)
        }

    def truth(self, position: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, wanted in self._truth.items():
            if name == "mask":
                values[name] = class_ids(self._mask(position), self._values).astype(wanted.dtype, copy=False)
            else:
                values[name] = _value(name, self._known_classes(position), len(self.class_names), wanted.dtype)
        return values

    def encoded(self, position: int) -> bytes:
        sample = self._samples[position]
        return self._examples[sample.split].picture(sample.index)

    def where(self, position: int) -> str:
        sample = self._samples[position]
        return self._examples[sample.split].where(sample.index)

    def stamp(self, position: int) -> str | None:
        sample = self._samples[position]
        return self._examples[sample.split].stamp(sample.index)

    def _mask(self, position: int) -> np.ndarray:
        sample = self._samples[position]
        return self._examples[sample.split].mask(sample.index)

    def _known_classes(self, position: int) -> tuple[int, ...]:
        """They stand in one record with the picture, so they are read only once."""
        if position not in self._classes:
            self._classes[position] = self._read_classes(position)
        return self._classes[position]

    def _read_classes(self, position: int) -> tuple[int, ...]:
        sample = self._samples[position]
        try:
            classes = self._examples[sample.split].classes(sample.index)
        except OSError as error:
            raise InputError(f"{self.where(position)}: {error.strerror}: prepare the set again") from None
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
