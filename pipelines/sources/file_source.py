"""What sources have in common whose samples are picture files."""

import os
from pathlib import Path

from ..source import Source


class FileSource(Source):
    """A source whose subclasses list one file for each key.

    Attributes:
        files: the path of each sample's picture, in the order of `keys`.
    """

    files: list[str]

    def read(self, position: int) -> bytes:
        return Path(self.files[position]).read_bytes()

    def where(self, position: int) -> str:
        return self.files[position]

    def stamp(self, position: int) -> str | None:
        try:
            status = os.stat(self.files[position])
        except OSError:  # reading it will say why
            return None
        return f"{status.st_size} {status.st_mtime_ns}"
