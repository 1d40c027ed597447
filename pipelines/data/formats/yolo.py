"""Sets in the layout of YOLO: a data.yaml, folders of images, a text file of boxes for each (Ultralytics, Roboflow)."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.file_listing import EXTENSIONS, list_images
from ....models.inputs.file_tree import DiskTree, stamp_of
from ....models.inputs.image.header import read_header
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, SPLITS, DataOptions, FileSource, check_truth
from .boxes import OFFERED, BoxTruth

_log = logging.getLogger(__name__)

MAX_BEYOND = 0.01
"""How far beyond 0 and 1 a relative coordinate may lie by rounding."""


class YoloOptions(DataOptions):
    """The recipe's `data` section of a set in the layout of YOLO."""

    path: RecipePath
    """The `data.yaml`, or the folder that it lies in."""
    exclude: list[str] = []
    """Glob patterns of images to leave out, relative to the folder of a split, where `*` matches `/` too."""


class Yolo(FileSource):
    """One text file for each image: a line for each object, `class x y width height`, the centre and the sides in
    fractions of the image, or `class x1 y1 x2 y2 x3 y3 ...`, a polygon, of which the box is taken.

    The text file of `images/a/b.jpg` is `labels/a/b.txt` (the last folder of that name counts), or lies beside the
    image. An image without one, or with an empty one, shows no object. Sizes are those of the upright image, by its
    EXIF orientation, as Ultralytics has them. Keys are paths relative to the data.yaml.
    """

    Options = YoloOptions

    def __init__(self, options: YoloOptions, truth: Mapping[str, Truth] | None):
        check_truth("yolo", truth, OFFERED)
        self._truth = truth or {}
        file = os.path.join(options.path, "data.yaml") if os.path.isdir(options.path) else options.path
        content = _load(file)
        self._file, root = file, os.path.dirname(os.path.abspath(file))
        self.class_names = _names(content.get("names"), content.get("nc"), file)
        self.tree = DiskTree(root)
        keys: dict[str, str] = {}  # key to split
        for split, places in _splits(content, file, root).items():
            for image in _images(places, options.exclude):
                key = posixpath.normpath(Path(os.path.relpath(image, root)).as_posix())
                if keys.setdefault(key, split) != split:
                    raise InputError(
                        f"{key} is in the splits {keys[key]} and {split}: take it out of one", where=str(file)
                    )
        self.keys = list(keys)
        self.splits = {split: [at for at, key in enumerate(self.keys) if keys[key] == split] for split in SPLITS}
        self.splits = {split: positions for split, positions in self.splits.items() if positions}
        self.groups = self.keys
        self._labels = [_label_of(self.tree.where(key)) for key in self.keys]
        without = self._labels.count(None)
        if self._truth and without == len(self.keys):
            raise InputError(
                f"none of {without} images has a label file, as {_wanted(self.tree, self.keys[0])}", where=str(file)
            )
        if self._truth:
            _tell_strays([each for each in self._labels if each], file)
        if self._truth and without:
            first = self.tree.where(self.keys[self._labels.index(None)])
            _log.info("%s: images without a label file show no object: %d (first %s)", file, without, first)

    def truth(self, position: int) -> dict[str, np.ndarray]:
        return self.inspect_truth(position)[0]

    def inspect_truth(self, position: int) -> tuple[dict[str, np.ndarray], str]:
        if not self._truth:
            return {}, ""
        label = self._labels[position]
        lines = list(_objects(label, len(self.class_names))) if label else []
        size = self._size(position) if lines else (1, 1)
        found = BoxTruth(size)
        for number, kind, corners in lines:
            found.add(corners * np.array([size[1], size[0]] * 2), kind, name=f"{label}:{number}")
        return found.values(self._truth), found.note

    def _size(self, position: int) -> tuple[int, int]:
        header = read_header(self.encoded(position))
        if header is None:
            raise InputError("no image that can be read, so that its boxes have no size")
        return header.upright

    def stamp(self, position: int) -> str | None:
        image, label = super().stamp(position), self._labels[position]
        own = stamp_of(label) if label else "no label"
        return image and own and f"{image} {own}"


def _load(file: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "no such file: name the data.yaml of the set, or its folder", where=f"data.path={file}", field="data.path"
        ) from None
    except OSError as error:
        raise InputError(f"{error.strerror}", where=f"data.path={file}", field="data.path") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"not YAML: {' '.join(str(error).split())}", where=f"data.path={file}", field="data.path"
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            "not a data.yaml, which is a mapping with 'train', 'val' and 'names'",
            where=f"data.path={file}",
            field="data.path",
        )
    return content


def _names(names: Any, count: Any, file: str) -> list[str]:
    """The class names in the order of their ids, from a list or from a mapping of ids."""
    if isinstance(names, dict):
        ids = list(names)
        if any(type(each) is not int for each in ids):
            raise InputError(
                f"'names' has the id {next(each for each in ids if type(each) is not int)!r}", where=str(file)
            )
        missing = sorted(set(range(max(ids, default=-1) + 1)) - set(ids))
        if missing:
            raise InputError(
                f"'names' has no id {missing[0]}: ids go from 0 to {max(ids)} without a gap", where=str(file)
            )
        names = [names[each] for each in sorted(ids)]
    if not isinstance(names, list) or not names:
        raise InputError("'names' is missing: a list of the class names, or a mapping from their ids", where=str(file))
    names = [str(each) for each in names]
    if type(count) is int and count != len(names):
        raise InputError(f"'nc' is {count}, and 'names' has {len(names)}: correct one of them", where=str(file))
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"'names' has '{repeated}' twice", where=str(file))
    return names


