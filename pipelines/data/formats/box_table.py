"""A table with one row for each box."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from ....models.contract import Truth
from ....models.errors import InputError, nearest
from ....models.inputs.file_tree import DiskTree
from ....models.inputs.image.header import read_header
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, ClassNames, DataOptions, FileSource, check_truth
from .boxes import OFFERED, BoxTruth

_KNOWN = {
    "path": ("path", "filename", "file_name", "image", "image_path", "image_id", "img"),
    "class": ("class", "class_name", "label", "label_name", "name", "category"),
    "x_min": ("x_min", "xmin", "x1", "left"),
    "y_min": ("y_min", "ymin", "y1", "top"),
    "x_max": ("x_max", "xmax", "x2", "right"),
    "y_max": ("y_max", "ymax", "y2", "bottom"),
    "split": ("split", "set", "subset"),
    "group": ("group",),
}
"""What we call a column, to what others do (in lower case)."""
_OPTIONAL = ("split", "group")
_RETINANET = ("path", "x_min", "y_min", "x_max", "y_max", "class")
"""The columns of a table without header, as keras-retinanet reads it."""


class BoxTableOptions(DataOptions):
    """The recipe's `data` section of a table of boxes."""

    path: RecipePath
    """The CSV file: with a header, as the TensorFlow Object Detection API has it
    (`filename,width,height,class,xmin,ymin,xmax,ymax`), or without, as keras-retinanet
    (`path,x1,y1,x2,y2,class_name`). A row with a path alone is an image without objects."""
    root: RecipePath = ""
    """The folder that paths of images are relative to; empty: the folder of the CSV file."""
    columns: dict[str, str] = {}
    """`path`, `class`, `x_min`, `y_min`, `x_max`, `y_max`, `split` or `group` to the column's name, where it is none
    that is known."""
    classes: ClassNames | None = None
    """The class names in their order; by default those that occur, sorted."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What stands between the cells of a row."""


class Row(NamedTuple):
    line: int
    cells: Mapping[str, str]


