"""Sets in the layout of Pascal VOC: masks, objects, boxes."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated
from xml.etree import ElementTree

import numpy as np
from pydantic import Field, field_validator

from ....models.contract import Truth
from ....models.errors import InputError, advise, nearest
from ....models.inputs.exports import LABELMAP, advice, mask_keys, read_labelmap
from ....models.inputs.file_listing import EXTENSIONS, UNREAD, list_images, tell_unread
from ....models.inputs.file_tree import FileTree, open_tree
from ....models.inputs.image.header import read_header
from ....models.inputs.image.options import IGNORE
from ....models.options import RecipePath
from ..source import ClassNames, DataOptions, FileSource, Split, check_truth
from . import boxes
from .mask_image import BACKGROUND, class_ids, read_mask, read_pixels

_log = logging.getLogger(__name__)

CLASSES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor"
).split()
"""Of VOC itself, in the order of its masks' values, from 1."""

IMAGES, MASKS, OBJECTS, BOXES = "JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations"
_FLAGGED = re.compile(r"(.*\S)\s+(?:-1|0|1)")
_LISTS: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}
OFFERED = {
    "mask": Truth("uint8", (None, None)),
    "instances": Truth("uint16", (None, None)),
    **boxes.OFFERED,
}
"""What a set brings."""
_FOLDER_OF = {"mask": MASKS, "instances": OBJECTS} | dict.fromkeys(boxes.OFFERED, BOXES)


class VocOptions(DataOptions):
    """The recipe's `data` section of a set in the layout of Pascal VOC."""

    path: RecipePath
    """`VOCdevkit/VOC2012`, or a folder or zip file of the same layout: `JPEGImages` with `SegmentationClass` for masks,
    `Annotations` for boxes, and lists of the splits in `ImageSets`, if there are any."""
    classes: Annotated[ClassNames, Field(max_length=IGNORE - 1)] | None = None
    """The classes without the background, in the order of the masks' values from 1. Unless given, VOC's own 20; for
    boxes alone of other classes those that occur, sorted."""

    @field_validator("classes")
    @classmethod
    def _without_background(cls, value: list[str] | None) -> list[str] | None:
        if BACKGROUND in (value or []):
            raise ValueError("leave the background out: it is 0 in every mask")
        return value


class Voc(FileSource):
    """The samples of `ImageSets/Segmentation` where masks are wanted, of `ImageSets/Main` for boxes alone.

    A key is the image's path in the set. Masks have the class 0 for the background; for boxes alone there is none.
    """

    Options = VocOptions

    def __init__(self, options: VocOptions, truth: Mapping[str, Truth] | None):
        check_truth("voc", truth, OFFERED)
        self._truth = truth or {}
        self._has_masks = not self._truth.keys().isdisjoint(("mask", "instances"))
        self.tree = open_tree(options.path)
        wanted = list(dict.fromkeys(_FOLDER_OF[name] for name in self._truth))
        layout = read_layout(self.tree, wanted, "Segmentation" if self._has_masks else "Main")
        self._files = layout.files
        self.keys, self.splits = layout.files[IMAGES], layout.splits
        self.class_names = [BACKGROUND] * self._has_masks + (options.classes or self._own_classes()) if truth else []
        if "mask" in self._truth:
            self._refuse_colors()
        self.groups = self.keys

    def truth(self, position: int) -> dict[str, np.ndarray]:
        return self.inspect_truth(position)[0]

    def inspect_truth(self, position: int) -> tuple[dict[str, np.ndarray], str]:
        values, note = {}, ""
        if "mask" in self._truth:
            pixels = read_pixels(self._read(MASKS, position))
            values["mask"] = class_ids(pixels, range(len(self.class_names)))
        if "instances" in self._truth:
            pixels = read_pixels(self._read(OBJECTS, position))
            values["instances"] = np.where(pixels == IGNORE, 0, pixels) if pixels.dtype == np.uint8 else pixels
        if BOXES in self._files:
            encoded = self.encoded(position)
            try:
                found = read_boxes(self._read(BOXES, position), self.class_names, encoded)
            except InputError as error:
                raise InputError(f"{error}", where=self.tree.where(self._files[BOXES][position])) from None
            values, note = values | found.values(self._truth), found.note
        return {name: values[name].astype(wanted.dtype, copy=False) for name, wanted in self._truth.items()}, note

    def stamp(self, position: int) -> str | None:
        stamps = [self.tree.stamp(files[position]) for files in self._files.values()]
        return None if None in stamps else " ".join(stamps)

    def _own_classes(self) -> list[str]:
        """VOC's own, unless boxes have other names: then those that occur, sorted."""
        if self._has_masks:
            return CLASSES
        found: set[str] = set()
        for position in range(len(self.keys)):
            with suppress(ElementTree.ParseError, ValueError, LookupError, OSError):  # the check tells of such a file
                root = ElementTree.fromstring(self._read(BOXES, position))
                found |= {(each.findtext("name") or "").strip() for each in root.iter("object")}
        found -= {""}
        return CLASSES if found <= set(CLASSES) else sorted(found)

    def _refuse_colors(self) -> None:
        """Refuses CVAT's exports, which have VOC's layout with colours of their own for masks."""
        kind = ""
        with suppress(InputError, OSError):  # the check of all samples tells of such a mask
            kind = read_mask(self._read(MASKS, 0)).kind if read_labelmap(self.tree) else ""
        if kind == "colors":
            told = f"masks in the colours of {LABELMAP}, not in VOC's class ids: {mask_keys(self.tree)}"
            raise InputError(f"{told}", where=f"data.path={self.tree.root}", field="data.path")

    def _read(self, folder: str, position: int) -> bytes:
        return self.tree.read(self._files[folder][position])


