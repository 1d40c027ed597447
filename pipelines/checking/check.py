"""Reads every picture once before a job starts, so that none of them stops it at night."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ...models.errors import InputError, RecipeError
from ...models.files import of_path
from ...models.image_errors import reason as image_reason
from ...models.image_options import IGNORE
from ...models.task import Task
from ..source import SPLITS, Source
from ..sources.picture_listing import by_extension
from .check_cache import CheckCache, Known
from .findings import Findings, fingerprint

# What a file begins with, and the extensions that say so.
_FORMATS = (
    (b"\xff\xd8\xff", "JPEG", ("jpg", "jpeg")),
    (b"\x89PNG", "PNG", ("png",)),
    (b"GIF8", "GIF", ("gif",)),
    (b"BM", "BMP", ("bmp",)),
    (b"RIFF", "WebP", ("webp",)),
)

_log = logging.getLogger(__name__)

Judge = Callable[[tuple[int, int], Mapping[str, Any]], None]


@dataclass(frozen=True)
class _Read:
    """What reading one sample gave: no digest if its file cannot be read, a reason if the sample cannot be used."""

    position: int
    digest: str = ""
    note: str = ""
    reason: str = ""
    truth: str = ""
    classes: str = ""


def check(
    source: Source,
    splits: Mapping[str, np.ndarray],
    decode: Callable[[tf.Tensor], tf.Tensor],
    reason: Callable[[Exception, bytes], str],
    cache: Path | None,
    judge: Judge | None = None,
    of_classes: Sequence[str] = (),
) -> Findings:
    """Reads, hashes and decodes every sample of all splits; a progress line on stderr appears after two seconds.

    Args:
        source: the data.
        splits: positions by split, of every name in `SPLITS`.
        decode: the reference decoder, scalar string to a picture, graph operations only; it raises
            `tf.errors.InvalidArgumentError` on a picture it refuses.
        reason: says in a phrase why, from that error and the encoded picture.
        cache: file that remembers good samples by their stamp, kept when interrupted too; None reads all.
        judge: refuses truth that cannot belong to a picture of some height and width, by an InputError; without it
            truth is not read.
        of_classes: the names of the truth that is judged and holds class ids.

    Returns:
        What was found. Nothing is refused yet: `Findings.refuse` does that.

    Raises:
        RecipeError: a sample shows that the recipe does not fit the data.
    """
    memory = CheckCache(cache, f"2 tensorflow {tf.__version__}")
    positions = np.concatenate([splits[name] for name in SPLITS]).tolist()
    stamps = {position: source.stamp(position) for position in positions}
    done: list[_Read] = []
    todo: list[int] = []
    for position in positions:
        known = memory.get(source.where(position), stamps[position])
        if known:
            done.append(_Read(position, known.digest, known.note, truth=known.truth, classes=known.classes))
        else:
            todo.append(position)
    try:
        for result in _read_all(source, todo, decode, reason, judge, of_classes):
            done.append(result)
            stamp = stamps[result.position]
            if stamp and not result.reason:
                known = Known(stamp, result.digest, result.note, result.truth, result.classes)
                memory.put(source.where(result.position), known)
    finally:  # Ctrl-C loses nothing
        memory.save()
    done.sort(key=lambda result: result.position)
    digests = {result.position: result.digest for result in done if result.digest}
    found = Findings(
        splits=splits,
        bad={result.position: result.reason for result in done if result.reason},
        notes={result.position: result.note for result in done if result.note},
        digests=digests,
        truths={result.position: result.truth for result in done if result.truth},
        fingerprint=fingerprint(
            source, {result.position: result.digest + result.truth for result in done if result.digest}
        ),
        classes={result.position: frozenset(map(int, result.classes.split())) for result in done if not result.reason}
        if of_classes
        else None,
    )
    truths = {result.position: result.truth for result in done}
    found.contradictions = _contradictions(source, found.twins, truths)
    _report(source, found, len(todo))
    return found


def bad_among(task: Task, source: Source, positions: Sequence[int]) -> dict[int, str]:
    """Of some samples those that cannot be used, and why; each is read."""
    found = _read_all(source, [int(each) for each in positions], task.input.decode, image_reason, judge_of(task), ())
    return {each.position: each.reason for each in found if each.reason}


def judge_of(task: Task) -> Judge | None:
    """What refuses truth that cannot belong to a picture; None where truth is no matter of the picture's size."""
    return task.check if any(None in each.shape for each in task.truth.values()) else None


