"""Files that are written whole or not at all; in one line why one cannot be written or read, told of what failed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, JobError

DESCRIPTION, WEIGHTS = "predictor.json", "best.weights.h5"
"""What a Predictor is loaded from, in the folder of a run."""


FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR)
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"""How the names of images end that are written."""
SHEETS = "saccade show"
"""The software that contact sheets name in their EXIF tag (PNG, JPEG, WebP): by it they are known and replaced."""
_WRONG = (*FORBIDDEN, *FULL, *_IN_THE_WAY, errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""What the user can put right, so that it is wrong input; the rest is a failure of the job."""


def read_json(path: Path) -> Any:
    """What a JSON file of a run says.

    Raises:
        InputError: it is empty, cut short or otherwise damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        raise InputError(
            "cut short or damaged: run the 'train' command of this run again, it writes the file anew", where=str(path)
        ) from None


@contextmanager
def whole_file(path: Path, lasting: bool = True) -> Iterator[Path]:
    """A path to write to: when that is done the file is there whole, and if it fails it is as it was before.

    Args:
        path: the file.
        lasting: whether its content is on the disk before its name is, so that it is whole after a power failure too.
    """
    partial = path.with_name("partial." + path.name)
    try:
        yield partial
        if lasting:
            number = os.open(partial, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """The file is there whole or as it was before."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def is_whole_hdf5(path: Path) -> bool:
    """Whether a file of weights can be read, and was not cut short."""
    import h5py

    try:
        with h5py.File(path):
            return True
    except OSError:
        return False


class WriteError(InputError):
    """A file or folder that cannot be written, and why."""


@contextmanager
def saving(folder: Path, inside: Path | None = None) -> Iterator[None]:
    """Turns what the file system refuses while files are written below a folder into one clear line.

    Args:
        folder: what a person calls it.
        inside: where the files lie for now, if that is elsewhere.

    Raises:
        WriteError: a file in its place, no permission, no space, a quota, a read-only disk.
        InputError: the same of a path outside of the folder, such as an image that cannot be read; it names that path.
        JobError: any other fault of a file.
    """
    try:
        yield
    except OSError as error:
        raise told(error, folder, inside) from error


def told(error: OSError, folder: Path, inside: Path | None = None) -> Exception:
    """The exception with the line for an error that was met while files were written below a folder; see `saving`."""
    if (foreign := foreign_path(error, folder, inside)) is not None:
        return of_path(error, foreign)
    if error.errno in FORBIDDEN:
        return WriteError(f"{folder}: no permission to write here{_at(error, folder)}")
    if error.errno in _IN_THE_WAY:
        return WriteError(f"{folder}: a file stands here or above: name a folder")
    if error.errno in FULL:
        return WriteError(
            f"{folder}: the disk is full; what was saved before is intact: make room and run the same command again"
        )
    why = error.strerror or str(error).partition("\n")[0]
    return (WriteError if error.errno in _WRONG else JobError)(f"{folder}: {why}{_at(error, folder)}")


def foreign_path(error: OSError, *folders: Path | None) -> str | None:
    """The path that an error names, if it is neither in nor above any of some folders."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return None
    path = os.fsdecode(error.filename)
    places = [os.path.abspath(folder) for folder in folders if folder is not None]
    absolute = os.path.abspath(path)
    return None if any(os.path.commonpath([absolute, place]) in (absolute, place) for place in places) else path


def of_path(error: OSError, path: str | None = None) -> Exception:
    """The exception with the line for a path that failed: `path: why`."""
    path = path or (os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else "")
    why = error.strerror or str(error).partition("\n")[0]
    return (InputError if error.errno in _WRONG else JobError)(f"{path}: {why}" if path else why)


def refuse_folder(folder: Path) -> None:
    """Says before the work that a folder, which need not exist yet, cannot be made or cannot be written into.

    Raises:
        WriteError: a file in its place, no permission.
    """
    place = Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise WriteError(f"{folder}: a file stands here or above: name a folder")
    if not may(place, os.W_OK | os.X_OK):
        where = "" if place == Path(os.path.abspath(folder)) else f" ({place})"
        raise WriteError(f"{folder}: no permission to write here{where}")


def refuse_file(file: Path, overwrite: bool = False) -> None:
    """Says before the work that a file cannot be written.

    Raises:
        WriteError: it exists and is not to be overwritten, is a folder, its folder is missing, no permission.
    """
    if file.is_dir():
        raise WriteError(f"{file}: a folder: name a file")
    if os.path.lexists(file) and not overwrite:
        raise WriteError(f"{file}: exists already, and nothing is overwritten: name another file, or remove it")
    if not file.parent.is_dir():
        raise WriteError(f"{file}: no folder {file.parent}: make it, or name a file elsewhere")
    if not may(file if file.exists() else file.parent, os.W_OK):
        raise WriteError(f"{file}: no permission to write here")


def refuse_image(file: Path, overwrite: str | None = None) -> None:
    """As `refuse_file`, for a file whose name says which kind of image it is to be.

    Args:
        file: the image.
        overwrite: the software whose own images are replaced, as their EXIF tag has it.
    """
    if file.suffix.lower() not in IMAGES:
        raise WriteError(f"{file}: by its name this is no image: let it end in {', '.join(IMAGES)}")
    refuse_file(file, overwrite=overwrite is not None and _software(file) == overwrite)


def _software(image: Path) -> str | None:
    """What an image says it was made by."""
    from PIL import ExifTags, Image

    try:
        with Image.open(image) as opened:
            return opened.getexif().get(ExifTags.Base.Software)
    except (OSError, ValueError, SyntaxError):  # there is none, or it is no image
        return None


def may(path: Path | str, how: int) -> bool:
    """Whether the process, as whom it acts at present, may do something with a path (`os.R_OK`, ...)."""
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _at(error: OSError, folder: Path) -> str:
    """Where in or above a folder an error was met, in brackets; nothing where that is the folder itself."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return ""
    place = Path(os.path.abspath(os.fsdecode(error.filename)))
    while not os.path.lexists(place):  # the file that was to be made does not matter: where it was to be made does
        place = place.parent
    return "" if place == Path(os.path.abspath(folder)) else f" ({place})"
