"""What the cells of a column mean: a class, several classes, a number."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....models.contract import Truth
from ....models.errors import InputError, advise, nearest


class Column(ABC):
    """Reads one truth column: `parse` a cell while the table is opened, `value` when the sample is wanted."""

    class_names: Sequence[str] = ()

    def __init__(self, name: str, wanted: Truth):
        self.name = name
        self.dtype = np.dtype(wanted.dtype)

    @abstractmethod
    def parse(self, cell: str) -> Any:
        """A compact form of the cell.

        Raises:
            ValueError: what is wrong with it, in words.
        """

    @abstractmethod
    def value(self, parsed: Any) -> np.generic | np.ndarray:
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


def class_names_in(cell: str, separator: str | None) -> list[str]:
    """The class names of a cell, without white space around them; a cell may be empty."""
    parts = cell.split(separator) if separator else [cell]
    return [part.strip() for part in parts if part.strip()]


def column(name: str, wanted: Truth, cells: Sequence[str], classes: list[str] | None, separator: str | None) -> Column:
    """The reader of the truth `name`: "label" and "labels" are class names, any other scalar is a number.

    Args:
        name: what the task calls it.
        wanted: its dtype and shape.
        cells: all cells of the column, for the class names where `classes` does not give them.
        classes: the class names in their order, or None: those that occur, sorted.
        separator: what stands between the class names of one cell.

    Raises:
        InputError: "labels" without a separator, too few classes, or a truth that a cell cannot hold.
    """
    if name in ("label", "labels"):
        several = name == "labels"
        if several and separator is None:
            found = next((each for each in "|;," if any(each in cell for cell in cells)), "|")
            line = advise("data.separator", found)
            raise InputError(f"the task wants several labels a picture: say what separates them, {line}")
        between = separator if several else None
        names = classes or sorted({each for cell in cells for each in class_names_in(cell, between)})
        if len(names) < (1 if several else 2):
            only = f"only one class, '{names[0]}'; it takes two or more" if names else "no class names at all"
            raise InputError(f"column of '{name}': {only}")
        return ClassesColumn(name, wanted, names, separator) if several else ClassColumn(name, wanted, names)
    if wanted.shape == () and np.dtype(wanted.dtype).kind in "fiu":
        return NumberColumn(name, wanted)
    raise InputError(f"data.source=csv reads class names and numbers, and the task wants '{name}': {wanted}")
