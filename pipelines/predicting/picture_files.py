"""Which picture files a person means."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from ...models.errors import InputError
from ..sources.picture_listing import list_pictures
from ..sources.picture_tree import DiskTree


def find_pictures(places: Iterable[str]) -> list[str]:
    """Files behind files, folders (searched in depth), globs, and "-" (names on standard input, one a line).

    Raises:
        InputError: a place without any picture.
    """
    found: list[str] = []
    for place in places:
        if place == "-":
            found += [line.rstrip("\n") for line in sys.stdin if line.strip()]
            continue
        path = Path(place)
        if path.is_dir():
            files = [os.path.join(place, each) for each in list_pictures(DiskTree(place), [], place).pictures]
        else:
            files = [place] if path.is_file() else sorted(glob.glob(place, recursive=True))
        if not files:
            raise InputError(f"{place}: no picture here (files, folders, globs or - for a list on standard input)")
        found += files
    return found
