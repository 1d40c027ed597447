"""The one error of this room, and how its messages end."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class AugmentError(ValueError):
    """An `augment` section, or a sample given to it, is wrong: the message is one line that says what and where.

    The room depends on nothing else in the project, so a job that wants exit code 2 raises its own error from this one.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Ends an error message about an unknown name: the closest known ones, or all of a short list."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(known) if len(known) <= 12 else f"known: {', '.join(known[:12])}, ..."


def one_line(error: BaseException) -> str:
    """The text of a foreign exception, on one line; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def reasons(error: ValidationError, arguments: Mapping[str, object]) -> str:
    """All that pydantic found, on one line: "height: Field required; p=2: Input should be ..."."""
    found: dict[str, list[str]] = {}
    for each in error.errors():
        argument = str(each["loc"][0]) if each["loc"] else ""
        found.setdefault(argument, []).append(" ".join(each["msg"].removeprefix("Value error, ").split()))
    parts = []
    for argument, texts in found.items():
        value = f"={arguments[argument]!r}" if argument in arguments else ""
        parts.append((f"{argument}{value}: " if argument else "") + " or ".join(dict.fromkeys(texts)))
    return "; ".join(parts)
