"""Reads every sample once before a job starts, so that none of them stops it at night."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ...models.contract import Task, Truth, classes_in, with_role
from ...models.errors import InputError, RecipeError
from ...models.files import of_path
from .source import Source

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """What reading one sample gave.

    Attributes:
        digest: BLAKE2b of what is on disk, 128 bits in hex; "" for a file that cannot be read.
        truth: likewise of its truth.
        classes: ids of the classes that it shows, where truth has a role that says so.
        group: what it may not be parted from, where truth has that role.
        note: something odd that does no harm.
        reason: why the sample cannot be used; "" for a good one.
    """

    digest: str = ""
    truth: str = ""
    classes: tuple[int, ...] = ()
    group: str = ""
    note: str = ""
    reason: str = ""


@dataclass
class Check:
    """What is known of all samples once each was read.

    Attributes:
        samples: position to what was found.
        truths: position to the truth that was read on the way, as far as memory went.
        read: how many were read now; of the others a former check is remembered.
    """

    samples: dict[int, Checked] = field(default_factory=dict)
    truths: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    read: int = 0


def check(source: Source, task: Task, cache: Path | None = None, memory: int = 0) -> Check:
    """Reads, hashes and inspects every sample, and its truth; a progress line on stderr appears after two seconds.

    Args:
        source: the data.
        task: its input inspects the raw values, and it may refuse truth.
        cache: file that remembers good samples by their stamp, kept when interrupted too; None reads all.
        memory: bytes of truth that may be kept for those who need it next.

    Returns:
        What was found. Nothing is refused yet.

    Raises:
        RecipeError: a sample shows that the recipe does not fit the data.
    """
    import tensorflow as tf  # a recipe is checked without it

    remembered = CheckCache(cache, f"3 tensorflow {tf.__version__}")
    stamps = {position: source.stamp(position) for position in range(len(source))}
    found, todo = Check(), []
    for position, stamp in stamps.items():
        known = remembered.get(source.where(position), stamp)
        if known:
            found.samples[position] = Checked(known.digest, known.truth, known.classes, known.group, known.note)
        else:
            todo.append(position)
    left, found.read = memory, len(todo)
    try:
        for position, result, truth in _read_all(source, task, todo):
            found.samples[position] = result
            size = sum(np.asarray(value).nbytes for value in truth.values())
            if not result.reason and size <= left:
                found.truths[position], left = truth, left - size
            stamp = stamps[position]
            if stamp and not result.reason:
                known = Known(stamp, result.digest, result.note, result.truth, result.classes, result.group)
                remembered.put(source.where(position), known)
    finally:  # Ctrl-C loses nothing
        remembered.save()
    return found


def bad_among(task: Task, source: Source, positions: Sequence[int]) -> dict[int, str]:
    """Of some samples those that cannot be used, and why; each is read."""
    return {at: found.reason for at, found, _ in _read_all(source, task, list(map(int, positions))) if found.reason}


def _read_all(source: Source, task: Task, positions: Sequence[int]) -> Iterator[tuple[int, Checked, Mapping[str, Any]]]:
    """Reads in threads, in any order: reading, hashing and decoding all run outside Python's lock."""
    if not positions:
        return

    def read(position: int) -> tuple[int, Checked, Mapping[str, Any]]:
        checked, truth = _read(source, task, position)
        return position, checked, truth

    interval = 0.2 if sys.stderr.isatty() else 10  # seconds; a log file needs no animation
    with (
        ThreadPool(max(2, os.cpu_count() or 2)) as pool,
        tqdm(total=len(positions), desc="checking", unit=" samples", delay=2, mininterval=interval, leave=False) as bar,
    ):
        for result in pool.imap_unordered(read, positions):
            bar.update()
            yield result


def _read(source: Source, task: Task, position: int) -> tuple[Checked, Mapping[str, Any]]:
    try:
        sample = source.read(position)
    except OSError as error:
        return Checked(reason=error.strerror or str(error)), {}
    except RecipeError:
        raise
    except InputError as error:
        return Checked(reason=str(error)), {}
    digest = digest_of(sample)
    try:
        (raw,) = task.input.prepare([task.input.request({"key": source.keys[position], **sample})])
        if isinstance(raw, str):
            return Checked(digest, reason=raw), {}
        inspected = task.input.inspect(raw, source.where(position))
        truth, note = source.inspect_truth(position) if task.truth else ({}, "")
        task.check(inspected.size, truth)
    except RecipeError:
        raise
    except InputError as error:
        return Checked(digest, reason=str(error)), {}
    except OSError as error:
        return Checked(digest, reason=f"its truth: {of_path(error)}"), {}
    classes, group = seen_in(truth, task.truth)
    note = "; ".join(filter(None, (inspected.note, note)))
    return Checked(digest, digest_of(truth), classes, group, note), truth


def seen_in(truth: Mapping[str, Any], types: Mapping[str, Truth]) -> tuple[tuple[int, ...], str]:
    """Which classes a sample's truth shows, and which group it names, by the roles of the values."""
    name, group = with_role(types, "class_ids", "multi_hot"), with_role(types, "group")
    classes = tuple(classes_in(truth[name], types[name]).tolist()) if name else ()
    return classes, text(truth[group]) if group else ""


def digest_of(values: Mapping[str, Any]) -> str:
    """BLAKE2b of named values, 128 bits in hex: the same for the same content in every process."""
    digest = blake2b(digest_size=16)
    for name in sorted(values):
        value = values[name]
        if not isinstance(value, bytes | str):
            array = np.asarray(value)
            digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
            # an object's own bytes are its address
            parts = map(text, array.ravel()) if array.dtype.kind in "OUS" else [array.tobytes()]
        else:
            digest.update(f"{name}\0".encode())
            parts = [value]
        for part in parts:
            content = part.encode() if isinstance(part, str) else part
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def text(value: Any) -> str:
    """A single value of truth as text."""
    value = value.item() if hasattr(value, "item") else value
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


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
