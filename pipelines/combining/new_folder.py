"""A folder that appears whole under its name, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...models.errors import InputError
from ...models.files import saving
from ...models.stopping import uninterrupted


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, and renames it to `folder` when the block ends well.

    On any exception, Ctrl-C included, it is removed, and so is every folder made on the way to it.

    Raises:
        InputError: it exists, or the place cannot be written to.
    """
    if os.path.lexists(folder):
        raise InputError(f"{folder}: exists, and nothing is overwritten: choose another folder, or remove it")
    made = [each for each in (folder.parent, *folder.parent.parents) if not os.path.lexists(each)]
    hidden = None
    try:
        with saving(folder), uninterrupted():
            hidden = _beside(folder)
        filled = hidden / folder.name  # mkdtemp's own folder is closed to other users
        filled.mkdir()
        yield filled
        with saving(folder):
            os.rename(filled, folder)
        hidden.rmdir()
    except BaseException:
        with uninterrupted():
            if hidden is not None:
                shutil.rmtree(hidden, ignore_errors=True)
            for each in made:
                with suppress(OSError):  # not made after all, or somebody else's by now
                    each.rmdir()
        raise


def _beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}: a file is in the way of this folder") from None
