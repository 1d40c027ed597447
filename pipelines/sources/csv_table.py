"""A table of picture paths and named truth columns."""

import os
import posixpath
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from ...models.contract import Truth
from ...models.errors import InputError, nearest
from ...models.inputs.file_tree import DiskTree
from ...models.options import RecipePath
from ..source import SPLIT_NAMES, ClassNames
from .csv_rows import Row, read_rows
from .csv_truth import Column, column
from .file_source import FileSource
from .mask_formats.files import OFFERED, MaskFiles
from .mask_formats.options import MaskOptions

_FIXED = ("path", "split", "group")


class CsvOptions(MaskOptions):
    """The recipe's `data` section of a table of pictures."""

    path: RecipePath
    """The CSV file; its first line names the columns."""
    root: RecipePath = ""
    """The folder that paths of pictures and masks are relative to; empty: the folder of the CSV file."""
    columns: dict[str, str] = {}
    """`path`, a truth of the task (`label`, `mask`, ...), `split` or `group` to the column's name, where it differs."""
    classes: ClassNames | None = None
    """The class names in their order; by default those that occur, sorted, and of masks background and foreground, or
    class_0, class_1, ..."""
    separator: str | None = Field(None, min_length=1)
    """What stands between the class names in one cell of `labels`."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What stands between the cells of a row; `\\t` is a tab."""

    @field_validator("delimiter", mode="before")
    @classmethod
    def _read_tab(cls, value: Any) -> Any:
        return "\t" if value == "\\t" else value


class Csv(FileSource):
    """One row a picture: its path, its truth, and `split` and `group` where the table has such columns.

    Keys are the paths relative to `root`. "label" and "labels" are class names, also where they look like numbers;
    "mask" is the path of a mask file, which brings "instances", too.
    """

    Options = CsvOptions

    def __init__(self, options: CsvOptions, truth: Mapping[str, Truth] | None):
        truth = truth or {}
        in_masks = {name: truth[name] for name in OFFERED if "mask" in truth and name in truth}
        in_cells = {name: wanted for name, wanted in truth.items() if name not in in_masks}
        names = [*_FIXED, *(["mask"] if in_masks else []), *in_cells]
        for name in options.columns:
            if name not in names:
                raise InputError(f"data.columns.{name}: the task wants no '{name}': {nearest(name, names)}")
        optional = [name for name in ("split", "group") if name not in options.columns]
        columns = {name: options.columns.get(name, name) for name in names}
        rows = read_rows(options.path, options.delimiter, columns, optional)
        self._file = options.path
        root = os.path.abspath(options.root or os.path.dirname(options.path))
        self.keys = self._each(rows, lambda row: _path(row, "path", root))
        self.tree = DiskTree(root)
        self._check_repeated(rows)
        self._check_files(rows, self.keys, "picture")
        self.splits = self._read_splits(rows)
        self.groups = self._each(rows, _group) if "group" in rows[0].cells else self.keys

        self._texts = {name: [row.named[name] for row in rows] for name in rows[0].named}
        self._columns: dict[str, tuple[Column, list[Any]]] = {}
        self.class_names = options.classes or []
        for name, wanted in in_cells.items():
            reader = column(name, wanted, [row.cells[name] for row in rows], options.classes, options.separator)
            self._columns[name] = reader, self._each(rows, _parser(reader, name))
            self.class_names = reader.class_names or self.class_names
        self._masks = None
        if in_masks:
            paths = self._each(rows, lambda row: _path(row, "mask", root))
            self._check_files(rows, paths, "mask")
            self._masks = MaskFiles(self.tree, paths, options, in_masks, f"{self._file}: masks", self.encoded)
            self.class_names = self._masks.class_names

    def truth(self, position: int) -> dict[str, np.generic | np.ndarray]:
        values = {name: reader.value(parsed[position]) for name, (reader, parsed) in self._columns.items()}
        return values | (self._masks.truth(position) if self._masks else {})

    def stamp(self, position: int) -> str | None:
        picture = super().stamp(position)
        if picture is not None:  # the row's truth changes without the file
            cells = repr([parsed[position] for _, parsed in self._columns.values()])
            picture = f"{picture} {blake2b(cells.encode(), digest_size=16).hexdigest()}"
        return self._masks.stamp(position, picture) if self._masks else picture

    @property
    def columns(self) -> Mapping[str, list[str]]:
        """Every column of the table."""
        return self._texts

    def _each(self, rows: list[Row], parse: Callable[[Row], Any]) -> list[Any]:
        """`parse` of every row; its ValueError is told with file and line."""
        parsed = []
        for row in rows:
            try:
                parsed.append(parse(row))
            except ValueError as error:
                raise InputError(f"{self._file}:{row.line}: {error}") from None
        return parsed

    def _check_repeated(self, rows: list[Row]) -> None:
        seen: dict[str, int] = {}
        for row, key in zip(rows, self.keys, strict=True):
            if seen.setdefault(key, row.line) != row.line:
                raise InputError(f"{self._file}:{row.line}: '{key}' stands in line {seen[key]} already")

    def _check_files(self, rows: list[Row], paths: list[str], noun: str) -> None:
        missing = [at for at, path in enumerate(paths) if not os.path.exists(self.tree.where(path))]
        if missing:
            first = missing[0]
            others = f" ({len(missing)} of {len(rows)} {noun}s are missing)" if len(missing) > 1 else ""
            raise InputError(
                f"{self._file}:{rows[first].line}: no {noun} {self.tree.where(paths[first])}{others}: "
                "data.root is the folder that paths are relative to"
            )

    def _read_splits(self, rows: list[Row]) -> dict[str, list[int]]:
        if "split" not in rows[0].cells:
            return {}
        splits: dict[str, list[int]] = {}
        for position, split in enumerate(self._each(rows, _split)):
            splits.setdefault(split, []).append(position)
        return splits


def _parser(reader: Column, name: str) -> Callable[[Row], Any]:
    return lambda row: reader.parse(row.cells[name])


def _path(row: Row, name: str, root: str) -> str:
    """A file's path relative to `root` in one spelling; absolute where it lies elsewhere."""
    if not row.cells[name]:
        raise ValueError(f"no {name}")
    path = Path(posixpath.normpath(Path(root, row.cells[name]).as_posix()))
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _group(row: Row) -> str:
    if not row.cells["group"]:
        raise ValueError("no group")
    return row.cells["group"]


def _split(row: Row) -> str:
    value = row.cells["split"]
    if value.lower() not in SPLIT_NAMES:
        raise ValueError(f"split '{value}': {nearest(value.lower(), SPLIT_NAMES)}")
    return SPLIT_NAMES[value.lower()]
