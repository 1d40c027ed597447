"""A table of image paths and named truth columns."""

from __future__ import annotations

import csv
import os
import posixpath
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from ....models.contract import Truth
from ....models.errors import InputError, advise, nearest
from ....models.inputs.file_tree import DiskTree
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, ClassNames, FileSource
from .mask_encoding import MaskOptions
from .mask_files import OFFERED, MaskFiles

_FIXED = ("path", "split", "group")


class CsvOptions(MaskOptions):
    """The recipe's `data` section of a table of images."""

    path: RecipePath
    """The CSV file; its first line names the columns."""
    root: RecipePath = ""
    """The folder that paths of images and masks are relative to; empty: the folder of the CSV file."""
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
    """One row an image: its path, its truth, and `split` and `group` where the table has such columns.

    Keys are the paths relative to `root`. Truth of the roles "class_ids" and "multi_hot" is class names, also where
    they look like numbers; "mask" is the path of a mask file, which brings "instances", too; the rest is a number or a
    text, as its type says.
    """

    Options = CsvOptions

    def __init__(self, options: CsvOptions, truth: Mapping[str, Truth] | None):
        truth = truth or {}
        in_masks = {
            name: truth[name]
            for name, offered in OFFERED.items()
            if not truth.keys().isdisjoint(("mask", "boxes")) and name in truth and offered.shape == truth[name].shape
        }
        in_cells = {name: wanted for name, wanted in truth.items() if name not in in_masks}
        names = [*_FIXED, *(["mask"] if in_masks else []), *in_cells]
        for name in options.columns:
            if name not in names:
                raise InputError(f"data.columns.{name}: the task wants no '{name}': {nearest(name, names)}")
        optional = [
            name
            for name in ("split", "group", *(["mask"] if "mask" not in truth else []))
            if name not in options.columns
        ]
        columns = {name: options.columns.get(name, name) for name in names}
        rows = read_rows(options.path, options.delimiter, columns, optional)
        if in_masks and "mask" not in rows[0].cells:
            raise InputError(
                "no column 'mask', whose objects would have boxes: data.source=box_table reads a "
                "table with a row for each box",
                where=options.path,
            )
        self._file = options.path
        root = os.path.abspath(options.root or os.path.dirname(options.path))
        self.keys = self._each(rows, lambda row: _path(row, "path", root))
        self.tree = DiskTree(root)
        self._check_repeated(rows)
        self._check_files(rows, self.keys, "image")
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

    def truth(self, position: int) -> dict[str, np.generic | np.ndarray | str]:
        values = {name: reader.value(parsed[position]) for name, (reader, parsed) in self._columns.items()}
        return values | (self._masks.truth(position) if self._masks else {})

    def stamp(self, position: int) -> str | None:
        image = super().stamp(position)
        if image is not None:  # the row's truth changes without the file
            cells = repr([parsed[position] for _, parsed in self._columns.values()])
            image = f"{image} {blake2b(cells.encode(), digest_size=16).hexdigest()}"
        return self._masks.stamp(position, image) if self._masks else image

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


@dataclass(frozen=True)
class Row:
    """The cells of one row, stripped of white space.

    Attributes:
        line: from 1, at the row's start.
        cells: those that are wanted, by name.
        named: all of them, by the name of their column; without columns that have none or share one.
    """

    line: int
    cells: Mapping[str, str]
    named: Mapping[str, str]


def read_rows(file: str, delimiter: str, columns: Mapping[str, str], optional: Sequence[str]) -> list[Row]:
    """Reads the named columns of a CSV file with a header (RFC 4180; UTF-8 with or without BOM; blank lines skipped).

    Args:
        file: path of the file.
        delimiter: what stands between cells.
        columns: wanted name to the column's name in the header.
        optional: names that are left out where the header has no such column.

    Raises:
        InputError: file missing, empty, not UTF-8 or not CSV; column missing; row of another length than the header.
    """
    rows = _cells(file, delimiter)
    header_line, header = next(rows, (0, []))
    if not header:
        raise InputError("empty: the first line names the columns", where=str(file))
    header = [name.strip() for name in header]
    at = {}
    for name, column in columns.items():
        if header.count(column) > 1:
            raise InputError(f"{file}:{header_line}: {header.count(column)} columns are called '{column}'")
        if column in header:
            at[name] = header.index(column)
        elif name not in optional:
            raise InputError(_no_column(f"{file}:{header_line}", name, column, header, delimiter))
    single = {name: position for position, name in enumerate(header) if name and header.count(name) == 1}
    found = []
    for line, cells in rows:
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise InputError(f"{file}:{line}: {len(cells)} cells, and the header names {len(header)} columns")
        cells = [cell.strip() for cell in cells]
        wanted, named = ({name: cells[place] for name, place in each.items()} for each in (at, single))
        found.append(Row(line, wanted, named))
    if not found:
        raise InputError("no rows below the header", where=str(file))
    return found


