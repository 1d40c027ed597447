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
    """A JSON file from where a sample is to what is known of it. Losing it costs time, so no fault of it is an error.

    Bad samples are not kept: there are few, and they are tried again at every start.

    Args:
        file: the JSON file; it need not exist. None: nothing is remembered.
        reader: what read the samples and in which version; another reader starts anew.
    """

    def __init__(self, file: Path | None, reader: str):
        self._file = file
        self._reader = reader
        self._known: dict[str, Known] = {}
        self._is_changed = False
        if file is None:
            return
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["reader"] == reader:
                self._known = {where: _known(*entry) for where, entry in content["samples"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            _log.warning("%s: not readable as the memory of a former check: all samples are read again", file)

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
        except OSError as error:
            _log.warning("%s: the check is not remembered: %s", self._file, error.strerror)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _known(stamp: str, digest: str, note: str, truth: str, classes: list[int], group: str) -> Known:
    return Known(str(stamp), str(digest), str(note), str(truth), tuple(map(int, classes)), str(group))