@dataclass
class Layout:
    """The samples of a set.

    Attributes:
        names: of the samples, without folder and extension.
        files: for each folder that was asked for, each sample's file in it, relative to the root.
        splits: positions by split, empty where there are no lists.
    """

    names: list[str]
    files: Mapping[str, list[str]]
    splits: dict[str, range] = field(default_factory=dict)


def read_layout(tree: FileTree, wanted: Sequence[str], lists: str) -> Layout:
    """Finds the samples that a set's lists name; without lists, those that have a file in each wanted folder.

    Args:
        tree: the set.
        wanted: folders in which every sample needs a file, beside that of the images.
        lists: the folder of the lists in `ImageSets`: `Segmentation` or `Main`.

    Raises:
        InputError: no such folder, lists that name what is not there, a sample in two of them.
    """
    folders = list_images(tree, (), unread=()).folders
    for each in (IMAGES, *wanted):
        if each not in folders:
            inside = [folder for folder in folders if folder.endswith(f"/{each}")]
            above = [tree.where(path.rpartition("/")[0]).replace("$", "$$") for path in inside]
            hint = f": say {advise('data.path', above[0])}" if above else _purpose(each)
            if told := advice(tree):
                hint = f": {told}"
            raise InputError(f"no folder '{each}' in it{hint}", where=f"data.path={tree.root}", field="data.path")
    found = {each: _files(tree, each) for each in wanted}
    found[IMAGES] = _files(tree, IMAGES, EXTENSIONS)
    unread = list(_files(tree, IMAGES, UNREAD).values())
    tell_unread(unread, f"data.path={tree.where(IMAGES)}", "images", are_all=not found[IMAGES])
    has_lists = bool(wanted) and f"ImageSets/{lists}" in folders
    named = _read_lists(tree, f"ImageSets/{lists}", found[IMAGES]) if has_lists else {}
    if not named:
        names = sorted(set.intersection(*(set(each) for each in found.values())))
        if not names:
            raise InputError(
                f"no image in '{IMAGES}' has a file in {' and '.join(wanted)}",
                where=f"data.path={tree.root}",
                field="data.path",
            )
        for folder in wanted:
            if strays := sorted(set(found[folder]) - set(found[IMAGES])):
                told = "%s: files without an image: %d (first %s)"
                _log.warning(told, tree.where(folder), len(strays), found[folder][strays[0]])
        return Layout(names, _of_samples(names, found))
    layout = Layout([], {})
    for split, (file, names) in named.items():
        _refuse_missing(tree.where(file), names, found)
        layout.splits[split] = range(len(layout.names), len(layout.names) + len(names))
        layout.names += names
    layout.files = _of_samples(layout.names, found)
    return layout


def _purpose(folder: str) -> str:
    return {
        IMAGES: ": give the folder that has it, such as VOCdevkit/VOC2012",
        MASKS: ": the set has no masks, and the task wants them",
        OBJECTS: ": the set does not tell objects apart: results.instances=none",
        BOXES: ": the set has no boxes, and the task wants them",
    }[folder]


def _files(tree: FileTree, folder: str, extensions: Sequence[str] = ()) -> dict[str, str]:
    """Each file directly in a folder by its name without extension; of some extensions, or of any."""
    paths = [PurePosixPath(folder, name) for name, is_folder in tree.inside(folder) if not is_folder]
    visible = [path for path in paths if not path.name.startswith(".")]
    return {path.stem: str(path) for path in visible if not extensions or path.suffix[1:].lower() in extensions}


