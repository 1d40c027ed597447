"""Finds out what the pixels of masks mean, or says what they could mean and which line of the recipe tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from ....models.errors import InputError, in_yaml
from ....models.inputs.exports import LABELMAP, colors_value
from .mask_colors import FoundColors, find_colors
from .mask_encoding import KINDS, MANY, Binary, Colors, Encoding, Ids, Instances, Palette, default_names, pixels
from .mask_objects import CLASSES
from .mask_options import Color, MaskOptions
from .mask_sample import Sample

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
