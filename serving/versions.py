"""Version folders `NAME/1`, `NAME/2`, ... as TF Serving reads them; a new one appears complete or not at all."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..models.errors import InputError, JobError
from ..models.files import FORBIDDEN, FULL, foreign_path, of_path
from ..models.stopping import uninterrupted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def versions(folder: Path) -> dict[int, Path]:
    """The versions in a bundle's folder and where they are, ascending; names that are no whole number are not versions.

    As for TF Serving, `0007` is version 7.
    """
    try:
        return dict(
            sorted((int(each.name), each) for each in folder.iterdir() if is_version(each.name) and each.is_dir())
        )
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        raise InputError("you may not read this folder", where=str(folder)) from None


def is_version(name: str) -> bool:
    """Whether a folder's name is a version's."""
    return name.isascii() and name.isdecimal()


def new_version(target: Path, name: str, version: int | None = None) -> Path:
    """Chooses the folder `target/name/version` of a new bundle; makes nothing.

    Args:
        target: where bundles are kept.
        name: the model's name, part of its address in the server.
        version: from 1; None is the next free one.

    Raises:
        InputError: a name that no address can hold, or a version that is not above 0 or exists.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"the name '{name}' cannot stand in a server's address: use letters, digits, '.', '_' and '-'")
    folder = target / name
    present = versions(folder)
    if version is None:
        version = max(present, default=0) + 1
    if version < 1:
        raise InputError(f"version {version}: versions are whole numbers from 1")
    taken = present.get(version, folder / str(version))
    if os.path.lexists(taken):
        raise InputError("exists, and none is overwritten; without a version the next is made", where=taken)
    return folder / str(version)


@contextmanager
def all_at_once(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, and renames it to `folder` when the block ends well.

    It lies beside `folder` under a hidden name that TF Serving passes over. On any exception, Ctrl-C and SIGTERM
    included, it is
    removed, and so is every folder made on the way to it.

    Raises:
        InputError: the place cannot be written to, or the disk is full; or a path elsewhere, which it names.
        JobError: it fails otherwise.
    """
    made = [each for each in (folder.parent, *folder.parent.parents) if not os.path.lexists(each)]
    hidden = None
    try:
        with uninterrupted():
            folder.parent.mkdir(parents=True, exist_ok=True)
            hidden = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        partial = hidden / "bundle"  # mkdtemp's own folder is closed to other users, and a server may be one
        partial.mkdir()
        yield partial
        os.rename(partial, folder)
        hidden.rmdir()
    except BaseException as error:
        with uninterrupted():
            if hidden is not None:
                shutil.rmtree(hidden, ignore_errors=True)
            for each in made:
                with suppress(OSError):  # not made after all, or another export's by now
                    each.rmdir()
        if isinstance(error, OSError):
            foreign = foreign_path(error, folder, hidden)
            raise (of_path(error, foreign) if foreign else _in_one_line(error, folder)) from error
        raise


def _in_one_line(error: OSError, folder: Path) -> Exception:
    told = error.strerror or str(error)
    if error.errno in FULL:
        return InputError(
            f"no room to write it ({told}); nothing is left behind: free some, export again", where=str(folder)
        )
    if error.errno in {errno.ENOTEMPTY, errno.EEXIST} and folder.exists():
        return InputError("another export made this version meanwhile; export again to get the next", where=str(folder))
    if error.errno in {*FORBIDDEN, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}:
        return InputError(
            f"cannot write a bundle here ({told}); give a folder that you may write to", where=folder.parent
        )
    return JobError(f"{folder}: cannot be written ({told})")