def _of_samples(names: Sequence[str], found: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    return {folder: [files[name] for name in names] for folder, files in found.items()}


def _read_lists(tree: FileTree, folder: str, images: Collection[str]) -> dict[Split, tuple[str, list[str]]]:
    """The file of each split's list and the names in it; `trainval` stands for train where that has none of its own."""
    files = _files(tree, folder)
    lists = {split: files[name] for name, split in _LISTS.items() if name in files}
    if "train" not in lists and "validation" not in lists and "trainval" in files:
        lists = {"train": files["trainval"]} | lists
    named: dict[Split, tuple[str, list[str]]] = {}
    taken: dict[str, str] = {}
    for split, file in lists.items():
        names = _names(tree, file, images)
        for name in names:
            if name in taken:
                again = "twice" if taken[name] == file else f"as {tree.where(taken[name])} does"
                raise InputError(f"names '{name}' {again}", where=tree.where(file))
            taken[name] = file
        named[split] = file, names
    return named


def _names(tree: FileTree, file: str, images: Collection[str]) -> list[str]:
    try:
        lines = tree.read(file).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{error.strerror}", where=tree.where(file)) from None
    except UnicodeDecodeError:
        raise InputError("not a list of images: it is not UTF-8 text", where=tree.where(file)) from None
    names = _without_flags([line.strip() for line in lines if line.strip()], images)
    if not names:
        raise InputError("names no image: remove the list, or fill it", where=tree.where(file))
    return names


def _without_flags(lines: Sequence[str], images: Collection[str]) -> list[str]:
    """The names in the lines of a list, which may hold spaces, too: ` 1`, ` 0` or ` -1` behind every one of them is
    VOC's column of flags, unless all images are called so."""
    flagged = [_FLAGGED.fullmatch(line) for line in lines]
    if all(flagged) and any(line not in images for line in lines):
        return [match[1] for match in flagged if match]
    return [
        next((name for name in (line, match[1] if match else line, line.split()[0]) if name in images), line)
        for line, match in zip(lines, flagged, strict=True)
    ]


def _refuse_missing(place: str, names: Sequence[str], found: Mapping[str, Mapping[str, str]]) -> None:
    for folder, files in found.items():
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError(
                f"{len(missing)} of {len(names)} that it names have no file in '{folder}' (first "
                f"{missing[0]}): add them, or take them out of the list",
                where=place,
            )


def read_boxes(data: bytes, class_names: Sequence[str], image: bytes) -> boxes.BoxTruth:
    """The objects of one image.

    VOC numbers pixels from 1 and means the last one, too (as its devkit says): an object on the first pixel alone is
    1, 1, 1, 1 there and 0, 0, 1, 1 here. Boxes of other tools, which number from 0, still stay within the image.

    Args:
        data: the XML file; expat, which reads it, limits how far entities may grow.
        class_names: class ids are positions in it.
        image: encoded; what the file says of its size must be so. One that cannot be read is left to the check.

    Raises:
        InputError: no XML, an object without name or box, a class that is not among the names; in a phrase.
    """
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter two for its encoding
        raise InputError(f"its annotation is not XML: {error}") from None
    header, said = read_header(image), _size_of(root)
    if said is not None:
        boxes.check_size(said, image)
    found = boxes.BoxTruth(said if header is None else header.upright)
    for number, entry in enumerate(root.iter("object"), 1):
        name = (entry.findtext("name") or "").strip()
        if not name:
            raise InputError(f"object {number}: 'name' is missing or empty")
        if name not in class_names:
            raise InputError(f"object '{name}' is not in data.classes: {nearest(name, class_names)}")
        x_min, y_min, x_max, y_max = (_number(entry, name, key) for key in ("xmin", "ymin", "xmax", "ymax"))
        is_difficult = (entry.findtext("difficult") or "0").strip() not in ("0", "")
        corners = (max(x_min - 1, 0), max(y_min - 1, 0), x_max, y_max)
        found.add(corners, list(class_names).index(name), difficult=is_difficult, name=f"object {number} ({name})")
    return found


def _size_of(root: ElementTree.Element) -> tuple[int, int] | None:
    """As the file says; None where it does not."""
    try:
        height, width = (int(float(root.findtext(f"size/{side}") or "")) for side in ("height", "width"))
    except (ValueError, OverflowError):
        return None
    return (height, width) if min(height, width) > 0 else None


def _number(entry: ElementTree.Element, name: str, key: str) -> float:
    text = entry.findtext(f"bndbox/{key}")
    try:
        number = float(text or "")
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        found = f"'{text.strip()}'" if text and text.strip() else "missing"
        raise InputError(f"object '{name}': bndbox/{key} is {found}, and it takes a number")
    return number
