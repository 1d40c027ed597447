"""Which pictures lie below a folder."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ...models.errors import InputError

EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "webp")

_log = logging.getLogger(__name__)


@dataclass
class Listing:
    """Paths relative to the root, with "/" between their parts.

    Attributes:
        pictures: the files with a picture's extension, sorted.
        folders: all folders that are not left out, sorted.
        excluded: how many pictures a pattern left out, counted at the folder they lie in.
        ignored: how many files are no pictures by their extension.
    """

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    ignored: int = 0


def list_pictures(root: str, exclude: Sequence[str]) -> Listing:
    """Lists the pictures below a folder; what is hidden (".git", "._a.jpg", "__MACOSX") is passed over.

    Args:
        root: the folder; links inside it are followed.
        exclude: glob patterns of relative paths, where "*" matches "/" too; a folder that matches is left out with
            all that is in it.

    Raises:
        InputError: the folder is missing, is no folder, may not be read, has no
            pictures, or one whose name is not UTF-8.
    """
    listing, used = Listing(), set()

    def is_excluded(path: str) -> bool:
        matching = [pattern for pattern in exclude if fnmatchcase(path, pattern.rstrip("/"))]
        used.update(matching)
        return bool(matching)

    def walk(folder: str, above: frozenset[str]) -> None:
        for entry in sorted(os.scandir(os.path.join(root, folder)), key=lambda each: each.name):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith((".", "__MACOSX")):
                listing.ignored += not entry.is_dir()
            elif entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above and not is_excluded(path):  # a link to a folder above would never end
                    listing.folders.append(path)
                    walk(path, above | {real})
            elif entry.name.lower().rpartition(".")[2] not in EXTENSIONS:
                listing.ignored += 1
            elif is_excluded(path):
                listing.excluded[folder] += 1
            else:
                listing.pictures.append(path)

    try:
        walk("", frozenset({os.path.realpath(root)}))
    except FileNotFoundError:
        raise InputError(f"data.path={root}: no such folder") from None
    except NotADirectoryError:
        hint = (
            "data.source=csv reads tables" if root.lower().endswith((".csv", ".tsv")) else "give the folder around it"
        )
        raise InputError(f"data.path={root}: a file, not a folder: {hint}") from None
    except PermissionError as error:
        raise InputError(f"data.path={root}: no permission to read {error.filename}") from None
    except OSError as error:
        raise InputError(f"data.path={root}: {error.filename}: {error.strerror}") from None
    listing.pictures.sort()
    listing.folders.sort()
    if listing.ignored:
        _log.info("%s: files ignored that are no pictures by their name: %d", root, listing.ignored)
    for pattern in sorted(set(exclude) - used):
        _log.warning("data.exclude '%s' matches nothing in %s: patterns are of the whole path inside it", pattern, root)
    _check(root, listing)
    return listing


def _check(root: str, listing: Listing) -> None:
    if not listing.pictures:
        other = f"; other files: {listing.ignored}" if listing.ignored else ""
        other += f"; data.exclude leaves out {listing.excluded.total()}" if listing.excluded else ""
        raise InputError(f"data.path={root}: no pictures ({', '.join(EXTENSIONS)}) in it{other}")
    for path in listing.pictures:
        try:
            path.encode()
        except UnicodeEncodeError:  # keys go into logs, tables and TensorFlow's strings
            raise InputError(f"data.path={root}: file name {path!a} is not UTF-8: rename it") from None