def _cells(file: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not blank."""
    line = 1
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True, skipinitialspace=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, cells
                line = reader.line_num + 1
    except FileNotFoundError:
        raise InputError("no such file", where=f"data.path={file}", field="data.path") from None
    except IsADirectoryError:
        raise InputError(
            "a folder, not a CSV file: data.source=folder reads folders", where=f"data.path={file}", field="data.path"
        ) from None
    except OSError as error:
        raise InputError(f"{error.strerror}", where=f"data.path={file}", field="data.path") from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8: save the table as UTF-8", where=str(file)) from None
    except csv.Error as error:
        raise InputError(f"{file}:{line}: not CSV: {error}") from None


def _no_column(place: str, name: str, column: str, header: list[str], delimiter: str) -> str:
    other = next((each for each in ";\t|," if each != delimiter and len(header) == 1 and each in header[0]), None)
    if other:
        line = advise("data.delimiter", other)
        return f"{place}: no column '{column}': cells seem to be separated by {other!r}: say {line}"
    return f"{place}: no column '{column}': {nearest(column, header)} (data.columns.{name} names the column)"


class Column(ABC):
    """Reads one truth column: `parse` a cell while the table is opened, `value` when the sample is wanted."""

    class_names: Sequence[str] = ()

    def __init__(self, name: str, wanted: Truth):
        self.name = name
        self.dtype = None if wanted.dtype == "string" else np.dtype(wanted.dtype)

    @abstractmethod
    def parse(self, cell: str) -> Any:
        """A compact form of the cell.

        Raises:
            ValueError: what is wrong with it, in words.
        """

    @abstractmethod
    def value(self, parsed: Any) -> np.generic | np.ndarray | str:
        """The truth itself, of the wanted dtype and shape."""


class ClassColumn(Column):
    """One class name a cell to its id, shape ()."""

    def __init__(self, name: str, wanted: Truth, class_names: Sequence[str]):
        super().__init__(name, wanted)
        self.class_names = class_names
        self._ids = {each: label for label, each in enumerate(class_names)}

    def parse(self, cell: str) -> int:
        if not cell:
            raise ValueError(f"no {self.name}")
        if cell not in self._ids:
            raise ValueError(f"{self.name} '{cell}' is not in data.classes: {nearest(cell, self._ids)}")
        return self._ids[cell]

    def value(self, parsed: int) -> np.generic:
        return self.dtype.type(parsed)


class ClassesColumn(ClassColumn):
    """Any number of class names a cell, none too, to a vector of 0 and 1, shape (classes,)."""

    def __init__(self, name: str, wanted: Truth, class_names: Sequence[str], separator: str):
        super().__init__(name, wanted, class_names)
        self.separator = separator

    def parse(self, cell: str) -> tuple[int, ...]:
        return tuple(ClassColumn.parse(self, each) for each in class_names_in(cell, self.separator))

    def value(self, parsed: tuple[int, ...]) -> np.ndarray:
        vector = np.zeros(len(self.class_names), self.dtype)
        vector[list(parsed)] = 1
        return vector


class NumberColumn(Column):
    """A number a cell, shape (); whole where the dtype is."""

    def parse(self, cell: str) -> np.generic:
        whole = np.issubdtype(self.dtype, np.integer)
        try:
            with np.errstate(over="ignore"):
                number = self.dtype.type(int(cell) if whole else float(cell))
        except (ValueError, OverflowError):
            kind = f"whole number of type {self.dtype}" if whole else "number"
            raise ValueError(f"{self.name} '{cell}' is not a {kind}") from None
        if not np.isfinite(number):
            raise ValueError(f"{self.name} '{cell}' is not a finite number of type {self.dtype}")
        return number

    def value(self, parsed: np.generic) -> np.generic:
        return parsed


class TextColumn(Column):
    """The text of a cell, shape ()."""

    def parse(self, cell: str) -> str:
        if not cell:
            raise ValueError(f"no {self.name}")
        return cell

    def value(self, parsed: str) -> str:
        return parsed


def class_names_in(cell: str, separator: str | None) -> list[str]:
    """The class names of a cell, without white space around them; a cell may be empty."""
    parts = cell.split(separator) if separator else [cell]
    return [part.strip() for part in parts if part.strip()]


def column(name: str, wanted: Truth, cells: Sequence[str], classes: list[str] | None, separator: str | None) -> Column:
    """The reader of a truth: class names by its role, else a number or a text by its type.

    Args:
        name: what the task calls it.
        wanted: its type, shape and role.
        cells: all cells of the column, for the class names where `classes` does not give them.
        classes: the class names in their order, or None: those that occur, sorted.
        separator: what stands between the class names of one cell.

    Raises:
        InputError: several classes without a separator, too few classes, or a truth that a cell cannot hold.
    """
    several = wanted.role == "multi_hot"
    if several or wanted.role == "class_ids" and wanted.shape == ():
        if several and separator is None:
            found = next((each for each in "|;," if any(each in cell for cell in cells)), "|")
            line = advise("data.separator", found)
            raise InputError(f"the task wants several {name} an image: say what separates them, {line}")
        between = separator if several else None
        names = classes or sorted({each for cell in cells for each in class_names_in(cell, between)})
        if len(names) < (1 if several else 2):
            only = f"only one class, '{names[0]}'; it takes two or more" if names else "no class names at all"
            raise InputError(f"column of '{name}': {only}")
        return ClassesColumn(name, wanted, names, separator) if several else ClassColumn(name, wanted, names)
    if wanted.shape == () and wanted.dtype == "string":
        return TextColumn(name, wanted)
    if wanted.shape == () and np.dtype(wanted.dtype).kind in "fiu":
        return NumberColumn(name, wanted)
    raise InputError(
        f"data.source=csv reads class names, numbers and text, and the task wants '{name}': {wanted}",
        field="data.source",
    )
