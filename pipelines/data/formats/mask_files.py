"""The masks of a source: found, understood, and read one by one."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ....models.contract import Truth
from ....models.errors import InputError, in_yaml
from ....models.inputs.exports import LABELMAP, colors_value, labelmap_beside
from ....models.inputs.file_tree import FileTree
from .mask_encoding import (
    CLASSES,
    KINDS,
    MANY,
    Binary,
    Color,
    Colors,
    Encoding,
    Ids,
    Instances,
    MaskOptions,
    Palette,
    count_values,
    default_names,
    pack,
    pixels,
    unpack,
)
from .mask_image import LOSSY, WHY_LOSSY, Kind, MaskImage, check_turn, read_mask

_log = logging.getLogger(__name__)

OFFERED = {"mask": Truth("uint8", (None, None)), "instances": Truth("uint16", (None, None))}
"""What mask files bring; `instances` where they hold object numbers."""


class MaskFiles:
    """One mask file a sample; safe to read from many threads.

    Args:
        tree: where they lie.
        paths: in it, in the order of the samples.
        options: what their pixels mean.
        truth: what the task wants of them, of `OFFERED`.
        place: what a person calls them all, for messages.
        read_picture: the encoded picture at a position.

    Attributes:
        class_names: in the order of their ids.

    Raises:
        InputError: masks that lose class ids, whose encoding is ambiguous or contradicts the options, or without the
            objects that the task wants.
    """

    def __init__(
        self,
        tree: FileTree,
        paths: Sequence[str],
        options: MaskOptions,
        truth: Mapping[str, Truth],
        place: str,
        read_picture: Callable[[int], bytes],
    ):
        self._tree, self._paths, self._read_picture = tree, paths, read_picture
        self._dtypes = {name: np.dtype(wanted.dtype) for name, wanted in truth.items()}
        self._upright: set[int] = set()  # positions whose picture's EXIF was looked at
        lossy = [path for path in paths if path.lower().rpartition(".")[2] in LOSSY]
        if lossy:
            kind = "WebP" if lossy[0].lower().endswith("webp") else "JPEG"
            raise InputError(f"{place}: {len(lossy)} of {len(paths)} masks are {kind} (first {lossy[0]}): {WHY_LOSSY}")
        self._encoding, found = Detection(
            lambda: look_at(paths, self._image), options, place, lambda: labelmap_beside(tree)
        ).encoding()
        self.class_names = self._encoding.class_names
        if "instances" in truth and self._encoding.name != "instances":
            raise InputError(
                f"{place}: {found}: they do not tell objects apart, and the task wants 'instances' (model.instances): "
                "give masks that number objects"
            )
        _log.info("masks: %s", found)

    def truth(self, position: int) -> dict[str, np.ndarray]:
        """The wanted truth of one sample.

        Raises:
            OSError: the mask cannot be read.
            InputError: it is wrong; how, in a phrase. A `RecipeError` where it shows a class that nobody named.
        """
        image = self._image(position)
        try:
            if position not in self._upright:
                check_turn(image.size, self._read_picture(position))
                self._upright.add(position)
            values = self._encoding.decode(image)
        except InputError as error:
            raise self._told(position, error) from None
        return {name: values[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()}

    def stamp(self, position: int, picture: str | None) -> str | None:
        """What changes whenever the picture, by its own stamp, or the mask does; None where that cannot be told."""
        mask = self._tree.stamp(self._paths[position])
        return None if picture is None or mask is None else f"{picture} {mask}"

    def _image(self, position: int) -> MaskImage:
        data = self._tree.read(self._paths[position])
        try:
            return read_mask(data)
        except InputError as error:
            raise self._told(position, error) from None

    def _told(self, position: int, error: InputError) -> InputError:
        return type(error)(f"mask {self._tree.where(self._paths[position])}: {error}")


_SHOWN = 16
_AS_OBJECTS = "'encoding: instances' if each number is an object"
_AS_CLASSES = "if each number is a class, write below data 'encoding: ids' and 'classes: [...]'"
_SMOOTH = "values in between come of JPEG compression or smooth edges: save masks without"


class Detection:
    """The encoding of the masks of a data set.

    Args:
        look: reads a sample of them; asked only where the recipe does not say all.
        options: what the recipe says of them.
        place: what a person calls them all, at the start of a message.
        named_colors: class name to colour by a table beside the masks; empty where there is none.
    """

    def __init__(
        self,
        look: Callable[[], Sample],
        options: MaskOptions,
        place: str,
        named_colors: Callable[[], Mapping[str, Color]] = dict,
    ):
        self._look, self._options, self._place, self._named_colors = look, options, place, named_colors

    @cached_property
    def _sample(self) -> Sample:
        return self._look()

    @cached_property
    def _colors(self) -> FoundColors:
        return find_colors(self._sample.seen)

    def encoding(self) -> tuple[Encoding, str]:
        """The encoding, and in a phrase what was found.

        Raises:
            InputError: masks that contradict the recipe or each other, or could mean two things.
        """
        name = self._options.encoding
        if self._options.colors:
            encoding = Colors(self._options.colors)
            return encoding, f"colours of data.colors: {_listed(encoding.class_names)}"
        if name == "binary":
            return self._binary()
        if name == "instances":
            return self._instances("")
        if name == "colors":
            raise self._without_colors()
        if name != "auto":
            return self._ids(Palette if name == "palette" else Ids)
        encoding, found = self._found()
        return encoding, f"{found} {self._sample.share}".rstrip()

    def _found(self) -> tuple[Encoding, str]:
        kinds = self._sample.kinds
        if kinds == {"deep"}:
            most = max(sum(value > 0 for value in each.values) for each in self._sample.seen)
            return self._instances(f", 16 bits, up to {most} in one mask")
        if kinds <= {"bits", "grey"}:
            return self._in_grey()
        if kinds == {"palette"}:
            self._check_palettes()
            return self._numbers(Palette)
        if "colors" in kinds and "deep" not in kinds:
            raise self._without_colors()
        count = Counter(each.kind for each in self._sample.seen)
        first = {each.kind: each.name for each in reversed(self._sample.seen)}
        told = ", ".join(f"{number} are {KINDS[kind]} (first {first[kind]})" for kind, number in count.most_common())
        if {"deep", "colors"} <= kinds:
            raise InputError(f"{self._place}: not of one kind: {told}: save masks all alike")
        way = self._colors_line() if "deep" not in kinds else "'encoding: instances'"
        raise self._ambiguous(f"not of one kind: {told}", way)

    def _in_grey(self) -> tuple[Encoding, str]:
        held, ignore, classes = set(self._sample.values), self._options.ignore, self._options.classes
        if held == {0, 255} or held == {0, 255, ignore}:
            return self._binary()
        if held == {0, 1, 255} and ignore == 255 and (not classes or len(classes) == 2):
            as_ids = "'encoding: ids' if 255 does not count"
            raise self._ambiguous(self._values(), as_ids, "'encoding: binary' if 1 and 255 are both foreground")
        return self._numbers(Ids)

    def _numbers(self, kind: type[Ids]) -> tuple[Encoding, str]:
        """Class ids, if these values can be nothing else."""
        if self._options.classes:
            return self._named_numbers(kind, self._options.classes)
        held = self._sample.values
        ids = sorted(set(held) - {self._options.ignore})
        if len(held) == 1:
            raise self._nothing_but(*held)
        ways = (_AS_OBJECTS, f"'encoding: {kind.name}' if each is a class, and 'classes' for their names")
        without_gaps = ids == list(range(len(ids)))
        if len(ids) > MANY and (kind is Palette or without_gaps or len(self._colors.classes) > MANY):
            raise self._ambiguous(self._values(), *ways)
        if kind is Ids and not without_gaps:
            raise self._ambiguous(self._values(), self._way_through_gaps())
        if self._may_count_objects():
            raise self._ambiguous(f"numbers from 1 without a gap in every mask, up to {ids[-1]}", *ways)
        return self._ids(kind)

    def _named_numbers(self, kind: type[Ids], classes: Sequence[str]) -> tuple[Encoding, str]:
        """Class ids, if at least half of the masks hold no others: the check of all data names those that do."""
        known = {*range(len(classes)), self._options.ignore}
        strangers = [each for each in self._sample.seen if not known.issuperset(each.values)]
        if strangers and kind is Ids and len(classes) == 2 and self._is_black_and_white():
            raise self._ambiguous(self._values(), self._way_through_gaps())
        if 2 * len(strangers) <= len(self._sample.seen):
            return self._ids(kind)
        first, looked_at, others = strangers[0], len(self._sample.seen), sorted(set(self._sample.values) - known)
        value = min(set(first.values) - known)
        ways = [_AS_OBJECTS, f"{_names_line(classes, others[-1] + 1)} if each is a class"]
        follow = others == list(range(len(classes), len(classes) + len(others)))
        if kind is Ids and not follow and len(self._colors.classes) <= MANY:
            ways = [self._colors_line()]
        if len(others) == 1 and self._options.ignore not in self._sample.values:
            ways.append(f"'ignore: {others[0]}' if it does not count")
        raise self._ambiguous(
            f"data.classes names {len(classes)}, and {len(strangers)} of {looked_at} masks hold others than 0 to "
            f"{len(classes) - 1}: {_shortened(list(map(str, others)))}, first {first.name}: {value} in "
            f"{pixels(first.values[value])}",
            *ways,
        )

    def _nothing_but(self, value: int) -> InputError:
        what = f"nothing but the value {value}{', the background' if value == 0 else ''} {self._sample.share}".rstrip()
        fix = "give masks that show more, or name the classes in data.classes, if there are others that do"
        return InputError(f"{self._place}: {what}: {fix}")

    def _is_black_and_white(self) -> bool:
        """Whether nothing but strays is beside 0 and 255."""
        return self._colors.classes.keys() == {(0, 0, 0), (255, 255, 255)}

    def _way_through_gaps(self) -> str:
        """What to write for values with gaps: without the strays they may be plainer than a table of colours."""
        if self._is_black_and_white():
            return f"'encoding: binary'{self._colors.left_out()}"
        ids = sorted({color[0] for color in self._colors.classes} - {self._options.ignore})
        if len(ids) > 1 and ids == list(range(len(ids))):
            names = ", ".join(default_names(len(ids)))
            return f"'classes: [{names}]' with your names and the background first{self._colors.left_out()}"
        return self._colors_line()

    def _may_count_objects(self) -> bool:
        """Whether each mask holds 1, 2, ... without a gap, and one more of them than another."""
        counts = set()
        for each in self._sample.seen:
            ids = sorted(set(each.values) - {0, self._options.ignore})
            if ids != list(range(1, len(ids) + 1)):
                return False
            counts.add(len(ids))
        return len(counts - {0}) > 3

    def _check_palettes(self) -> None:
        """Refuses palettes that indices alone do not stand for."""
        ways = (
            "'encoding: palette' if indices are the classes",
            f"{self._colors_line()}, if colours are",
        )
        first: dict[int, tuple[tuple[int, int, int], str]] = {}
        for each in self._sample.seen:
            for index, color in each.colors.items():
                known, name = first.setdefault(index, (color, each.name))
                if known != color:
                    told = f"index {index} is {list(known)} in {name} and {list(color)} in {each.name}"
                    raise self._ambiguous(f"palettes differ, {told}", *ways)
        greys = [color[0] for _, (color, _) in sorted(first.items()) if len(set(color)) == 1]
        if len(greys) == len(first) and greys != sorted(greys):
            raise self._ambiguous("a grey palette in which a higher index is darker", *ways)

    def _ids(self, kind: type[Ids]) -> tuple[Encoding, str]:
        ignore, names, hint, counted_in = self._options.ignore, self._options.classes, "", ""
        if names is None:
            fitting = [each for each in self._sample.seen if each.kind in kind.kinds]
            if not fitting:
                first = self._sample.seen[0]
                raise InputError(f"{self._place}: {first.name}: {kind.refusal(first.kind)}")
            names = default_names(max(max(set(each.values) - {ignore}, default=0) for each in fitting) + 1)
            hint = " (data.classes names them)"
            counted_in = f"{len(self._sample.seen)} of {self._sample.total} masks"
        if len(names) > 255:
            raise InputError(f"{self._place}: {len(names)} classes, and at most 255 can be told apart")
        what = "indices of palettes" if kind is Palette else "class ids in one channel"
        found = f"{what}, 0 to {len(names) - 1}, and {ignore} for what does not count: {_listed(names)}{hint}"
        return kind(names, ignore, counted_in), found

    def _binary(self) -> tuple[Encoding, str]:
        names = self._names(CLASSES["foreground"], "0/255 in one channel")
        return Binary(names, self._options.ignore), f"0/255 in one channel: {names[0]} and {names[1]}"

    def _instances(self, detail: str) -> tuple[Encoding, str]:
        way = self._options.instances
        names = self._names(CLASSES[way], f"object numbers, by data.instances={way},")
        hint = f"; {_AS_CLASSES}" if detail else ""
        return Instances(names, way), f"object numbers{detail}: {_listed(names)} (data.instances={way}{hint})"

    def _names(self, default: Sequence[str], what: str) -> Sequence[str]:
        given = self._options.classes
        if given and len(given) != len(default):
            told = f"are {len(default)} classes, {', '.join(default)}, and data.classes names {len(given)}"
            hint = f": {_AS_CLASSES}" if what.startswith("object") else ""
            raise InputError(f"{self._place}: {what} {told}{hint}")
        return given or default

    def _values(self) -> str:
        held = sorted(self._sample.values)
        told = f"the values {_shortened(list(map(str, held)))}"
        return f"{told} ({_SMOOTH})" if len(held) > 4 and {0, 255} <= set(held) else told

    def _colors_line(self) -> str:
        if names := self._named_colors():
            instead = " in place of classes" if self._options.classes else ""
            return f"'colors: {colors_value(names)}'{instead}, which {LABELMAP} names"
        return self._colors.line(in_place_of_classes=bool(self._options.classes))

    def _without_colors(self) -> InputError:
        if "deep" in self._sample.kinds:
            return InputError(f"{self._place}: {Colors.refusal('deep')}")
        found = self._colors.classes + self._colors.strays
        total = sum(found.values())
        told = [f"{list(color)} {100 * count / total:.3g} %" for color, count in found.most_common()]
        what = f"masks in RGB need a table of colours, and hold {_shortened(told)} {self._sample.share}".rstrip()
        if len(self._colors.classes) > MANY:
            return InputError(f"{self._place}: {what} ({_SMOOTH}): data.colors names the colours of classes")
        return InputError(f"{self._place}: {what}; write below data {self._colors_line()}")

    def _ambiguous(self, what: str, *ways: str) -> InputError:
        told = f"{what} {self._sample.share}".rstrip()
        return InputError(f"{self._place}: ambiguous: {told}; write below data {', or '.join(ways)}")


def _names_line(given: Sequence[str], count: int) -> str:
    """The line of the recipe that names more classes than are given."""
    if count > MANY:
        return f"names for 0 to {count - 1} in 'classes'"
    names = [*given, *(f"class_{at}" for at in range(len(given), count))]
    return f"'classes: {in_yaml(names)}' with your names"


def _listed(names: Sequence[str]) -> str:
    return _shortened(list(names))


def _shortened(told: list[str]) -> str:
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more


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


_TINY = 0.005  # of all pixels
_FEW = 0.1  # of the masks


@dataclass(frozen=True)
class FoundColors:
    """Colours of the masks that were looked at.

    Attributes:
        classes: colour to pixels, of those that look like classes.
        strays: the same of the others, with next to no pixels and in few masks: rather mistakes.
        first_stray: the first mask that holds one of them.
    """

    classes: Counter[Color]
    strays: Counter[Color]
    first_stray: str

    def line(self, in_place_of_classes: bool) -> str:
        """What to write below data, by colour, so that black comes first, which is the background as a rule."""
        found = sorted(color for color, _ in self.classes.most_common(MANY))
        line = "colors: {" + ", ".join(f"class_{at}: {list(color)}" for at, color in enumerate(found)) + "}"
        instead = " in place of classes," if in_place_of_classes else ""
        return f"'{line}'{instead} with your names and the background first{self.left_out()}"

    def left_out(self) -> str:
        """Of the strays, in parentheses after a line that does without them; "" without any."""
        if not self.strays:
            return ""
        told = [_named(color) for color in sorted(self.strays)]
        what = told[0] if len(told) == 1 else f"{len(told)} values such as {told[0]}"
        return f" (without {what}, too rare: {pixels(self.strays.total())}, first in {self.first_stray})"


def find_colors(seen: Sequence[Seen]) -> FoundColors:
    """Tells classes from strays.

    Args:
        seen: what masks hold, none of them `deep`.
    """
    counts, masks = Counter[Color](), Counter[Color]()
    for each in seen:
        held = each.in_colors()
        counts.update(held)
        masks.update(held.keys())
    few = max(1, _FEW * len(seen)) if len(seen) > 1 else 0
    total = counts.total()
    strays = Counter({color: n for color, n in counts.items() if n < _TINY * total and masks[color] <= few})
    if len(strays) == len(counts):  # as of pure noise
        strays.clear()
    first = next((each.name for each in seen if not strays.keys().isdisjoint(each.in_colors())), "")
    return FoundColors(counts - strays, strays, first)


def _named(color: Color) -> str:
    return str(color[0]) if len(set(color)) == 1 else str(list(color))
