"""Finds out what the pixels of masks mean, or says what they could mean and which line of the recipe tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property

from ....models.errors import InputError
from .encoding import KINDS, Binary, Colors, Encoding, Ids, Instances, Palette, default_names
from .instance_maps import CLASSES
from .options import MaskOptions
from .sample import Sample

MANY = 32
"""Ids that nobody named may be this many; more are rather objects."""
_SHOWN = 16
_SMOOTH = "values in between come of JPEG compression or smooth edges: save masks without"


class Detection:
    """The encoding of the masks of a data set.

    Args:
        look: reads a sample of them; asked only where the recipe does not say all.
        options: what the recipe says of them.
        place: what a person calls them all, at the start of a message.
    """

    def __init__(self, look: Callable[[], Sample], options: MaskOptions, place: str):
        self._look, self._options, self._place = look, options, place

    @cached_property
    def _sample(self) -> Sample:
        return self._look()

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
        way = f"'{self._colors_line()}', with your names" if "deep" not in kinds else "'encoding: instances'"
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
        held, classes = self._sample.values, self._options.classes
        ids = sorted(set(held) - {self._options.ignore})
        if classes and (not ids or ids[-1] < len(classes)):
            return self._ids(kind)
        if len(held) == 1:
            raise InputError(f"{self._place}: nothing but the value {next(iter(held))} {self._sample.share}".rstrip())
        ways = (
            "'encoding: instances' if each number is an object",
            f"'encoding: {kind.name}' and 'classes: [...]' if each is a class",
        )
        if len(ids) > MANY:
            raise self._ambiguous(self._values(), *ways)
        if kind is Ids and ids != list(range(len(ids))):
            raise self._ambiguous(self._values(), f"'{self._colors_line()}', with your names")
        if self._may_count_objects():
            raise self._ambiguous(f"numbers from 1 without a gap in every mask, up to {ids[-1]}", *ways)
        return self._ids(kind)

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
            f"'{self._colors_line()}', with your names, if colours are",
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
        ignore, names, hint = self._options.ignore, self._options.classes, ""
        if names is None:
            fitting = [each for each in self._sample.seen if each.kind in kind.kinds]
            if not fitting:
                first = self._sample.seen[0]
                raise InputError(f"{self._place}: {first.name}: {kind.refusal(first.kind)}")
            names = default_names(max(max(set(each.values) - {ignore}, default=0) for each in fitting) + 1)
            hint = " (data.classes names them)"
        if len(names) > 255:
            raise InputError(f"{self._place}: {len(names)} classes, and at most 255 can be told apart")
        what = "indices of palettes" if kind is Palette else "class ids in one channel"
        found = f"{what}, 0 to {len(names) - 1}, and {ignore} for what does not count: {_listed(names)}{hint}"
        return kind(names, ignore), found

    def _binary(self) -> tuple[Encoding, str]:
        names = self._names(CLASSES["foreground"], "0/255 in one channel")
        return Binary(names, self._options.ignore), f"0/255 in one channel: {names[0]} and {names[1]}"

    def _instances(self, detail: str) -> tuple[Encoding, str]:
        way = self._options.instances
        names = self._names(CLASSES[way], f"object numbers, by data.instances={way},")
        return Instances(names, way), f"object numbers{detail}: {_listed(names)} (data.instances={way})"

    def _names(self, default: Sequence[str], what: str) -> Sequence[str]:
        given = self._options.classes
        if given and len(given) != len(default):
            told = f"are {len(default)} classes, {', '.join(default)}, and data.classes names {len(given)}"
            raise InputError(f"{self._place}: {what} {told}")
        return given or default

    def _values(self) -> str:
        held = sorted(self._sample.values)
        told = f"the values {_shortened(list(map(str, held)))}"
        return f"{told} ({_SMOOTH})" if len(held) > 4 and {0, 255} <= set(held) else told

    def _colors_line(self) -> str:
        found = [color for color, _ in self._sample.in_colors().most_common(_SHOWN)]
        return "colors: {" + ", ".join(f"class_{at}: {list(color)}" for at, color in enumerate(found)) + "}"

    def _without_colors(self) -> InputError:
        if "deep" in self._sample.kinds:
            return InputError(f"{self._place}: {Colors.refusal('deep')}")
        found = self._sample.in_colors()
        total = sum(found.values())
        told = [f"{list(color)} {100 * count / total:.3g} %" for color, count in found.most_common()]
        what = f"masks in RGB need a table of colours, and hold {_shortened(told)} {self._sample.share}".rstrip()
        if len(found) > MANY:
            return InputError(f"{self._place}: {what} ({_SMOOTH}): data.colors names the colours of classes")
        return InputError(f"{self._place}: {what}; write below data, with your names: {self._colors_line()}")

    def _ambiguous(self, what: str, *ways: str) -> InputError:
        told = f"{what} {self._sample.share}".rstrip()
        return InputError(f"{self._place}: ambiguous: {told}; write below data {', or '.join(ways)}")


def _listed(names: Sequence[str]) -> str:
    return _shortened(list(names))


def _shortened(told: list[str]) -> str:
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more