def _splits(content: Mapping[str, Any], file: str, root: str) -> dict[str, list[str]]:
    """Split to the folders and lists of its images."""
    base = content.get("path")
    bases = [os.path.join(root, str(base))] if base else []
    found: dict[str, list[str]] = {}
    for key, split in SPLIT_NAMES.items():
        value = content.get(key)
        if not value:
            continue
        places = [str(each) for each in (value if isinstance(value, list) else [value])]
        found.setdefault(split, []).extend(_existing(place, [*bases, root], f"{file}: '{key}'") for place in places)
    if not found:
        raise InputError(
            "no 'train', 'val' or 'test': each names a folder of images or a list of them", where=str(file)
        )
    return found


def _existing(place: str, bases: Sequence[str], where: str) -> str:
    """Where a split lies. Roboflow writes `../train/images` for what stands beside the data.yaml."""
    inside = place
    while inside.startswith(("../", "./")):
        inside = inside.partition("/")[2]
    candidates = [os.path.join(base, each) for each in dict.fromkeys([place, inside]) for base in bases]
    for each in candidates:
        if os.path.exists(each):
            return os.path.normpath(each)
    tried = ", ".join(dict.fromkeys(map(os.path.normpath, candidates)))
    raise InputError(f"{where} is {place}, and there is no such folder or list: looked for {tried}")


def _images(places: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    for place in places:
        if os.path.isdir(place):
            tree = DiskTree(place)
            yield from map(tree.where, list_images(tree, exclude, place=place).images)
        elif place.lower().endswith(tuple(f".{each}" for each in EXTENSIONS)):
            yield place
        else:
            yield from _listed(place)


def _listed(file: str) -> Iterator[str]:
    """The images that a text file names, one a line, relative to its folder."""
    folder = os.path.dirname(file)
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("not a list of images: it is not UTF-8 text", where=str(file)) from None
    except OSError as error:
        raise InputError(f"{error.strerror}", where=str(file)) from None
    for number, line in enumerate(lines, 1):
        if line := line.strip():
            image = os.path.normpath(os.path.join(folder, line))
            if not os.path.isfile(image):
                raise InputError(f"{file}:{number}: no image {image}: add it, or take the line out")
            yield image


def _label_of(image: str) -> str | None:
    return next((each for each in _candidates(image) if os.path.isfile(each)), None)


def _candidates(image: str) -> list[str]:
    beside = os.path.splitext(image)[0] + ".txt"
    head, found, tail = beside.rpartition(f"{os.sep}images{os.sep}")
    return [f"{head}{os.sep}labels{os.sep}{tail}", beside] if found else [beside]


def _tell_strays(labels: Sequence[str], file: str) -> None:
    """Counts label files without an image, in folders of nothing but labels."""
    folders = {os.path.dirname(each) for each in labels if f"{os.sep}labels{os.sep}" in each}
    known = set(labels)
    there = (each.path for folder in sorted(folders) for each in os.scandir(folder) if each.name.endswith(".txt"))
    strays = sorted(each for each in there if each not in known and os.path.basename(each) != "classes.txt")
    if strays:
        _log.warning("%s: label files without an image: %d (first %s)", file, len(strays), strays[0])


def _wanted(tree: DiskTree, key: str) -> str:
    return " or ".join(_candidates(tree.where(key)))


def _objects(file: str, count: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Line, class id and corners in fractions of the image of each object in a label file."""
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("not text: a line is 'class x y width height'", where=str(file)) from None
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        try:
            values = np.array([float(each) for each in cells])
        except ValueError:
            raise InputError(f"{file}:{number}: not numbers: a line is 'class x y width height'") from None
        kind, places = values[0], values[1:]
        if not float(kind).is_integer() or not 0 <= kind < count:
            raise InputError(f"{file}:{number}: class {cells[0]}, and 'names' of the data.yaml has 0 to {count - 1}")
        if not np.isfinite(places).all():
            raise InputError(f"{file}:{number}: a coordinate is no finite number")
        if places.size and (places.max() > 1 + MAX_BEYOND or places.min() < -MAX_BEYOND):
            wrong = cells[1 + int(np.argmax(np.abs(places - 0.5)))]
            raise InputError(
                f"{file}:{number}: {wrong} does not lie between 0 and 1: YOLO's boxes are in fractions of the image; "
                "divide x and width by its width, y and height by its height"
            )
        if len(places) == 4:
            x, y, width, height = places
            yield number, int(kind), np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        elif len(places) >= 6 and len(places) % 2 == 0:
            points = places.reshape(-1, 2)
            yield number, int(kind), np.concatenate([points.min(axis=0), points.max(axis=0)])
        else:
            raise InputError(
                f"{file}:{number}: {len(cells)} numbers: a line is 'class x y width height', or a class and a polygon"
            )
