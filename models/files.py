"""Files that are there whole or not at all, and one line for those that are not whole all the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

DESCRIPTION, WEIGHTS = "predictor.json", "best.weights.h5"
"""What a Predictor is loaded from, in the folder of a run."""


def read_json(path: Path) -> Any:
    """What a JSON file of a run says.

    Raises:
        InputError: it is empty, cut short or otherwise damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        raise InputError(
            f"{path}: cut short or damaged: run the 'train' command of this run again, it writes the file anew"
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
