"""The ways in which a command ends other than well, each told in one line."""

import difflib
import json
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any


class InputError(ValueError):
    """The user's input is wrong: one line says what, where and what to do (exit code 2).

    Example:
        >>> str(InputError("unknown key 'modl'", where="mine.yaml:3", field="modl", fix="did you mean model?"))
        "mine.yaml:3: unknown key 'modl': did you mean model?"

    Args:
        what: what is wrong, in a phrase; or the whole sentence, where there is nothing else.
        where: the file, `file:line`, folder or sample that it is about; a path or text.
        field: the key of the recipe, column or tag; `what` names it where a person has to see it.
        fix: what to do.
    """

    ag_pass_through = True  # raised while TensorFlow traces a graph, it stays the one line that it is

    def __init__(self, what: str = "", where: object = "", field: str = "", fix: str = ""):
        super().__init__(what, str(where), field, fix)  # as pickle gives them back
        self.what, self.where, self.field, self.fix = what, str(where), field, fix

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.where, self.what, self.fix)))


class RecipeError(InputError):
    """The recipe does not fit the data, and a sample shows it that is not at fault: nothing sets the sample aside."""


class JobError(RuntimeError):
    """The input was right and the work failed all the same (exit code 1)."""

    ag_pass_through = True


def at_least_one(name: str, count: int) -> int:
    """The count itself.

    Raises:
        InputError: it is below 1, or no whole number.
    """
    if not isinstance(count, Integral) or isinstance(count, bool):
        raise InputError(f"{name} {count!r}: give a whole number, 1 or more")
    if count < 1:
        raise InputError(f"{name} {count}: give 1 or more")
    return count


def nearest(name: str, known: Iterable[str]) -> str:
    """Ends an error message about an unknown name: the closest known ones, or all of a short list."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(known) if len(known) <= 12 else f"known: {', '.join(known[:12])}, ..."


def one_line(text: str) -> str:
    """Text as one line of a message: what cannot be printed, as a line break in a file's name, is escaped."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def advise(key: str, value: Any) -> str:
    """`key=value` for a message that says what to type: it can be pasted into a shell as it stands.

    Args:
        key: of the recipe, as `data.exclude`.
        value: what the recipe shall hold: text, a number, None, or lists and mappings of them.

    Returns:
        The override, quoted for YAML where the recipe's reader needs that, and for the shell.
    """
    is_plain = isinstance(value, str) and value.isprintable() and value.lower() not in ("", "~", "null")
    written = value if is_plain and value[0] not in "'\"[{" else in_yaml(value)
    return shlex.quote(f"{key}={written}")


def in_yaml(value: Any) -> str:
    """A value as YAML in one line, what could be read as something else in quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{in_yaml(str(key))}: {in_yaml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_yaml, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[^\W\d_][\w./-]*", value) and value.lower() not in (
        "null",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
    ):
        return value
    escaped = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else _escape(ord(each)) for each in escaped)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@contextmanager
def temporary_folder(prefix: str = "saccade-") -> Iterator[Path]:
    """A folder that is removed behind the block, where the system keeps temporary files.

    Raises:
        InputError: there is no place for it.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"no temporary folder can be made ({reason}): set TMPDIR to one with room") from error
    with folder as path:
        yield Path(path)
