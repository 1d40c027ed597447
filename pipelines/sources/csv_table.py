"""A table of picture paths and named truth columns."""

import os
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from ...models.errors import InputError, nearest
from ...models.options import RecipePath
from ...models.task import Truth
from ..source import SPLIT_NAMES, DataOptions
from .csv_rows import Row, read_rows
from .csv_truth import Column, column
from .file_source import FileSource
from .picture_tree import DiskTree

_FIXED = ("path", "split", "group")


class CsvOptions(DataOptions):
    """The recipe's `data` section of a table of pictures."""

    path: RecipePath
    """The CSV file; its first line names the columns."""
    root: RecipePath = ""
    """The folder that picture paths are relative to; empty: the folder of the CSV file."""
    columns: dict[str, str] = {}
    """`path`, a truth of the task (`label`, ...), `split` or `group` to the column's name, where it differs."""
    classes: list[str] | None = Field(None, min_length=1)
    """The class names in their order; by default those that occur, sorted."""
    separator: str | None = Field(None, min_length=1)
    """What stands between the class names in one cell of `labels`."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    """What stands between the cells of a row."""

    @field_validator("classes")
    @classmethod
    def _differ(cls, value: list[str] | None) -> list[str] | None:
        repeated = [name for name in value or [] if (value or []).count(name) > 1]
        if repeated:
            raise ValueError(f"class '{repeated[0]}' is given twice")
        return value


class Csv(FileSource):
    """One row a picture: its path, its truth, and `split` and `group` where the table has such columns.

    Keys are the paths relative to `root`. "label" and "labels" are class names, also where they look like numbers.
    """

    Options = CsvOptions

    def __init__(self, options: CsvOptions, truth: Mapping[str, Truth] | None):
        truth = truth or {}
        names = [*_FIXED, *truth]
        for name in options.columns:
            if name not in names:
                raise InputError(f"data.columns.{name}: the task wants no '{name}': {nearest(name, names)}")
        optional = [name for name in ("split", "group") if name not in options.columns]
        columns = {name: options.columns.get(name, name) for name in names}
        rows = read_rows(options.path, options.delimiter, columns, optional)
        self._file = options.path
        root = os.path.abspath(options.root or os.path.dirname(options.path))
        self.keys = self._each(rows, lambda row: _key(row, root))
        self.tree = DiskTree(root)
        self._check_files(rows)
        self.splits = self._read_splits(rows)
        self.groups = self._each(rows, _group) if "group" in rows[0].cells else self.keys

        self._texts = {name: [row.named[name] for row in rows] for name in rows[0].named}
        self._columns: dict[str, tuple[Column, list[Any]]] = {}
        self.class_names = options.classes or []
        for name, wanted in truth.items():
            reader = column(name, wanted, [row.cells[name] for row in rows], options.classes, options.separator)
            self._columns[name] = reader, self._each(rows, _parser(reader, name))
            self.class_names = reader.class_names or self.class_names

    def truth(self, position: int) -> dict[str, np.generic | np.ndarray]:
        return {name: reader.value(parsed[position]) for name, (reader, parsed) in self._columns.items()}

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

    def _check_files(self, rows: list[Row]) -> None:
        seen: dict[str, int] = {}
        for row, key in zip(rows, self.keys, strict=True):
            if seen.setdefault(key, row.line) != row.line:
                raise InputError(f"{self._file}:{row.line}: '{key}' stands in line {seen[key]} already")
        missing = [position for position in range(len(rows)) if not os.path.exists(self.where(position))]
        if missing:
            first = missing[0]
            others = f" ({len(missing)} of {len(rows)} pictures are missing)" if len(missing) > 1 else ""
            raise InputError(
                f"{self._file}:{rows[first].line}: no picture {self.where(first)}{others}: "
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


def _key(row: Row, root: str) -> str:
    """The picture's path relative to `root` in one spelling; absolute where it lies elsewhere."""
    if not row.cells["path"]:
        raise ValueError("no path")
    path = Path(posixpath.normpath(Path(root, row.cells["path"]).as_posix()))
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
