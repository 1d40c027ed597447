"""Pictures with COCO annotations: masks, objects, boxes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from ....models.contract import Truth
from ....models.errors import InputError, nearest
from ....models.inputs.file_tree import DiskTree
from ....models.inputs.image.options import IGNORE
from ....models.options import RecipePath
from ..source import SPLITS, ClassNames, DataOptions, ImageSource, Split, check_truth
from .coco_file import CocoFile, CocoPicture
from .coco_truth import boxes, paint
from .mask_pixels import BACKGROUND

OFFERED = {
    "mask": Truth("uint8", (None, None)),
    "instances": Truth("uint16", (None, None)),
    "boxes": Truth("float32", (None, 4)),
    "classes": Truth("int32", (None,)),
}


def _form(value: Any) -> str:
    """Which form it has, so that what is wrong is told of that form alone."""
    return "splits" if isinstance(value, dict) else "path"


Paths = Annotated[
    Annotated[RecipePath, Tag("path")] | Annotated[dict[Split, RecipePath], Field(min_length=1), Tag("splits")],
    Discriminator(_form),
]
"""One path, or one for each split."""


class CocoOptions(DataOptions):
    """The recipe's `data` section of COCO annotations."""

    annotations: Paths
    """The JSON file; or one for each split, `{train: train.json, validation: val.json}`."""
    images: Paths | None = None
    """The folder that the files' `file_name` is relative to, or one for each split; the folder of the JSON file unless
    given."""
    classes: ClassNames | None = None
    """The categories to learn, in their order, others are background; by default all, in the order of their ids."""

    @model_validator(mode="after")
    def _same_splits(self) -> CocoOptions:
        if isinstance(self.images, dict):
            splits = list(self.annotations) if isinstance(self.annotations, dict) else []
            if set(splits) != set(self.images):
                found = f"annotations of {', '.join(splits)}" if splits else "one JSON file"
                raise ValueError(f"images of {', '.join(self.images)}, and {found}: give both for the same splits")
        return self

    def parts(self) -> dict[Split | None, tuple[str, str]]:
        """JSON file and folder of the pictures by split; under None where one file holds all."""
        files = self.annotations if isinstance(self.annotations, dict) else {None: self.annotations}
        folders = self.images if isinstance(self.images, dict) else dict.fromkeys(files, self.images)
        order = [split for split in (None, *SPLITS) if split in files]
        return {split: (files[split], folders[split] or os.path.dirname(files[split])) for split in order}


class Coco(ImageSource):
    """One JSON file, or one for each split. A key is the picture's `file_name`, below its split if there are several.

    For masks the class 0 is the background, which a category of that name is too; for boxes alone there is none.
    """

    Options = CocoOptions

    def __init__(self, options: CocoOptions, truth: Mapping[str, Truth] | None):
        check_truth("coco", truth, OFFERED)
        self._truth = truth or {}
        has_masks = not self._truth.keys().isdisjoint(("mask", "instances"))
        has_boxes = not self._truth.keys().isdisjoint(("boxes", "classes"))
        fields = ["segmentation"] * has_masks + ["bbox"] * has_boxes
        self.class_names: Sequence[str] = ()
        self.keys: list[str] = []
        self.splits: dict[str, range] = {}
        self._pictures: list[CocoPicture] = []
        self._trees: list[DiskTree] = []
        for split, (file, folder) in options.parts().items():
            content = CocoFile(file, has_truth=bool(fields))
            if fields:
                self.class_names = self.class_names or _class_names(content, file, options.classes, has_masks)
                if options.classes is None:
                    _refuse_new(content, file, self.class_names)
            of_name = {name: class_id for class_id, name in enumerate(self.class_names)}
            class_ids = {key: of_name[name] for key, name in content.categories.items() if name in of_name}
            pictures = content.take_pictures(class_ids, fields)
            _refuse_missing(file, folder, pictures)
            if split:
                self.splits[split] = range(len(self.keys), len(self.keys) + len(pictures))
            self.keys += [f"{split}/{each.file}" if split else each.file for each in pictures]
            self._pictures += pictures
            self._trees += [DiskTree(folder)] * len(pictures)
        self.groups = self.keys

    def truth(self, position: int) -> dict[str, np.ndarray]:
        picture, values = self._pictures[position], {}
        annotations = picture.annotations if self._truth else []
        if "mask" in self._truth or "instances" in self._truth:
            values["mask"], values["instances"] = paint(annotations, picture.height, picture.width)
        if "boxes" in self._truth or "classes" in self._truth:
            values["boxes"], values["classes"] = boxes(annotations)
        return {name: values[name].astype(wanted.dtype, copy=False) for name, wanted in self._truth.items()}

    def encoded(self, position: int) -> bytes:
        return self._trees[position].read(self._pictures[position].file)

    def where(self, position: int) -> str:
        return self._trees[position].where(self._pictures[position].file)

    def stamp(self, position: int) -> str | None:
        picture = self._pictures[position]
        stamp = self._trees[position].stamp(picture.file)
        truth = f"{picture.height} {picture.width} ".encode() + picture.text
        return stamp and f"{stamp} {blake2b(truth, digest_size=16).hexdigest()}"


def _class_names(content: CocoFile, file: str, chosen: list[str] | None, has_masks: bool) -> list[str]:
    names = list(content.categories.values())
    for name in chosen or []:
        if name not in names:
            raise InputError(f"data.classes: no category '{name}' in {file}: {nearest(name, names)}")
    names = chosen or names
    if has_masks:
        names = [BACKGROUND, *(name for name in names if name != BACKGROUND)]
        if len(names) > IGNORE:
            raise InputError(
                f"data.annotations={file}: {len(names) - 1} categories, and a mask tells at most {IGNORE - 1} apart: "
                "choose some by data.classes"
            )
    return names


def _refuse_new(content: CocoFile, file: str, class_names: Sequence[str]) -> None:
    new = [name for name in content.categories.values() if name not in class_names]
    if new:
        raise InputError(
            f"data.annotations={file}: category '{new[0]}' is not in the first file, which has "
            f"{', '.join(class_names[:12])}: data.classes chooses those to learn"
        )


def _refuse_missing(file: str, folder: str, pictures: Sequence[CocoPicture]) -> None:
    missing = [each.file for each in pictures if not os.path.exists(os.path.join(folder, each.file))]
    if missing:
        raise InputError(
            f"data.annotations={file}: {len(missing)} of {len(pictures)} pictures are missing in {folder} (first "
            f"{missing[0]}): data.images is the folder that file names start from"
        )