def _read_all(
    source: Source,
    positions: list[int],
    decode: Callable[[tf.Tensor], tf.Tensor],
    reason: Callable[[Exception, bytes], str],
    judge: Judge | None,
    of_classes: Sequence[str],
) -> Iterator[_Read]:
    """Reads in threads, in any order: reading, hashing and the decoder's graph all run outside Python's lock.

    One call of the graph a picture, and not a tf.data pipeline, because a pipeline loses the error and its sample.
    """
    if not positions:
        return
    graph = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False).get_concrete_function()

    def read(position: int) -> _Read:
        try:
            data = source.read(position)
        except OSError as error:
            return _Read(position, reason=error.strerror or str(error))
        digest = blake2b(data, digest_size=16).hexdigest()
        try:
            picture = graph(tf.constant(data))
            truth = _judged(source, position, picture, judge) if judge else {}
        except tf.errors.InvalidArgumentError as error:
            return _Read(position, digest, reason=reason(error, data))
        except RecipeError:
            raise
        except InputError as error:
            return _Read(position, digest, reason=str(error))
        except OSError as error:
            return _Read(position, digest, reason=f"its truth: {of_path(error)}")
        held = set().union(*(_values(truth[name]) for name in of_classes if name in truth)) - {IGNORE}
        return _Read(
            position,
            digest,
            note=_note(data, source.where(position)),
            truth=_digest(truth) if judge else "",
            classes=" ".join(map(str, sorted(held))),
        )

    interval = 0.2 if sys.stderr.isatty() else 10  # seconds; a log file needs no animation
    with (
        ThreadPool(max(2, os.cpu_count() or 2)) as pool,
        tqdm(
            total=len(positions), desc="checking", unit=" pictures", delay=2, mininterval=interval, leave=False
        ) as bar,
    ):
        for result in pool.imap_unordered(read, positions):
            bar.update()
            yield result


def _judged(source: Source, position: int, picture: tf.Tensor, judge: Judge) -> Mapping[str, Any]:
    """The sample's truth, if that passes."""
    truth = source.truth(position)
    height, width = picture.shape[:2]
    judge((height, width), truth)
    return truth


def _values(ids: np.ndarray) -> list[int]:
    """The values that occur; bytes are counted, which is faster than sorting them."""
    found = np.flatnonzero(np.bincount(ids.ravel())) if ids.dtype == np.uint8 else np.unique(ids)
    return found.tolist()


def _contradictions(
    source: Source, twins: Sequence[Sequence[int]], digests: Mapping[int, str]
) -> list[tuple[int, int]]:
    """Pairs of identical samples with different truth, whose digest is made now where it is not known."""
    found = []
    for first, *others in twins:
        truth, *rest = (digests[each] or _digest(source.truth(each)) for each in (first, *others))
        found += [(first, other) for other, its in zip(others, rest, strict=True) if its != truth]
    return found


def _digest(truth: Mapping[str, Any]) -> str:
    digest = blake2b(digest_size=16)
    for name in sorted(truth):
        digest.update(np.ascontiguousarray(truth[name]).tobytes())
    return digest.hexdigest()


def _note(data: bytes, where: str) -> str:
    """What is odd about a good picture, "" for nothing: its extension is another format's."""
    extension = PurePath(where).suffix.lower().removeprefix(".")
    named = any(extension in extensions for _, _, extensions in _FORMATS)
    for magic, name, extensions in _FORMATS:
        if data.startswith(magic) and named and extension not in extensions:
            return f"a {name} named .{extension}"
    return ""


def _report(source: Source, found: Findings, read: int) -> None:
    total = sum(map(len, found.splits.values()))
    _log.info("checked %d pictures, %d of them read now: %d cannot be used", total, read, len(found.bad))
    if found.duplicates:
        _log.info("%d pictures repeat another of their split byte for byte", found.duplicates)
    if unread := by_extension(map(source.where, found.bad)):
        _log.warning("left out: %s, which are not read: convert them to PNG or JPEG", unread)
    if found.notes:
        first, note = next(iter(found.notes.items()))
        _log.info("%d pictures have another format's extension: %s is %s", len(found.notes), source.where(first), note)
