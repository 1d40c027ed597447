"""What the pixels of masks mean: the recipe's word on it, and the rule from them to class ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from ....models.errors import InputError, RecipeError
from ....models.inputs.image.options import IGNORE
from ..source import ClassNames, DataOptions
from .mask_image import Color, Kind, MaskImage, count_values, pack, pixels, unpack

IGNORED = "ignore"
"""The name in `data.colors` of what does not count."""


class MaskOptions(DataOptions):
    """The part of the recipe's `data` section that says how a mask's pixels become classes."""

    encoding: Literal["auto", "ids", "binary", "palette", "colors", "instances"] = "auto"
    """What a mask's pixels are: `ids` class numbers in one channel of 8 or 16 bits; `binary` 0 and 255 (or 1);
    `palette` the indices of palette images; `colors` those of data.colors; `instances` 0 and a number for each object;
    `auto` finds out, says so in the log, and asks where they could mean two things."""
    classes: ClassNames | None = None
    """The class names in the order of their ids; unless given background, foreground of two, class_0, class_1, ... of
    more, as many as the masks show."""
    colors: dict[str, Color] = {}
    """Class name to its colour, in the order of the classes: `{background: [0, 0, 0], road: [128, 64, 128]}`; a grey
    is three equal numbers, and what is called `ignore` does not count."""
    ignore: int = Field(255, ge=0, le=65535)
    """The value, in `ids`, `palette` and `binary`, of pixels that do not count; in 0/255 masks, 255 is foreground."""
    instances: Literal["foreground", "separated", "boundary"] = "foreground"
    """What object numbers become: `foreground` makes one class of them all; `separated` the same with a line of
    background, one pixel wide, between objects that touch; `boundary` parts them into interior and boundary."""

    @field_validator("colors")
    @classmethod
    def _make_sense(cls, value: dict[str, Color], info: ValidationInfo) -> dict[str, Color]:
        if not value:
            return value
        names = list(value)
        for at, name in enumerate(names):
            for other in names[:at]:
                if value[name] == value[other]:
                    raise ValueError(f"'{other}' and '{name}' have the same colour")
        if info.data.get("classes"):
            raise ValueError("they name the classes already: leave data.classes out")
        encoding = info.data.get("encoding")
        if encoding not in ("auto", "colors", None):
            raise ValueError(f"data.encoding={encoding} has no use for colours: leave one of them out")
        return value


MAX_FEW_VALUES = 32
"""Classes that nobody named may be this many; more numbers are rather objects, more colours smooth edges."""

_MAX_NAMED = 5  # values in one message

KINDS: Mapping[Kind, str] = {
    "bits": "one channel of 1 bit",
    "grey": "one channel of 8 bits",
    "palette": "a palette image",
    "colors": "RGB",
    "deep": "one channel of 16 bits",
}


class Encoding(ABC):
    """A rule from stored values to class ids.

    Attributes:
        name: as in `data.encoding`.
        kinds: of images that it reads.
        class_names: in the order of their ids.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]]
    class_names: Sequence[str]

    def decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        """`mask`, uint8 `[h, w]`: class ids, and 255 for what does not count; `instances`, uint16, where there are any.

        Raises:
            InputError: what the encoding does not allow, in a phrase; a `RecipeError` where it knows too few classes.
        """
        if image.kind not in self.kinds:
            raise InputError(self.refusal(image.kind))
        return self._decode(image)

    @classmethod
    def refusal(cls, kind: Kind) -> str:
        """Why images of this kind are not read, in a phrase."""
        takes = " or ".join(KINDS[each] for each in cls.kinds)
        hint = ": are these object numbers (encoding 'instances')?" if kind == "deep" else ""
        return f"{KINDS[kind]}, and the encoding '{cls.name}' is {takes}{hint}"

    @abstractmethod
    def _decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        """As `decode`, of an image of the right kind."""


class Ids(Encoding):
    """Class ids in one channel of 8 or 16 bits.

    Args:
        class_names: in the order of the ids.
        ignore: the value that does not count, even where it is the id of a class.
        counted_in: the masks that tell how many classes there are, "200 of 1000 masks", where nobody named them.
    """

    name = "ids"
    kinds = ("grey", "deep")

    def __init__(self, class_names: Sequence[str], ignore: int, counted_in: str = ""):
        self.class_names = class_names
        self._ignore, self._counted_in = ignore, counted_in
        self._classes = {value: value for value in range(len(class_names))} | {ignore: IGNORE}

    def _decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        count = count_values(image.values)
        outside = [value for value in count if value not in self._classes]
        if outside:
            told = "value " + ", ".join(f"{value} in {pixels(count[value])}" for value in outside[:_MAX_NAMED])
            told += f" and {len(outside) - _MAX_NAMED} more" if len(outside) > _MAX_NAMED else ""
            if self._counted_in:
                raise self._too_few_classes(told, outside[-1])
            raise InputError(f"{told}, and the classes are {self._allowed()}")
        table = np.zeros(max(count, default=0) + 1, np.uint8)
        for value in count:
            table[value] = self._classes[value]
        return {"mask": table[image.values]}

    def _too_few_classes(self, told: str, highest: int) -> RecipeError:
        known = len(self.class_names)
        names = default_names(highest + 1 if highest < MAX_FEW_VALUES else known)
        return RecipeError(
            f"{told}, and the {self._counted_in} that were looked at hold only 0 to {known - 1}: write below data "
            f"'classes: [{', '.join(names)}]' with your names, one for each value that is a class; a mask with another "
            "is told as bad then"
        )

    def _allowed(self) -> str:
        return f"0 to {len(self.class_names) - 1} ({self._ignore} does not count; data.classes names them)"


