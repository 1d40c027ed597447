"""Where image files lie: a folder on disk, or a zip file that is read without unpacking it."""

from __future__ import annotations

import errno
import os
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..files import may


class FileTree(ABC):
    """Files below a root by their paths in it, with "/" between the parts; safe to read from many threads.

    Attributes:
        root: what a person calls the root.
    """

    root: str

    @abstractmethod
    def inside(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Name of each entry of a folder ("" is the root), sorted, and whether it is a folder itself.

        Asked of a folder only after the one around it.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            OSError: it cannot be read.
        """

    @abstractmethod
    def stamp(self, path: str) -> str | None:
        """What changes whenever the bytes of a file do, None where it cannot be told."""

    def where(self, path: str) -> str:
        """What a person calls a file."""
        return os.path.join(self.root, path)


class DiskTree(FileTree):
    """A folder on disk; links inside it are followed, except to a folder that they stand in."""

    def __init__(self, root: str):
        self.root = root
        self._above = {"": frozenset({os.path.realpath(root)})}
        """Of a folder: the real path of it and of all around it."""

    def inside(self, folder: str) -> Iterator[tuple[str, bool]]:
        for entry in sorted(os.scandir(self.where(folder)), key=lambda each: each.name):
            if not entry.is_dir():
                yield entry.name, False
                continue
            real = os.path.realpath(entry.path)
            if real not in self._above[folder]:  # a link to a folder above would never end
                self._above[join(folder, entry.name)] = self._above[folder] | {real}
                yield entry.name, True

    def read(self, path: str) -> bytes:
        return Path(self.where(path)).read_bytes()

    def stamp(self, path: str) -> str | None:
        return stamp_of(self.where(path))


class ZipTree(FileTree):
    """A zip file, or a folder in it, read without unpacking.

    Args:
        file: the zip file.
        folder: the folder in it that is the root, "" for all.
        key: of the recipe, that names it; "" where none does.

    Raises:
        InputError: no readable zip file, one with a password, or without that folder.
    """

    def __init__(self, file: str, folder: str = "", key: str = "data.path"):
        self.root = os.path.join(file, folder) if folder else file
        place = f"{key}={file}" if key else file
        try:
            self._zip = zipfile.ZipFile(file)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", where=place) from None
        except zipfile.BadZipFile as error:
            raise InputError(f"not a readable zip file: {error}", where=place) from None
        self._lock = threading.Lock()
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._inside: dict[str, dict[str, bool]] = {"": {}}
        for member in self._zip.infolist():
            # Some programs for Windows write its separator, against the format (APPNOTE.TXT 4.4.17).
            path = member.filename.replace("\\", "/")
            if path.startswith(f"{folder}/") or not folder:
                self._add(path.removeprefix(f"{folder}/"), member)
        if folder and not self._members:
            raise InputError(f"{key}={self.root}: no folder '{folder}' in the zip file".removeprefix("="))
        if any(member.flag_bits & 1 for member in self._members.values()):
            raise InputError("protected by a password: unpack it, and give the folder", where=place)

    def inside(self, folder: str) -> Iterator[tuple[str, bool]]:
        yield from sorted(self._inside[folder].items())

    def has(self, path: str) -> bool:
        """Whether it is a file in the zip file."""
        return path in self._members

    def read(self, path: str) -> bytes:
        if not self.has(path):
            raise FileNotFoundError(errno.ENOENT, "No such file in the zip file", self.where(path))
        try:
            with self._lock:  # opening and closing count the readers, without a lock of their own
                stream = self._zip.open(self._members[path])
            try:
                return stream.read()
            finally:
                with self._lock:
                    stream.close()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(errno.EIO, f"broken in the zip file: {error}", self.where(path)) from None

    def stamp(self, path: str) -> str:
        member = self._members[path]
        return f"{member.file_size} {member.CRC:08x}"

    def _add(self, path: str, member: zipfile.ZipInfo) -> None:
        """Notes a file or folder, and the folders around it, which a zip file need not list."""
        *folders, name = path.split("/")
        around = ""
        for each in folders:
            self._inside[around][each] = True
            around = join(around, each)
            self._inside.setdefault(around, {})
        if name:
            self._inside[around].setdefault(name, False)
            self._members[path] = member


def stamp_of(file: str) -> str | None:
    """What changes whenever the bytes of a file on disk do; None where they cannot be had: reading it will say why."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return f"{status.st_size} {status.st_mtime_ns}" if may(file, os.R_OK) else None


def open_tree(path: str, key: str = "data.path") -> FileTree:
    """The folder, the zip file, or the folder in a zip file (`photos.zip/train`) at a path, which a key of the recipe
    names."""
    around = zip_around(path)
    return ZipTree(*around, key) if around else DiskTree(path)


def zip_around(path: str) -> tuple[str, str] | None:
    """The zip file that a path is or leads into, and the path in it, "" for all of it; None where there is none."""
    for file in (Path(path), *Path(path).parents):
        if file.suffix.lower() == ".zip" and file.is_file():
            inside = Path(path).relative_to(file).as_posix()
            return str(file), "" if inside == "." else inside
    return None


def join(folder: str, name: str) -> str:
    """The path of what a folder holds, relative as the folder is; "" is the root."""
    return f"{folder}/{name}" if folder else name
