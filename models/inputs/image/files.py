"""Images as a person gives them: files, folders, zip files, lists; in Python arrays, bytes and PIL images too. Free of
TensorFlow."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..file_listing import list_images
from ..file_tree import DiskTree, ZipTree, join, stamp_of, zip_around

_KINDS = "give a path, encoded bytes, a uint8 array or a PIL image, or a list of them"
_BYTES = bytes | bytearray | memoryview
PLACES = "files, folders, zip files, globs or - for a list on standard input"


def find_images(places: Iterable[Any]) -> list[str]:
    """Files behind files, folders and zip files (searched in depth), globs, and "-" (names on standard input, one a
    line, however the lines end); `read_image` reads them.

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


def read_image(file: str) -> bytes:
    """The bytes of a file that `find_images` found.

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


def as_items(images: Any) -> list[Any]:
    """What was given, as a list: one image alone is a list of one, an array `[n, height, width, 3]` one of n.

    Raises:
        InputError: something that is neither an image nor several.
    """
    if isinstance(images, str | os.PathLike | _BYTES) or _is_pil(images):
        return [images]
    if (dimensions := getattr(images, "ndim", None)) is not None:  # of NumPy, of TensorFlow
        return [images] if dimensions in (0, 2, 3) else list(images)
    if isinstance(images, Mapping) or not isinstance(images, Iterable):
        raise InputError(f"{_KINDS}", where=type(images).__name__)
    return list(images)


def to_bytes(image: Any) -> bytes:
    """Encoded bytes of an image: a path is read, bytes pass through, arrays and PIL images are encoded as PNG.

    Raises:
        InputError: a file that cannot be read, or something that is no image.
    """
    if isinstance(image, _BYTES):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", where=image) from None
        except ValueError as error:  # a zero byte in the name
            raise InputError(f"{str(image)!r}: no name of a file ({error})") from None
    if not _is_pil(image):
        image = _from_array(image)

    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)  # PNG keeps the pixels; where they belong is known here
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):  # PNG has no others, such as CMYK
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=b"")
    return buffer.getvalue()


def _name(place: Any) -> str:
    if isinstance(place, str | os.PathLike):
        return os.fspath(place)
    raise InputError(
        f"places are names of {PLACES}; images as arrays or bytes go to load(run).predict(...)",
        where=type(place).__name__,
    )


def _behind(place: str) -> Iterator[str]:
    if place == "-":
        yield from _listed()
    elif os.path.isdir(place):
        listing = list_images(DiskTree(place), [], place=place)
        yield from (os.path.join(place, each) for each in listing.images)
    elif (around := zip_around(place)) is not None:
        yield from _in_zip(place, *around)
    elif os.path.isfile(place):
        yield place
    else:
        matches = [each for each in sorted(glob.glob(place, recursive=True)) if os.path.isfile(each)]
        if not matches:
            raise InputError(f"no image here ({PLACES})", where=place)
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
    for path in list_images(tree, [], place=place).images:
        yield os.path.join(file, join(inside, path))


@lru_cache(maxsize=8)
def _open_zip(file: str, stamp: str | None) -> ZipTree:
    """Kept open from image to image, as long as the file stays the same."""
    return ZipTree(file, key="")


def _is_pil(image: Any) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}" == "PIL.Image.Image" for each in type(image).__mro__)


def _from_array(image: Any) -> Any:
    """The PIL image of a uint8 array."""
    if not hasattr(image, "__array__"):
        raise InputError(f"{_KINDS}", where=type(image).__name__)

    import numpy as np
    from PIL import Image

    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise InputError(f"an array of {array.dtype}: images are uint8 RGB [height, width, 3] or grey [height, width]")
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if not array.size or array.ndim not in (2, 3) or array.ndim == 3 and array.shape[-1] not in (3, 4):
        raise InputError(
            f"an array of shape {array.shape}: an image is RGB [height, width, 3] or grey [height, width], several are "
            "[n, height, width, 3] or a list"
        )
    return Image.fromarray(array)
