"""The ways in which a command ends other than well, each told in one line."""

import difflib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """The user's input is wrong: the message says what, where and what to do (exit code 2)."""

    ag_pass_through = True  # raised while TensorFlow traces a graph, it stays the one line that it is


class RecipeError(InputError):
    """The recipe does not fit the data, and a sample shows it that is not at fault: nothing sets the sample aside."""


class JobError(RuntimeError):
    """The input was right and the work failed all the same (exit code 1)."""

    ag_pass_through = True


def at_least_one(name: str, count: int) -> int:
    """The count itself.

    Raises:
        InputError: it is below 1.
    """
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
