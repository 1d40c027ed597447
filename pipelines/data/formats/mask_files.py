"""The masks of a source: found, understood, and read one by one."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.exports import LABELMAP, colors_value, labelmap_beside
from ....models.inputs.file_tree import FileTree
from . import boxes
from .mask_encoding import (
    CLASSES,
    KINDS,
    MAX_FEW_VALUES,
    Binary,
    Colors,
    Encoding,
    Ids,
    Instances,
    MaskOptions,
    Palette,
    default_names,
)
from .mask_image import BACKGROUND, LOSSY, WHY_LOSSY, Color, MaskImage, SeenMasks, check_turn, look_at, read_mask

_log = logging.getLogger(__name__)

OFFERED = {"mask": Truth("uint8", (None, None)), "instances": Truth("uint16", (None, None)), **boxes.OFFERED}
"""What mask files bring; where they hold object numbers `instances`, too, and the box of each object, whose `area` is
that of its pixels."""

_MAX_SHOWN = 16  # values or colours in one message
_WHITE = (255, 255, 255)
_SMOOTH = "values in between come of JPEG compression or smooth edges: save masks without"
_AS_CLASSES = "if each number is a class, write below data 'encoding: ids' and 'classes: [...]'"


class MaskFiles:
    """One mask file a sample; safe to read from many threads.

    Args:
        tree: where they lie.
        paths: in it, in the order of the samples.
        options: what their pixels mean.
        truth: what the task wants of them, of `OFFERED`.
        place: what a person calls them all, for messages.
        read_image: the encoded image at a position.

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
        read_image: Callable[[int], bytes],
    ):
        self._tree, self._paths, self._read_image = tree, paths, read_image
        self._truth = truth
        self._upright: set[int] = set()  # positions whose image's EXIF was looked at
        lossy = [path for path in paths if path.lower().rpartition(".")[2] in LOSSY]
        if lossy:
            kind = "WebP" if lossy[0].lower().endswith("webp") else "JPEG"
            raise InputError(
                f"{len(lossy)} of {len(paths)} masks are {kind} (first {lossy[0]}): {WHY_LOSSY}", where=place
            )
        wants_boxes = not truth.keys().isdisjoint(boxes.OFFERED)
        self._is_boxes = wants_boxes and "mask" not in truth
        if self._is_boxes:
            options = _of_boxes(options)
        self._encoding, found = find_encoding(
            lambda: look_at(paths, self._image), options, place, lambda: labelmap_beside(tree)
        )
        self.class_names = self._encoding.class_names
        if ("instances" in truth or wants_boxes) and self._encoding.name != "instances":
            wanted = "'instances' (results.instances)" if "instances" in truth else "a box round each"
            raise InputError(
                f"{found}: they do not tell objects apart, and the task wants {wanted}: give masks that number objects",
                where=place,
            )
        if self._is_boxes:
            self.class_names = self.class_names[1:]  # there is no background among boxes
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
                check_turn(image.size, self._read_image(position))
                self._upright.add(position)
            values = self._encoding.decode(image)
        except InputError as error:
            raise self._told(position, error) from None
        if not self._truth.keys().isdisjoint(boxes.OFFERED):
            values |= _boxes(values["instances"], 0 if self._is_boxes else 1).values(self._truth)
        return {name: values[name].astype(wanted.dtype, copy=False) for name, wanted in self._truth.items()}

    def stamp(self, position: int, image: str | None) -> str | None:
        """What changes whenever the image, by its own stamp, or the mask does; None where that cannot be told."""
        mask = self._tree.stamp(self._paths[position])
        return None if image is None or mask is None else f"{image} {mask}"

    def _image(self, position: int) -> MaskImage:
        data = self._tree.read(self._paths[position])
        try:
            return read_mask(data)
        except InputError as error:
            raise self._told(position, error) from None

    def _told(self, position: int, error: InputError) -> InputError:
        return type(error)(f"mask {self._tree.where(self._paths[position])}: {error}")


def _of_boxes(options: MaskOptions) -> MaskOptions:
    """Boxes alone have one class, whose name may be given without the background's."""
    names = options.classes
    if names and len(names) == 1:
        names = [BACKGROUND, *names]
    return options.model_copy(update={"classes": names, "instances": "foreground"})


def _boxes(instances: np.ndarray, class_id: int) -> boxes.BoxTruth:
    """The extents of each object of `[height, width]` numbers, where 0 is none; all of one class."""
    from scipy.ndimage import find_objects

    found, areas = boxes.BoxTruth(instances.shape[:2]), np.bincount(instances.ravel())
    for number, place in enumerate(find_objects(instances), 1):
        if place is not None:
            y, x = place
            corners = (x.start, y.start, x.stop, y.stop)
            found.add(corners, class_id, area=float(areas[number]), name=f"object {number}")
    return found


