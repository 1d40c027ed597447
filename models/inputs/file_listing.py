"""Which images lie below a folder."""

import glob
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..errors import InputError, advise
from .exports import advice
from .file_tree import FileTree, join
from .own_output import is_no_data, is_own, written_into

EXTENSIONS = ("jpg", "jpeg", "png", "gif", "bmp", "webp")
UNREAD = (
    "tif tiff avif heic heif jp2 j2k jpx jxl jfif psd psb tga pcx ppm pgm pbm pnm exr hdr ico svg dcm dng cr2 cr3 nef "
    "arw orf raf rw2 pef srw raw"
).split()
"""Of images in formats that are not read."""

_MAX_NAMED = 5  # paths in one message
_log = logging.getLogger(__name__)


@dataclass
class Listing:
    """Paths relative to the root, with "/" between their parts.

    Attributes:
        images: the files with an image's extension, sorted.
        folders: all folders that are not left out, sorted.
        patterns: those that leave something out, as the recipe has them.
        excluded: how many images a pattern left out, counted at the folder they lie in.
        unread: images in formats that are not read.
        own: what saccade itself wrote there: runs, bundles, drawn results, contact sheets, and folders of nothing else.
        ignored: how many other files are no images by their extension.
    """

    images: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    patterns: Sequence[str] = ()
    excluded: Counter[str] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    ignored: int = 0


def leave_out(path: str, patterns: Sequence[str]) -> str:
    """The override that leaves out a path, beside what the patterns of the recipe leave out already."""
    return advise("data.exclude", [*patterns, glob.escape(path)])


def list_images(
    tree: FileTree,
    exclude: Sequence[str],
    place: str | None = None,
    noun: str = "images",
    extensions: Sequence[str] = EXTENSIONS,
    unread: Sequence[str] = UNREAD,
) -> Listing:
    """Lists the images of a tree; what is hidden (".git", "._a.jpg"), kept by a system ("__MACOSX", "@eaDir") or was
    written by saccade is passed over.

    Args:
        tree: where they lie.
        exclude: glob patterns of relative paths, where "*" matches "/" too; a folder that matches is left out with
            all that is in it.
        place: what a person calls the tree, for messages; `data.path=` and its root unless given.
        noun: what a person calls its images.
        extensions: theirs.
        unread: those of images that are told of because they are not read.

    Raises:
        InputError: the folder is missing, is no folder, may not be read, has no
            images, or one whose name is not UTF-8.
    """
    listing, used, root = Listing(patterns=exclude), set(), tree.root
    place = place or f"data.path={root}"

    def is_excluded(path: str) -> bool:
        matching = [pattern for pattern in exclude if fnmatchcase(path, pattern.rstrip("/"))]
        used.update(matching)
        return bool(matching)

    def walk(folder: str) -> bool:
        """Lists what a folder holds; whether that is saccade's own, or nothing but folders of its own."""
        entries = dict(tree.inside(folder))
        written = written_into(tree, folder, entries)
        if folder and is_own(entries):
            return True
        before, own = _extent(listing), []
        for name, is_folder in entries.items():
            path = join(folder, name)
            if is_no_data(name):
                listing.ignored += not is_folder
            elif name in written:
                own.append(path)
            elif is_folder:
                if not is_excluded(path):
                    listing.folders.append(path)
                    if walk(path):
                        listing.folders.pop()  # it left none behind it
                        own.append(path)
            elif (extension := _extension(name)) not in extensions:
                listing.unread += [path] * (extension in unread and not is_excluded(path))
                listing.ignored += extension not in unread
            elif is_excluded(path):
                listing.excluded[folder] += 1
            else:
                listing.images.append(path)
        if folder and own and _extent(listing) == before:
            return True
        listing.own += own
        return False

    try:
        walk("")
    except FileNotFoundError:
        kind = "zip file" if root.lower().endswith(".zip") else "folder"
        raise InputError(f"no such {kind}", where=place) from None
    except NotADirectoryError:
        hint = (
            "data.source=csv reads tables" if root.lower().endswith((".csv", ".tsv")) else "give the folder around it"
        )
        raise InputError(f"a file, not a folder: {hint}", where=place) from None
    except PermissionError as error:
        raise InputError(f"no permission to read {error.filename}", where=place) from None
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}", where=place) from None
    listing.images.sort()
    listing.folders.sort()
    if listing.own:
        _log.info("%s: left out, because saccade wrote it: %s", root, _named(listing.own))
    tell_unread(listing.unread, place, noun, are_all=not listing.images and not listing.excluded)
    if listing.ignored:
        _log.info("%s: files ignored that are no %s by their name: %d", root, noun, listing.ignored)
    for pattern in sorted(set(exclude) - used):
        _log.warning("data.exclude '%s' matches nothing in %s: patterns are of the whole path inside it", pattern, root)
    _check(place, noun, extensions, listing, tree)
    return listing


def _check(place: str, noun: str, extensions: Sequence[str], listing: Listing, tree: FileTree) -> None:
    if not listing.images:
        other = f"; other files: {listing.ignored}" if listing.ignored else ""
        other += f"; saccade's own: {_named(listing.own)}" if listing.own else ""
        other += f"; data.exclude leaves out {listing.excluded.total()}" if listing.excluded else ""
        told = advice(tree)
        other += f": {told}" if told else ""
        raise InputError(f"no {noun} ({', '.join(extensions)}) in it{other}", where=place)
    for path in listing.images:
        try:
            path.encode()
        except UnicodeEncodeError:  # keys go into logs, tables and TensorFlow's strings
            raise InputError(f"file name {path!a} is not UTF-8: rename it", where=place) from None


def tell_unread(paths: Sequence[str], place: str, noun: str, are_all: bool) -> None:
    """Says in one line how many images are left out because their formats are not read.

    Args:
        paths: of those images.
        place: what a person calls what they lie in.
        noun: what a person calls the images.
        are_all: whether there are no others.

    Raises:
        InputError: there are no others.
    """
    if not paths:
        return
    what = f"{by_extension(paths)}, which are not read: convert them to PNG{'' if noun == 'masks' else ' or JPEG'}"
    if are_all:
        raise InputError(f"no {noun} but {what}", where=place)
    _log.warning("%s: left out: %s", place, what)


def by_extension(paths: Iterable[str]) -> str:
    """How many of some files have each of the extensions in `UNREAD`, "12 .tiff, 3 .heic"; "" where none has."""
    found = Counter(f".{_extension(path)}" for path in paths if _extension(path) in UNREAD)
    return ", ".join(f"{count} {extension}" for extension, count in found.most_common())


def _extension(path: str) -> str:
    return path.lower().rpartition(".")[2]


def _extent(listing: Listing) -> tuple[int, ...]:
    """How much was found so far."""
    return (
        len(listing.images),
        len(listing.folders),
        len(listing.unread),
        listing.excluded.total(),
    )


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MAX_NAMED} more" if len(paths) > _MAX_NAMED else ""
    return ", ".join(paths[:_MAX_NAMED]) + more
