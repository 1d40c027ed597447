"""What former checks of the data found, so that a file that did not change is not read again."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger(__name__)


class Known(NamedTuple):
    """A good sample: the stamp of its files then, and what was found, as in `check.Checked`."""

    stamp: str
    digest: str
    note: str
    truth: str
    classes: tuple[int, ...]
    group: str


class CheckCache:
    """A JSON file from where a sample is to what is known of it. Losing it costs time, so no fault of it is an error,
    and one line tells of the first.

    Bad samples are not kept: there are few, and they are tried again at every start.

    Args:
        file: the JSON file; it need not exist. None: nothing is remembered.
        reader: what read the samples and in which version; another reader starts anew.
    """

    def __init__(self, file: Path | None, reader: str):
        self._file = file
        self._reader = reader
        self._known: dict[str, Known] = {}
        self._is_changed = self._was_told = False
        if file is None:
            return
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["reader"] == reader:
                self._known = {where: _known(*entry) for where, entry in content["samples"].items()}
        except (FileNotFoundError, NotADirectoryError):  # nothing yet; or no place for it, which saving tells
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._tell("not readable as the memory of a former check: all samples are read again")

    def get(self, where: str, stamp: str | None) -> Known | None:
        """What is known of the sample at `where`, None if nothing is or its stamp is another."""
        known = self._known.get(where)
        return known if known and known.stamp == stamp else None

    def put(self, where: str, known: Known) -> None:
        """Remembers a good sample."""
        self._known[where] = known
        self._is_changed = True

    def save(self) -> None:
        """Writes the file at once or not at all."""
        if self._file is None or not self._is_changed:
            return
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"reader": self._reader, "samples": self._known}), encoding="utf-8")
            part.replace(self._file)
            self._is_changed = False
        except OSError as error:  # no permission, a file in its way, a full disk
            self._tell(f"the check is not remembered: {error.strerror or error}")
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _tell(self, what: str) -> None:
        if not self._was_told:
            _log.warning("%s: %s", self._file, what)
        self._was_told = True


def _known(stamp: str, digest: str, note: str, truth: str, classes: list[int], group: str) -> Known:
    return Known(str(stamp), str(digest), str(note), str(truth), tuple(map(int, classes)), str(group))
