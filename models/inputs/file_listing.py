"""Which pictures lie below a folder."""

import glob
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..errors import InputError, advise
from .file_tree import FileTree, join

EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "webp")

_log = logging.getLogger(__name__)


@dataclass
class Listing:
    """Paths relative to the root, with "/" between their parts.

    Attributes:
        pictures: the files with a picture's extension, sorted.
        folders: all folders that are not left out, sorted.
        patterns: those that leave something out, as the recipe has them.
        excluded: how many pictures a pattern left out, counted at the folder they lie in.
        ignored: how many files are no pictures by their extension.
    """

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    patterns: Sequence[str] = ()
    excluded: Counter[str] = field(default_factory=Counter)
    ignored: int = 0


def leave_out(path: str, patterns: Sequence[str]) -> str:
    """The override that leaves out a path, beside what the patterns of the recipe leave out already."""
    return advise("data.exclude", [*patterns, glob.escape(path)])


def list_pictures(
    tree: FileTree,
    exclude: Sequence[str],
    place: str | None = None,
    noun: str = "pictures",
    extensions: Sequence[str] = EXTENSIONS,
) -> Listing:
    """Lists the pictures of a tree; what is hidden (".git", "._a.jpg", "__MACOSX") is passed over.

    Args:
        tree: where they lie.
        exclude: glob patterns of relative paths, where "*" matches "/" too; a folder that matches is left out with
            all that is in it.
        place: what a person calls the tree, for messages; `data.path=` and its root unless given.
        noun: what a person calls its pictures.
        extensions: theirs.

    Raises:
        InputError: the folder is missing, is no folder, may not be read, has no
            pictures, or one whose name is not UTF-8.
    """
    listing, used, root = Listing(patterns=exclude), set(), tree.root
    place = place or f"data.path={root}"

    def is_excluded(path: str) -> bool:
        matching = [pattern for pattern in exclude if fnmatchcase(path, pattern.rstrip("/"))]
        used.update(matching)
        return bool(matching)

    def walk(folder: str) -> None:
        for name, is_folder in tree.inside(folder):
            path = join(folder, name)
            if name.startswith((".", "__MACOSX")):
                listing.ignored += not is_folder
            elif is_folder:
                if not is_excluded(path):
                    listing.folders.append(path)
                    walk(path)
            elif name.lower().rpartition(".")[2] not in extensions:
                listing.ignored += 1
            elif is_excluded(path):
                listing.excluded[folder] += 1
            else:
                listing.pictures.append(path)

    try:
        walk("")
    except FileNotFoundError:
        kind = "zip file" if root.lower().endswith(".zip") else "folder"
        raise InputError(f"{place}: no such {kind}") from None
    except NotADirectoryError:
        hint = (
            "data.source=csv reads tables" if root.lower().endswith((".csv", ".tsv")) else "give the folder around it"
        )
        raise InputError(f"{place}: a file, not a folder: {hint}") from None
    except PermissionError as error:
        raise InputError(f"{place}: no permission to read {error.filename}") from None
    except OSError as error:
        raise InputError(f"{place}: {error.filename}: {error.strerror}") from None
    listing.pictures.sort()
    listing.folders.sort()
    if listing.ignored:
        _log.info("%s: files ignored that are no %s by their name: %d", root, noun, listing.ignored)
    for pattern in sorted(set(exclude) - used):
        _log.warning("data.exclude '%s' matches nothing in %s: patterns are of the whole path inside it", pattern, root)
    _check(place, noun, extensions, listing)
    return listing


def _check(place: str, noun: str, extensions: Sequence[str], listing: Listing) -> None:
    if not listing.pictures:
        other = f"; other files: {listing.ignored}" if listing.ignored else ""
        other += f"; data.exclude leaves out {listing.excluded.total()}" if listing.excluded else ""
        raise InputError(f"{place}: no {noun} ({', '.join(extensions)}) in it{other}")
    for path in listing.pictures:
        try:
            path.encode()
        except UnicodeEncodeError:  # keys go into logs, tables and TensorFlow's strings
            raise InputError(f"{place}: file name {path!a} is not UTF-8: rename it") from None
