"""What the mask files of a `data` section mean, for every source that reads some."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ..source import ClassNames, DataOptions

Byte = Annotated[int, Field(ge=0, le=255)]
Color = Annotated[tuple[Byte, ...], Field(min_length=3, max_length=3)]

IGNORED = "ignore"
"""The name in `data.colors` of what does not count."""


class MaskOptions(DataOptions):
    """The part of the recipe's `data` section that says how a mask's pixels become classes."""

    encoding: Literal["auto", "ids", "binary", "palette", "colors", "instances"] = "auto"
    """What a mask's pixels are: `ids` class numbers in one channel of 8 or 16 bits; `binary` 0 and 255 (or 1);
    `palette` the indices of palette images; `colors` those of data.colors; `instances` 0 and a number for each object;
    `auto` finds out, says so in the log, and refuses what could mean two things."""
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