class BoxTable(FileSource):
    """Boxes are pixels: x_min, y_min, x_max, y_max of the upright image. Keys are paths relative to `root`."""

    Options = BoxTableOptions

    def __init__(self, options: BoxTableOptions, truth: Mapping[str, Truth] | None):
        check_truth("box_table", truth, OFFERED)
        self._truth, self._file = truth or {}, options.path
        for name in options.columns:
            if name not in _KNOWN:
                raise InputError(f"data.columns.{name}: {nearest(name, _KNOWN)}")
        rows = _read(options)
        root = os.path.abspath(options.root or os.path.dirname(options.path))
        self.tree = DiskTree(root)
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            path = row.cells["path"]
            if not path:
                raise InputError(f"{self._file}:{row.line}: no path of an image")
            key = os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
            self._rows.setdefault(key, []).append(row)
        self.keys = list(self._rows)
        missing = [key for key in self.keys if not os.path.isfile(self.tree.where(key))]
        if missing:
            line = self._rows[missing[0]][0].line
            raise InputError(
                f"{self._file}:{line}: no image {self.tree.where(missing[0])} ({len(missing)} of {len(self.keys)} are "
                "missing): data.root is the folder that paths are relative to"
            )
        named = {row.cells["class"]: row.line for row in reversed(rows) if row.cells["class"]}
        self.class_names = options.classes or sorted(named)
        for name, line in named.items():
            if name not in self.class_names:
                raise InputError(f"{self._file}:{line}: class '{name}' is not in data.classes: {nearest(name, named)}")
        self.splits = self._of_each("split", SPLIT_NAMES)
        groups = {key: rows[0].cells.get("group") or key for key, rows in self._rows.items()}
        self.groups = list(groups.values())

    def _of_each(self, name: str, known: Mapping[str, str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for position, (key, rows) in enumerate(self._rows.items()):
            values = {row.cells[name] for row in rows if row.cells.get(name)}
            if not values:
                continue
            if len(values) > 1:
                raise InputError(f"{self._file}:{rows[0].line}: {key} is in the splits {' and '.join(sorted(values))}")
            (value,) = values
            if value.lower() not in known:
                raise InputError(f"{self._file}:{rows[0].line}: split '{value}': {nearest(value.lower(), known)}")
            found.setdefault(known[value.lower()], []).append(position)
        return found

    def truth(self, position: int) -> dict[str, np.ndarray]:
        return self.inspect_truth(position)[0]

    def inspect_truth(self, position: int) -> tuple[dict[str, np.ndarray], str]:
        if not self._truth:
            return {}, ""
        header = read_header(self.encoded(position))
        found = BoxTruth(None if header is None else header.upright)
        for row in self._rows[self.keys[position]]:
            corners = [row.cells[name] for name in _RETINANET[1:5]]
            if not any(corners) and not row.cells["class"]:
                continue  # an image without objects
            where = f"{self._file}:{row.line}"
            if not row.cells["class"]:
                raise InputError("a box without a class", where=where)
            numbers = [_number(text, name, where) for text, name in zip(corners, _RETINANET[1:5], strict=True)]
            found.add(numbers, list(self.class_names).index(row.cells["class"]), name=where)
        return found.values(self._truth), found.note

    def stamp(self, position: int) -> str | None:
        image = super().stamp(position)
        rows = repr([sorted(row.cells.items()) for row in self._rows[self.keys[position]]])
        return image and f"{image} {blake2b(rows.encode(), digest_size=16).hexdigest()}"


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} is '{text}', and it takes a number of pixels", where=where) from None


def _read(options: BoxTableOptions) -> list[Row]:
    """The rows, with the cells that are wanted by our names."""
    file = options.path
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=options.delimiter, strict=True, skipinitialspace=True)
            lines = [(reader.line_num, [each.strip() for each in cells]) for cells in reader]
    except FileNotFoundError:
        raise InputError("no such file", where=f"data.path={file}", field="data.path") from None
    except OSError as error:
        raise InputError(f"{error.strerror}", where=f"data.path={file}", field="data.path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"not a CSV file in UTF-8: {error}", where=f"data.path={file}", field="data.path") from None
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise InputError("empty: there is no row", where=f"data.path={file}", field="data.path")
    number, first = lines[0]
    if len(first) == len(_RETINANET) and not options.columns and _is_row(first):
        at, body = {name: place for place, name in enumerate(_RETINANET)}, lines
    else:
        at, body = _columns(first, options, f"{file}:{number}"), lines[1:]
    width = len(first)
    for number, cells in body:
        if len(cells) != width:
            raise InputError(f"{file}:{number}: {len(cells)} cells, and the first row has {width}")
    if not body:
        raise InputError("no rows below the header", where=str(file))
    return [Row(number, {name: cells[place] for name, place in at.items()}) for number, cells in body]


def _is_row(cells: list[str]) -> bool:
    """Whether this is a row of keras-retinanet's, numbers between path and class or nothing at all, and no header."""
    return all(not each or each.replace(".", "", 1).lstrip("-").isdigit() for each in cells[1:5])


def _columns(header: list[str], options: BoxTableOptions, where: str) -> dict[str, int]:
    lower = [each.lower() for each in header]
    at: dict[str, int] = {}
    for name, known in _KNOWN.items():
        if name in options.columns:
            if options.columns[name] not in header:
                raise InputError(
                    f"no column '{options.columns[name]}' (data.columns.{name}): "
                    f"{nearest(options.columns[name], header)}",
                    where=where,
                )
            at[name] = header.index(options.columns[name])
            continue
        found = [each for each in known if each in lower]
        if found:
            at[name] = lower.index(found[0])
        elif name not in _OPTIONAL:
            raise InputError(
                f"no column for {name} (as {', '.join(known[:3])}); it has {', '.join(header[:12])}: "
                f"data.columns.{name} names it",
                where=where,
            )
    return at
