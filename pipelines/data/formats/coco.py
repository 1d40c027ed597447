"""Images with COCO annotations: masks, objects, boxes."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from ....models.contract import Truth
from ....models.errors import InputError, nearest
from ....models.inputs.exports import CVAT_XML, LABELME, is_labelme
from ....models.inputs.file_tree import DiskTree
from ....models.inputs.image.options import IGNORE
from ....models.options import RecipePath
from ..source import SPLITS, ClassNames, DataOptions, ImageSource, Split, check_truth
from . import boxes
from .mask_image import BACKGROUND
from .run_lengths import covered, run_lengths

_log = logging.getLogger(__name__)

OFFERED = {
    "mask": Truth("uint8", (None, None)),
    "instances": Truth("uint16", (None, None)),
    **boxes.OFFERED,
}
"""What annotations bring."""


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
        """JSON file and folder of the images by split; under None where one file holds all."""
        files = self.annotations if isinstance(self.annotations, dict) else {None: self.annotations}
        folders = self.images if isinstance(self.images, dict) else dict.fromkeys(files, self.images)
        order = [split for split in (None, *SPLITS) if split in files]
        return {split: (files[split], folders[split] or os.path.dirname(files[split])) for split in order}


class Coco(ImageSource):
    """One JSON file, or one for each split. A key is the image's `file_name`, below its split if there are several.

    For masks the class 0 is the background, which a category of that name is too; for boxes alone there is none.
    """

    Options = CocoOptions

    def __init__(self, options: CocoOptions, truth: Mapping[str, Truth] | None):
        check_truth("coco", truth, OFFERED)
        self._truth = truth or {}
        has_masks = not self._truth.keys().isdisjoint(("mask", "instances"))
        has_boxes = not self._truth.keys().isdisjoint(boxes.OFFERED)
        fields = ["segmentation"] * has_masks + ["bbox"] * has_boxes
        self.class_names: Sequence[str] = ()
        self.keys: list[str] = []
        self.splits: dict[str, range] = {}
        self._images: list[CocoImage] = []
        self._trees: list[DiskTree] = []
        for split, (file, folder) in options.parts().items():
            content = CocoFile(file, has_truth=bool(fields))
            if fields:
                self.class_names = self.class_names or _class_names(content, file, options.classes, has_masks)
                if options.classes is None:
                    _refuse_new(content, file, self.class_names)
            of_name = {name: class_id for class_id, name in enumerate(self.class_names)}
            class_ids = {key: of_name[name] for key, name in content.categories.items() if name in of_name}
            images = content.take_images(class_ids, fields)
            _refuse_missing(file, folder, images)
            if split:
                self.splits[split] = range(len(self.keys), len(self.keys) + len(images))
            self.keys += [f"{split}/{each.file}" if split else each.file for each in images]
            self._images += images
            self._trees += [DiskTree(folder)] * len(images)
        self.groups = self.keys

    def truth(self, position: int) -> dict[str, np.ndarray]:
        return self.inspect_truth(position)[0]

    def inspect_truth(self, position: int) -> tuple[dict[str, np.ndarray], str]:
        image, values, note = self._images[position], {}, ""
        annotations = image.annotations if self._truth else []
        if "mask" in self._truth or "instances" in self._truth:
            values["mask"], values["instances"] = paint(annotations, image.height, image.width)
        if not self._truth.keys().isdisjoint(boxes.OFFERED):
            boxes.check_size((image.height, image.width), self.encoded(position))
            found = read_boxes(annotations, image.height, image.width)
            values, note = values | found.values(self._truth), found.note
        return {name: values[name].astype(wanted.dtype, copy=False) for name, wanted in self._truth.items()}, note

    def encoded(self, position: int) -> bytes:
        return self._trees[position].read(self._images[position].file)

    def where(self, position: int) -> str:
        return self._trees[position].where(self._images[position].file)

    def stamp(self, position: int) -> str | None:
        image = self._images[position]
        stamp = self._trees[position].stamp(image.file)
        truth = f"{image.height} {image.width} ".encode() + image.text
        return stamp and f"{stamp} {blake2b(truth, digest_size=16).hexdigest()}"


def _class_names(content: CocoFile, file: str, chosen: list[str] | None, has_masks: bool) -> list[str]:
    names = list(content.categories.values())
    for name in chosen or []:
        if name not in names:
            raise InputError(
                f"data.classes: no category '{name}' in {file}: {nearest(name, names)}", field="data.classes"
            )
    names = chosen or names
    if has_masks:
        names = [BACKGROUND, *(name for name in names if name != BACKGROUND)]
        if len(names) > IGNORE:
            raise InputError(
                f"{len(names) - 1} categories, and a mask tells at most {IGNORE - 1} apart: "
                "choose some by data.classes",
                where=f"data.annotations={file}",
                field="data.annotations",
            )
    return names


def _refuse_new(content: CocoFile, file: str, class_names: Sequence[str]) -> None:
    new = [name for name in content.categories.values() if name not in class_names]
    if new:
        raise InputError(
            f"category '{new[0]}' is not in the first file, which has "
            f"{', '.join(class_names[:12])}: data.classes chooses those to learn",
            where=f"data.annotations={file}",
            field="data.annotations",
        )


def _refuse_missing(file: str, folder: str, images: Sequence[CocoImage]) -> None:
    missing = [each.file for each in images if not os.path.exists(os.path.join(folder, each.file))]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(images)} images are missing in {folder} (first "
            f"{missing[0]}): data.images is the folder that file names start from",
            where=f"data.annotations={file}",
            field="data.annotations",
        )


MAX_SIDE = 100_000
"""Pixels of a side: a number beyond is a mistake, and no mask of it would fit into memory."""


class Annotation(NamedTuple):
    """One object of an image.

    Attributes:
        id: as the file has it, for messages.
        class_id: of the task, not the file's category.
        is_crowd: a region of many objects that were not told apart.
        segmentation: polygons or run lengths, None where it has none or none is wanted.
        bbox: x, y, width, height in pixels, None where it has none or none is wanted.
        area: in pixels, None where the file does not say it.
    """

    id: Any
    class_id: int
    is_crowd: bool
    segmentation: Any
    bbox: Any
    area: Any = None


@dataclass(frozen=True)
class CocoImage:
    """An image and what is known of it.

    Attributes:
        file: its path as the file has it.
        height: in pixels, as the file says.
        width: likewise.
        text: its annotations as JSON: lists of numbers would take several times the room.
    """

    file: str
    height: int
    width: int
    text: bytes

    @property
    def annotations(self) -> list[Annotation]:
        return [Annotation(*each) for each in json.loads(self.text)]


class CocoFile:
    """What a COCO file holds (https://cocodataset.org/#format-data).

    Args:
        file: the JSON file.
        has_truth: whether annotations and categories must be there.

    Raises:
        InputError: no such file, no JSON, or not a COCO file; a value that is missing or stands there twice.
    """

    def __init__(self, file: str, has_truth: bool):
        self._place = f"data.annotations={file}"
        self._document = _load(file, self._place)
        self._check_keys(("images", "annotations", "categories") if has_truth else ("images",))
        categories = self._entries("categories", {"id": int, "name": str}) if has_truth else []
        self._refuse_twice("categories", "name", categories)
        self._refuse_twice("categories", "id", categories)
        self.categories = {each["id"]: each["name"] for each in sorted(categories, key=lambda each: each["id"])}
        """Id to name, in the order of the ids."""

    def take_images(self, class_ids: Mapping[int, int], fields: Sequence[str]) -> list[CocoImage]:
        """The images in the file's order; the file itself is let go, so this works once.

        Args:
            class_ids: category id to class id; annotations of other categories are left out.
            fields: what annotations are needed for: `segmentation`, `bbox`; empty: they are not looked at.

        Raises:
            InputError: see the class; an unknown category, or annotations of which none has a wanted field.
        """
        images = self._entries("images", {"id": (int, str), "file_name": str, "height": int, "width": int})
        self._refuse_twice("images", "id", images)
        self._refuse_twice("images", "file_name", images)
        if not images:
            raise InputError("no images in it: 'images' is empty", where=self._place)
        for each in images:
            if not 0 < min(each["height"], each["width"]) <= max(each["height"], each["width"]) <= MAX_SIDE:
                size = f"{each['height']} x {each['width']}"
                raise InputError(f"'{each['file_name']}' is {size} pixels: no size of an image", where=self._place)
        of_image: dict[int | str, list[Annotation]] = {each["id"]: [] for each in images}
        if fields:
            self._sort_annotations(of_image, class_ids, fields)
        self._document = {}
        return [
            CocoImage(
                each["file_name"],
                each["height"],
                each["width"],
                json.dumps(of_image.pop(each["id"]), separators=(",", ":")).encode(),
            )
            for each in images
        ]

    def _sort_annotations(
        self, of_image: dict[int | str, list[Annotation]], class_ids: Mapping[int, int], fields: Sequence[str]
    ) -> None:
        annotations = self._entries("annotations", {"image_id": (int, str), "category_id": int})
        strange, without = 0, dict.fromkeys(fields, 0)
        for at, each in enumerate(annotations):
            category, number = each["category_id"], each.get("id", at)
            if category not in self.categories:
                known = ", ".join(f"{key} ({name})" for key, name in list(self.categories.items())[:12])
                raise InputError(
                    f"annotation {number}: its category_id {category} is not among the categories: "
                    f"{known or 'there are none'}",
                    where=self._place,
                )
            if each["image_id"] not in of_image:
                strange += 1
            elif category in class_ids:
                values = {name: each.get(name) or None for name in fields}
                of_image[each["image_id"]].append(
                    Annotation(
                        number,
                        class_ids[category],
                        bool(each.get("iscrowd", 0)),
                        values.get("segmentation"),
                        values.get("bbox"),
                        each.get("area"),
                    )
                )
            for name in fields:
                without[name] += not each.get(name)
        if strange:
            _log.warning("%s: annotations of images that it does not list are left out: %d", self._place, strange)
        for name, count in without.items():
            if count and count == len(annotations):
                raise InputError(
                    f"none of its {count} annotations has a '{name}', and the task needs it", where=self._place
                )

    def _check_keys(self, keys: Sequence[str]) -> None:
        if not isinstance(self._document, dict):
            kind = type(self._document).__name__
            raise InputError(
                f"not a COCO file, which is a mapping with {_listed(keys)}: it is a {kind}", where=self._place
            )
        if is_labelme(self._document):
            raise InputError(f"not a COCO file: {LABELME}", where=self._place)
        for key in keys:
            if key not in self._document:
                has = _listed(list(self._document)[:8]) if self._document else "nothing"
                raise InputError(f"not a COCO file: no '{key}' in it, which has {has}", where=self._place)

    def _entries(self, key: str, fields: Mapping[str, type | tuple[type, ...]]) -> list[dict[str, Any]]:
        """The list under a key, whose entries have all the fields."""
        entries = self._document[key]
        if not isinstance(entries, list):
            raise InputError(f"not a COCO file: '{key}' is no list", where=self._place)
        for at, entry in enumerate(entries):
            for name, kinds in fields.items():
                if not isinstance(entry, dict) or name not in entry:
                    raise InputError(f"not a COCO file: {key}[{at}] has no '{name}'", where=self._place)
                if not isinstance(entry[name], kinds) or isinstance(entry[name], bool):
                    raise InputError(f"{key}[{at}]: '{name}' is {entry[name]!r}", where=self._place)
        return entries

    def _refuse_twice(self, key: str, field: str, entries: Sequence[Mapping[str, Any]]) -> None:
        seen = set()
        for entry in entries:
            if entry[field] in seen:
                raise InputError(f"two {key} have the {field} {entry[field]!r}", where=self._place)
            seen.add(entry[field])


def _load(file: str, place: str) -> Any:
    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        raise InputError("no such file", where=place) from None
    except IsADirectoryError:
        raise InputError("a folder, not a JSON file: data.images names the folder of the images", where=place) from None
    except OSError as error:
        raise InputError(f"{error.strerror}", where=place) from None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
        if file.lower().endswith(".xml"):
            raise InputError(f"not JSON: {CVAT_XML}", where=place) from None
        raise InputError(f"not JSON: {error}", where=place) from None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def paint(annotations: Sequence[Annotation], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Objects on the background 0, the smaller over the larger, so that a cup on a table is seen; of two as large the
    later one. Crowd regions lie below all objects and do not count.

    COCO does not say what lies in front: its panoptic truth was made with overlaps settled by hand, and torchvision's
    reference (references/segmentation/coco_utils.py) gives up the pixels that two objects share.

    Args:
        annotations: of one image.
        height: of the image, in pixels.
        width: likewise.

    Returns:
        mask: uint8 `[height, width]`, class ids, 255 for crowds.
        instances: uint16 `[height, width]`, an object's place among the annotations from 1, 0 for background, crowds.

    Raises:
        InputError: a segmentation that cannot be drawn, in a phrase.
    """
    mask = np.zeros((height, width), np.uint8)
    instances = np.zeros((height, width), np.uint16)
    drawn = []
    for number, each in enumerate(annotations, 1):
        if each.segmentation is None:
            raise InputError(f"annotation {each.id} has no segmentation")
        try:
            lengths = run_lengths(each.segmentation, height, width)
        except InputError as error:
            raise InputError(f"annotation {each.id}: {error}") from None
        drawn.append((not each.is_crowd, -lengths[1::2].sum(), number, each, lengths))
    for _, _, number, each, lengths in sorted(drawn, key=lambda one: one[:3]):
        place = covered(lengths, height, width)
        mask[place] = IGNORE if each.is_crowd else each.class_id
        instances[place] = number if each.class_id and not each.is_crowd else 0
    return mask, instances


def read_boxes(annotations: Sequence[Annotation], height: int, width: int) -> boxes.BoxTruth:
    """The objects of one image of a size in pixels.

    Raises:
        InputError: an annotation without a box of four numbers, or with an area that is none, in a phrase.
    """
    found = boxes.BoxTruth((height, width))
    for each in annotations:
        box = each.bbox
        if not isinstance(box, list) or len(box) != 4 or not all(type(value) in (int, float) for value in box):
            raise InputError(f"annotation {each.id}: its bbox is {box!r}, not [x, y, width, height]")
        if each.area is not None and (type(each.area) not in (int, float) or not 0 <= each.area < np.inf):
            raise InputError(f"annotation {each.id}: its area is {each.area!r}, not a number of pixels")
        x, y, across, down = map(_as_float, box)
        corners = (x, y, x + across, y + down)
        found.add(corners, each.class_id, bool(each.is_crowd), area=each.area, name=f"annotation {each.id}")
    return found


def _as_float(number: float) -> float:
    """Infinite where it is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return float("inf")