def find_encoding(
    look: Callable[[], SeenMasks],
    options: MaskOptions,
    place: str,
    named_colors: Callable[[], Mapping[str, Color]] = dict,
) -> tuple[Encoding, str]:
    """What the pixels of a data set's masks mean.

    Where the recipe leaves it open (`encoding: auto`), these are taken: 0/255, class ids without a gap from 0, palettes
    that agree, and numbers of 16 bits, which are objects. Whatever else masks hold is asked for.

    Args:
        look: reads a sample of them; asked only where the recipe does not say all.
        options: what the recipe says of them.
        place: what a person calls them all, at the start of a message.
        named_colors: class name to colour by a table beside the masks; empty where there is none.

    Returns:
        The encoding, and in a phrase what was found.

    Raises:
        InputError: masks that contradict the recipe or each other, or could mean two things, with what was seen and the
            lines to write.
    """
    return _Finder(look, options, place, named_colors).encoding()


class _Finder:
    def __init__(
        self,
        look: Callable[[], SeenMasks],
        options: MaskOptions,
        place: str,
        named_colors: Callable[[], Mapping[str, Color]],
    ):
        self._look, self._options, self._place, self._named_colors = look, options, place, named_colors

    @cached_property
    def _sample(self) -> SeenMasks:
        return self._look()

    def encoding(self) -> tuple[Encoding, str]:
        name = self._options.encoding
        if self._options.colors:
            encoding = Colors(self._options.colors)
            return encoding, f"colours of data.colors: {_shortened(encoding.class_names)}"
        if name == "binary":
            return self._binary()
        if name == "instances":
            return self._instances("")
        if name == "colors":
            raise self._without_colors()
        if name != "auto":
            return self._ids(Palette if name == "palette" else Ids)
        encoding, found = self._auto()
        return encoding, f"{found} {self._sample.share}".rstrip()

    def _auto(self) -> tuple[Encoding, str]:
        kinds, held, ignore = self._sample.kinds, set(self._sample.values), self._options.ignore
        if kinds == {"deep"}:
            most = max(sum(value > 0 for value in each.values) for each in self._sample.seen)
            return self._instances(f", 16 bits, up to {most} in one mask")
        if kinds == {"palette"}:
            self._check_palettes()
            return self._numbers(Palette)
        if kinds == {"colors"}:
            raise self._without_colors()
        if not kinds <= {"bits", "grey"}:
            raise self._unlike()
        if held == {0, 255} or held == {0, 255, ignore}:
            return self._binary()
        if 255 in held and ignore == 255 and len(self._options.classes or held - {255}) == 2:
            raise self._question(self._values())  # 255 may be the second class, or not count
        return self._numbers(Ids)

    def _numbers(self, kind: type[Ids]) -> tuple[Encoding, str]:
        """Class ids, if these values can be nothing else."""
        if classes := self._options.classes:
            known = {*range(len(classes)), self._options.ignore}
            others = [each.name for each in self._sample.seen if not known.issuperset(each.values)]
            if 2 * len(others) <= len(self._sample.seen):  # the check of all data names masks with others
                return self._ids(kind)
            wrong = f"{len(others)} of {len(self._sample.seen)} masks hold others (first {others[0]})"
            raise self._question(f"data.classes names {len(classes)}, and {wrong}: {self._values()}")
        held = self._sample.values
        ids = sorted(set(held) - {self._options.ignore})
        if len(held) == 1:
            raise self._nothing_but(*held)
        has_gaps = ids != list(range(len(ids)))
        if len(ids) > MAX_FEW_VALUES or kind is Ids and has_gaps:
            raise self._question(self._values())
        if self._may_count_objects():
            raise self._question(f"numbers from 1 without a gap in every mask, up to {ids[-1]}")
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
        first: dict[int, tuple[Color, str]] = {}
        for each in self._sample.seen:
            for index, color in each.colors.items():
                known, name = first.setdefault(index, (color, each.name))
                if known != color:
                    told = f"index {index} is {list(known)} in {name} and {list(color)} in {each.name}"
                    raise self._question(f"palettes differ, {told}")
        greys = [color[0] for _, (color, _) in sorted(first.items()) if len(set(color)) == 1]
        if len(greys) == len(first) and greys != sorted(greys):
            raise self._question("a grey palette in which a higher index is darker")

    def _ids(self, kind: type[Ids]) -> tuple[Encoding, str]:
        ignore, names, hint, counted_in = self._options.ignore, self._options.classes, "", ""
        if names is None:
            fitting = [each for each in self._sample.seen if each.kind in kind.kinds]
            if not fitting:
                first = self._sample.seen[0]
                raise InputError(f"{first.name}: {kind.refusal(first.kind)}", where=self._place)
            names = default_names(max(max(set(each.values) - {ignore}, default=0) for each in fitting) + 1)
            hint = " (data.classes names them)"
            counted_in = f"{len(self._sample.seen)} of {self._sample.total} masks"
        if len(names) > 255:
            raise InputError(f"{len(names)} classes, and at most 255 can be told apart", where=self._place)
        what = "indices of palettes" if kind is Palette else "class ids in one channel"
        found = f"{what}, 0 to {len(names) - 1}, and {ignore} for what does not count: {_shortened(names)}{hint}"
        return kind(names, ignore, counted_in), found

    def _binary(self) -> tuple[Encoding, str]:
        names = self._names(CLASSES["foreground"], "0/255 in one channel")
        return Binary(names, self._options.ignore), f"0/255 in one channel: {names[0]} and {names[1]}"

    def _instances(self, detail: str) -> tuple[Encoding, str]:
        way = self._options.instances
        names = self._names(CLASSES[way], f"object numbers, by data.instances={way},")
        hint = f"; {_AS_CLASSES}" if detail else ""
        return Instances(names, way), f"object numbers{detail}: {_shortened(names)} (data.instances={way}{hint})"

    def _names(self, default: Sequence[str], what: str) -> Sequence[str]:
        given = self._options.classes
        if given and len(given) != len(default):
            told = f"are {len(default)} classes, {', '.join(default)}, and data.classes names {len(given)}"
            hint = f": {_AS_CLASSES}" if what.startswith("object") else ""
            raise InputError(f"{what} {told}{hint}", where=self._place)
        return given or default

    def _question(self, what: str) -> InputError:
        """Asks for the encoding: every one that reads masks of these kinds is a line that may be written."""
        kinds, held, ignore, ways = self._sample.kinds, set(self._sample.values), self._options.ignore, []
        for encoding in (Ids, Palette):
            if kinds <= {*encoding.kinds}:
                rest = f", and {ignore} does not count" if ignore in held else ""
                most = max(held - {ignore}, default=0)
                if self._options.classes and most >= len(self._options.classes):
                    rest += f", with names for 0 to {most} in 'classes'"
                ways.append(f"'encoding: {encoding.name}' if each number is a class{rest}")
        if kinds <= {*Instances.kinds}:
            ways.append("'encoding: instances' if each number is an object")
        if "deep" not in kinds:
            colors = self._sample.colors
            if _WHITE in colors and all(len(set(color)) == 1 for color in colors):
                ways.append("'encoding: binary' if black is the background and white the foreground")
            if line := self._colors_line():
                ways.append(f"{line}, if each colour is a class")
        if not ways:
            return InputError(f"{what}: save masks all alike", where=self._place)
        told = f"{what} {self._sample.share}".rstrip()
        return InputError(f"ambiguous: {told}; write below data {', or '.join(ways)}", where=self._place)

    def _unlike(self) -> InputError:
        count = Counter(each.kind for each in self._sample.seen)
        first = {each.kind: each.name for each in reversed(self._sample.seen)}
        told = ", ".join(f"{number} are {KINDS[kind]} (first {first[kind]})" for kind, number in count.most_common())
        return self._question(f"not of one kind: {told}")

    def _nothing_but(self, value: int) -> InputError:
        what = f"nothing but the value {value}{', the background' if value == 0 else ''} {self._sample.share}".rstrip()
        fix = "give masks that show more, or name the classes in data.classes, if there are others that do"
        return InputError(f"{what}: {fix}", where=self._place)

    def _without_colors(self) -> InputError:
        if "deep" in self._sample.kinds:
            return InputError(f"{Colors.refusal('deep')}", where=self._place)
        found = self._sample.colors
        told = [f"{list(color)} {100 * count / found.total():.3g} %" for color, count in found.most_common()]
        what = f"masks in RGB need a table of colours, and hold {_shortened(told)} {self._sample.share}".rstrip()
        if line := self._colors_line():
            return InputError(f"{what}; write below data {line}", where=self._place)
        return InputError(f"{what} ({_SMOOTH}): data.colors names the colours of classes", where=self._place)

    def _colors_line(self) -> str:
        """What to write below data, by colour, so that black comes first, which is the background as a rule; "" where
        there are too many for classes."""
        instead = " in place of classes" if self._options.classes else ""
        if names := self._named_colors():
            return f"'colors: {colors_value(names)}'{instead}, which {LABELMAP} names"
        if len(self._sample.colors) > MAX_FEW_VALUES:
            return ""
        line = ", ".join(f"class_{at}: {list(color)}" for at, color in enumerate(sorted(self._sample.colors)))
        return f"'colors: {{{line}}}'{instead} with your names and the background first"

    def _values(self) -> str:
        held = sorted(self._sample.values)
        told = f"the values {_shortened(list(map(str, held)))}"
        return f"{told} ({_SMOOTH})" if len(held) > 4 and {0, 255} <= set(held) else told


def _shortened(told: Sequence[str]) -> str:
    more = f" and {len(told) - _MAX_SHOWN} more" if len(told) > _MAX_SHOWN else ""
    return ", ".join(told[:_MAX_SHOWN]) + more