class Palette(Ids):
    """Class ids as the indices of a palette."""

    name = "palette"
    kinds = ("palette",)


class Binary(Ids):
    """0 and 255, or 0 and 1, also where they are the black and white of a palette."""

    name = "binary"
    kinds = ("bits", "grey", "palette")

    def __init__(self, class_names: Sequence[str], ignore: int):
        super().__init__(class_names, ignore)
        self._classes = {ignore: IGNORE} | {0: 0, 1: 1, 255: 1}

    def _decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        if image.kind != "palette":
            return super()._decode(image)
        colors = image.in_colors()
        if (colors != colors[..., :1]).any():
            raise InputError("a palette image with colours, and the encoding 'binary' is black and white")
        return super()._decode(MaskImage("grey", colors[..., 0], image.palette))

    def _allowed(self) -> str:
        return "0 and 255, or 0 and 1 (encoding 'binary')"


class Colors(Encoding):
    """A colour a class.

    Args:
        colors: class name to colour; what is called `ignore` does not count.
    """

    name = "colors"
    kinds = ("colors", "palette", "grey", "bits")

    def __init__(self, colors: Mapping[str, Color]):
        self.class_names = [name for name in colors if name != IGNORED]
        ids = {name: at for at, name in enumerate(self.class_names)} | {IGNORED: IGNORE}
        codes = np.array([int(pack(np.array(color, np.uint8))) for color in colors.values()])
        order = np.argsort(codes)
        self._codes = codes[order]
        self._ids = np.array([ids[name] for name in colors], np.uint8)[order]

    def _decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        codes = pack(image.in_colors())
        at = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        outside = codes[self._codes[at] != codes]
        if outside.size:
            found, count = np.unique(outside, return_counts=True)
            most = int(count.argmax())
            more = f", and {len(found) - 1} more colours" if len(found) > 1 else ""
            raise InputError(
                f"colour {list(unpack(int(found[most])))} in {pixels(count[most])}{more}, and data.colors has no such: "
                f"name it there, as '{IGNORED}' if it does not count"
            )
        return {"mask": self._ids[at]}


class Instances(Encoding):
    """Object numbers, 0 for none.

    Args:
        class_names: in the order of the ids; as many as the way has.
        way: as in `data.instances`.
    """

    name = "instances"
    kinds = ("deep", "grey", "palette", "bits")

    def __init__(self, class_names: Sequence[str], way: str):
        self.class_names = class_names
        self._way = way

    def _decode(self, image: MaskImage) -> dict[str, np.ndarray]:
        objects = object_numbers(image.values)
        return {"mask": classes_of(objects, self._way), "instances": objects}


def default_names(count: int) -> list[str]:
    """Class names where nobody gives any."""
    return CLASSES["foreground"] if count == 2 else [f"class_{at}" for at in range(count)]


CLASSES = {
    "foreground": ["background", "foreground"],
    "separated": ["background", "foreground"],
    "boundary": ["background", "interior", "boundary"],
}
"""The classes of each way, in the order of their ids."""

_MAX_ID = 65535


def object_numbers(values: np.ndarray) -> np.ndarray:
    """Numbers as uint16 `[h, w]`.

    Raises:
        InputError: negative, or more than 16 bits hold.
    """
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < 0 or high > _MAX_ID:
        raise InputError(f"object number {low if low < 0 else high}: they lie between 0 and {_MAX_ID}")
    return values.astype(np.uint16)


def classes_of(objects: np.ndarray, way: str) -> np.ndarray:
    """Class ids, uint8 `[h, w]`, of object numbers uint16 `[h, w]`, where 0 is none.

    Pixels touch at their corners, too; the image's edge is no boundary.

    Args:
        objects: the numbers.
        way: `foreground`, all objects alike; `separated`, where of two that touch the one of the higher number loses
            its outermost pixels to the background (Ronneberger et al. 2015, section 3, and figure 3); `boundary`,
            where each object's outermost pixels are a class of their own.
    """
    import cv2

    inside, around = objects > 0, np.ones((3, 3), np.uint8)
    if way == "foreground":
        return inside.astype(np.uint8)
    if way == "separated":
        smallest = cv2.erode(np.where(inside, objects, _MAX_ID).astype(np.uint16), around)
        return (inside & (smallest == objects)).astype(np.uint8)
    outermost = (cv2.erode(objects, around) != objects) | (cv2.dilate(objects, around) != objects)
    return inside.astype(np.uint8) + (inside & outermost)
