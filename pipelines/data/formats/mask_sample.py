"""What some masks of a data set hold, in numbers."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....models.errors import InputError
from .mask_encoding import count_values, pack, unpack
from .mask_image import Kind, MaskImage
from .mask_options import Color

LOOKED_AT = 200
"""Masks that are looked at, spread over all."""


@dataclass(frozen=True)
class Seen:
    """What one mask holds.

    Attributes:
        name: of the mask.
        kind: of its pixels.
        values: value to pixels that have it; of colours their numbers (`encoding.pack`).
        colors: of a palette, index to its colour, of those that occur.
    """

    name: str
    kind: Kind
    values: dict[int, int]
    colors: dict[int, Color]

    def in_colors(self) -> Counter[Color]:
        """Colour to pixels, not of `deep`."""
        found: Counter[Color] = Counter()
        for value, count in self.values.items():
            if self.kind == "colors":
                found[unpack(value)] += count
            else:
                found[self.colors[value] if self.kind == "palette" else (value, value, value)] += count
        return found


@dataclass(frozen=True)
class Sample:
    """What the masks that were looked at hold.

    Attributes:
        seen: one each.
        total: how many masks there are.
    """

    seen: Sequence[Seen]
    total: int

    @property
    def kinds(self) -> set[Kind]:
        return {each.kind for each in self.seen}

    @functools.cached_property
    def values(self) -> Counter[int]:
        """Value to pixels over all masks."""
        return sum((Counter(each.values) for each in self.seen), Counter())

    @property
    def share(self) -> str:
        """How many of all were looked at, where it is not all of them; ends in a space."""
        return f"({len(self.seen)} of {self.total} looked at) " if len(self.seen) < self.total else ""


def look_at(names: Sequence[str], read: Callable[[int], MaskImage]) -> Sample:
    """Reads all masks of a small set, of a large one `LOOKED_AT` that are spread over it.

    A mask that cannot be read is passed over here: the check of the data names it.

    Args:
        names: of all masks.
        read: reads the one at a position.

    Raises:
        InputError: of the first mask, if none can be read.
    """
    positions = np.unique(np.linspace(0, len(names) - 1, LOOKED_AT).round().astype(int)).tolist()

    def look(position: int) -> Seen | InputError:
        try:
            return _seen(names[position], read(position))
        except OSError as error:
            return InputError(f"mask {error.filename or names[position]}: {error.strerror or error}")
        except InputError as error:
            return error

    with ThreadPoolExecutor() as pool:  # Pillow and NumPy decode and count outside Python's lock
        found: list[Any] = list(pool.map(look, positions))
    seen = [each for each in found if isinstance(each, Seen)]
    if not seen:
        raise found[0]
    return Sample(seen, len(names))


def _seen(name: str, image: MaskImage) -> Seen:
    values = pack(image.values) if image.kind == "colors" else image.values
    held = count_values(values)
    colors = {index: tuple(image.palette[index].tolist()) for index in held} if image.kind == "palette" else {}
    return Seen(name, image.kind, held, colors)
