"""Which image files a person means, and what is in them."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...models.errors import InputError
from ..sources.picture_listing import list_pictures
from ..sources.picture_tree import DiskTree, ZipTree, join, stamp_of, zip_around

PLACES = "files, folders, zip files, globs or - for a list on standard input"


def find_pictures(places: Iterable[Any]) -> list[str]:
    """Files behind files, folders and zip files (searched in depth), globs, and "-" (names on standard input, one a
    line, however the lines end); `read_picture` reads them.

    Raises:
        InputError: a place without any image, or no place at all.
    """
    found = [file for place in places for file in _behind(_name(place))]
    if not found:
        raise InputError(f"no images: name {PLACES}")
    for file in found:
        try:
            file.encode()
        except UnicodeEncodeError:  # it goes into lines and tables
            raise InputError(f"file name {file!a} is not UTF-8: rename it") from None
    return found


def read_picture(file: str) -> bytes:
    """The bytes of a file that `find_pictures` found.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return Path(file).read_bytes()
    except NotADirectoryError:
        if (around := zip_around(file)) is None:
            raise
        zip_file, inside = around
        return _open_zip(zip_file, stamp_of(zip_file)).read(inside)


def result_name(number: int, picture: str) -> str:
    """What the names of all files begin with that are made of one image; the number tells images of one stem apart."""
    return f"{number:05}_{Path(picture).stem}"


def refuse_former(folder: Path, pictures: Sequence[str]) -> None:
    """Refuses a folder that holds results under the names that those of some images will have.

    Raises:
        InputError: with the first of them.
    """
    begins = {result_name(number, picture) for number, picture in enumerate(pictures)}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        if any(name[:at] in begins for at, letter in enumerate(name) if letter == "."):
            raise InputError(
                f"{folder / name}: exists already, and nothing is overwritten: name another folder, or remove it"
            )


def _name(place: Any) -> str:
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    raise InputError(
        f"{type(place).__name__}: places are names of {PLACES}; images as arrays or bytes go to load(run).predict(...)"
    )


def _behind(place: str) -> Iterator[str]:
    if place == "-":
        yield from _listed()
    elif os.path.isdir(place):
        listing = list_pictures(DiskTree(place), [], place=place)
        yield from (os.path.join(place, each) for each in listing.pictures)
    elif (around := zip_around(place)) is not None:
        yield from _in_zip(place, *around)
    elif os.path.isfile(place):
        yield place
    else:
        matches = [each for each in sorted(glob.glob(place, recursive=True)) if os.path.isfile(each)]
        if not matches:
            raise InputError(f"{place}: no picture here ({PLACES})")
        yield from matches


def _listed() -> Iterator[str]:
    """The names on standard input: blank lines, a byte order mark and the line ends of Windows are no part of them."""
    with suppress(AttributeError, io.UnsupportedOperation):  # a stream of another kind, or one that was read before
        sys.stdin.reconfigure(errors="surrogateescape")
    names = [line.rstrip("\r\n") for line in sys.stdin if line.strip("\ufeff\r\n\t ")]
    if not names:
        raise InputError("-: the list on standard input is empty: give the name of a file on each line")
    names[0] = names[0].removeprefix("\ufeff")
    if any("\0" in name for name in names):
        raise InputError("-: the list on standard input is no UTF-8 text, it has zero bytes: save it as UTF-8")
    yield from names


def _in_zip(place: str, file: str, inside: str) -> Iterator[str]:
    """An image in a zip file, or all below a folder in it."""
    whole = _open_zip(file, stamp_of(file))
    if whole.has(inside):
        yield place
        return
    tree = ZipTree(file, inside, key="") if inside else whole
    for path in list_pictures(tree, [], place=place).pictures:
        yield os.path.join(file, join(inside, path))


@lru_cache(maxsize=8)
def _open_zip(file: str, stamp: str | None) -> ZipTree:
    """Kept open from image to image, as long as the file stays the same."""
    return ZipTree(file, key="")
