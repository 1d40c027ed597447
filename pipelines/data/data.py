"""The data of a job: its source opened, checked before it costs a night, split and judged."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.contract import Task, with_role
from ...models.errors import InputError
from ...models.files import read_json
from ...models.inputs.file_listing import by_extension
from ..run import PROVENANCE, QUARANTINE, SAMPLES
from .check import Checked, check
from .source import SPLITS, DataOptions, Source, Truths
from .splits import check_classes, split

_log = logging.getLogger(__name__)

MAX_NAMED = 5
"""Bad samples that get a line of their own in the log."""


@dataclass
class Findings:
    """What is known of the samples of all splits once each was read.

    Attributes:
        splits: the positions that were checked, by split.
        samples: position to what reading it gave.
        leaks: pairs of positions with identical content: a sample and its first twin in an earlier split.
        duplicates: how many samples repeat another of their own split.
        twins: positions of samples with identical content, the first of the earliest split first.
    """

    splits: Mapping[str, np.ndarray]
    samples: Mapping[int, Checked]
    twins: list[list[int]] = field(init=False)
    leaks: list[tuple[int, int]] = field(init=False)
    duplicates: int = field(init=False)

    def __post_init__(self) -> None:
        twins: dict[str, dict[str, list[int]]] = defaultdict(dict)  # digest to split to positions
        for name in SPLITS:
            for position in self.splits[name].tolist():
                if not self.samples[position].reason:
                    twins[self.samples[position].digest].setdefault(name, []).append(position)
        of_bytes = [[position for each in by_split.values() for position in each] for by_split in twins.values()]
        self.twins = [group for group in of_bytes if len(group) > 1]
        self.leaks = []
        for by_split in twins.values():
            first, *others = by_split.values()
            self.leaks += [(first[0], position) for positions in others for position in positions]
        self.duplicates = sum(len(positions) - 1 for each in twins.values() for positions in each.values())

    @property
    def bad(self) -> dict[int, str]:
        """Position to the reason why a sample cannot be used."""
        return {position: each.reason for position, each in sorted(self.samples.items()) if each.reason}

    @property
    def notes(self) -> dict[int, str]:
        """Position to something odd that does no harm, such as a PNG named .jpg."""
        return {position: each.note for position, each in sorted(self.samples.items()) if each.note}

    @property
    def classes(self) -> dict[int, tuple[int, ...]]:
        """Position of each good sample to the classes that it shows."""
        return {position: each.classes for position, each in self.samples.items() if not each.reason}

    def fingerprint(self, keys: Sequence[str]) -> str:
        """Hash of all keys and contents, 128 bits in hex, the same in any order of the samples.

        Args:
            keys: of the source.
        """
        total = hashlib.blake2b(digest_size=16)
        read = ((keys[position], each.digest + each.truth) for position, each in self.samples.items() if each.digest)
        for key, digest in sorted(read):
            total.update(f"{key}\0{digest}\n".encode())
        return total.hexdigest()

    def log(self, source: Source, read: int) -> None:
        """Says what the check found.

        Args:
            source: where the samples are.
            read: how many of them were read now.
        """
        _log.info("checked %d samples, %d of them read now: %d cannot be used", len(self.samples), read, len(self.bad))
        if self.duplicates:
            _log.info("%d samples repeat another of their split byte for byte", self.duplicates)
        if unread := by_extension(map(source.where, self.bad)):
            _log.warning("left out: %s, which are not read: convert them to PNG or JPEG", unread)
        if self.notes:
            first, note = next(iter(self.notes.items()))
            told = "%d samples are odd but usable, first %s: %s (findings.json of the run has all)"
            _log.warning(told, len(self.notes), source.where(first), note)

    @property
    def contradictions(self) -> list[tuple[int, int]]:
        """Pairs of samples with identical content whose truth differs."""
        pairs = ((first, other) for first, *others in self.twins for other in others)
        return [(one, other) for one, other in pairs if self.samples[one].truth != self.samples[other].truth]

    def absent(self, count: int) -> list[int]:
        """Which of the class ids below a count no training sample shows."""
        seen = {label for position in self.usable()["train"].tolist() for label in self.samples[position].classes}
        return sorted(set(range(count)) - seen)

    def usable(self) -> dict[str, np.ndarray]:
        """The splits without their bad samples."""
        bad = np.fromiter(self.bad, np.int64, len(self.bad))
        return {name: np.setdiff1d(positions, bad) for name, positions in self.splits.items()}

    def refuse(self, source: Source, options: DataOptions) -> None:
        """Stops the job where the data is worse than the recipe bears.

        Raises:
            InputError: more bad samples than `data.max_bad`, no good one to train on or to validate with, identical
                samples in two splits.
        """
        refuse_bad(self.bad, sum(map(len, self.splits.values())), source, options)
        for name in ("train", "validation"):  # without a test split a job goes on
            positions = self.splits[name]
            if len(positions) and self.bad.keys() >= set(positions.tolist()):
                first = f"{source.where(int(positions[0]))}: {self.bad[int(positions[0])]}"
                raise InputError(f"none of the {len(positions)} samples in {name} can be used, first {first}")
        if self.leaks and options.leaks == "refuse":
            split_of = {position: name for name, positions in self.splits.items() for position in positions.tolist()}
            pair = " and ".join(f"{source.where(each)} ({split_of[each]})" for each in self.leaks[0])
            kinds = Counter(f"{split_of[one]} and {split_of[other]}" for one, other in self.leaks)
            told = ", ".join(f"{count} in {kind}" for kind, count in kinds.items())
            raise InputError(
                f"identical files in two splits, {told} (first {pair}): metrics would look better than they are: "
                "remove one of each, or say data.leaks=allow"
            )


def refuse_bad(bad: Mapping[int, str], total: int, source: Source, options: DataOptions) -> None:
    """Stops a job that met more bad samples than `data.max_bad` bears.

    Args:
        bad: position to the reason why it cannot be used.
        total: how many samples were looked at.
        source: where they are.
        options: the budget.

    Raises:
        InputError: with the count and the first three.
    """
    is_share = isinstance(options.max_bad, float)
    if len(bad) <= (options.max_bad * total if is_share else options.max_bad):
        return
    budget = f"{100 * options.max_bad:.3g} % of all" if is_share else f"{options.max_bad}"
    told = "; ".join(f"{source.where(position)}: {bad[position]}" for position in sorted(bad)[:3])
    way = f"repair or remove them, or say data.max_bad={len(bad)}"
    if len(bad) == total:
        way = "repair them, or correct what the data section says of them"
    raise InputError(
        f"{len(bad)} of {total} samples cannot be used, and data.max_bad bears {budget}: {told}"
        f"{'; ...' if len(bad) > 3 else ''}: {way}"
    )


def log_bad(bad: Mapping[int, str], source: Source, listed: str) -> None:
    """Names the samples that a job goes on without; the first few only, where there are many.

    Args:
        bad: position to the reason why it cannot be used.
        source: where they are.
        listed: where a person finds all of them.
    """
    for position in sorted(bad)[:MAX_NAMED]:
        _log.warning("%s: %s: left out", source.where(position), bad[position])
    if len(bad) > MAX_NAMED:
        _log.warning("and %d more are left out: %s names them all", len(bad) - MAX_NAMED, listed)


_MAX_CLASSES = 20  # that one message names


@dataclass
class Data:
    """A checked source.

    Attributes:
        source: the opened source.
        splits: split name to positions, bad samples left out.
        findings: what the check found.
        task: what it was checked for.
        kept: position to truth that is in memory already.
    """

    source: Source
    splits: dict[str, np.ndarray]
    findings: Findings
    task: Task
    kept: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def truths(self, split: str) -> Truths:
        """The truth of the samples of a split, in their order."""
        return Truths(self.source, self.splits[split], self.kept)

    @property
    def fingerprint(self) -> str:
        """Hash of all keys and contents."""
        return self.findings.fingerprint(self.source.keys)

    def limited(self, count: int) -> Data:
        """The same with at most `count` samples a split."""
        return dataclasses.replace(self, splits={name: each[:count] for name, each in self.splits.items()})

    def quarantine(self) -> list[dict[str, str]]:
        """One entry a bad sample: its key, where it is, and why."""
        return [
            {"key": self.source.keys[position], "where": self.source.where(position), "reason": why}
            for position, why in sorted(self.findings.bad.items())
        ]

    def as_found(self) -> dict[str, Any]:
        """The findings in plain values, samples by key, place and split: what `findings.json` of a run holds."""
        found = self.findings
        split_of = {position: name for name, positions in found.splits.items() for position in positions.tolist()}

        def named(position: int) -> dict[str, str]:
            key, where = self.source.keys[position], self.source.where(position)
            return {"key": key, "where": where, "split": split_of[position]}

        def with_truth(position: int) -> dict[str, str]:
            return named(position) | {"truth": self.words(position)}

        return {
            "samples": {name: len(positions) for name, positions in found.splits.items()},
            "bad": [named(position) | {"reason": why} for position, why in sorted(found.bad.items())],
            "leaks": [[named(one), named(other)] for one, other in found.leaks],
            "notes": [named(position) | {"note": note} for position, note in sorted(found.notes.items())],
            "duplicates": found.duplicates,
            "contradictions": [[with_truth(one), with_truth(other)] for one, other in found.contradictions],
            "absent": self.absent,
        }

    def listing(self) -> str:
        """CSV of all samples that can be used: key, split, and a hash of what is on disk and of the truth."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("key", "split", "content"))
        for name, positions in self.splits.items():
            table.writerows((self.source.keys[each], name, self._content(each)) for each in positions.tolist())
        return text.getvalue()

    def _content(self, position: int) -> str:
        found = self.findings.samples[position]
        return hashlib.blake2b((found.digest + found.truth).encode(), digest_size=8).hexdigest()

    @property
    def absent(self) -> list[str]:
        """The classes that no training sample shows."""
        if not with_role(self.task.truth, "class_ids", "multi_hot"):
            return []
        return [self.task.class_names[class_id] for class_id in self.findings.absent(len(self.task.class_names))]

    def words(self, position: int) -> str:
        """The truth of a sample as a person says it."""
        return self.task.summary(self.source.truth(position))

    def tell(self) -> None:
        """Says in the log which samples contradict each other, and which classes there is nothing to learn of."""
        pairs = self.findings.contradictions
        for pair in pairs[:MAX_NAMED]:
            told = " and ".join(f"{self.source.where(each)} ({self.words(each)})" for each in pair)
            _log.warning("one image under two labels: %s are identical files: correct one, or remove it", told)
        if len(pairs) > MAX_NAMED:
            _log.warning("and %d more images stand under two labels", len(pairs) - MAX_NAMED)
        if absent := self.absent:
            more = f" and {len(absent) - _MAX_CLASSES} more" if len(absent) > _MAX_CLASSES else ""
            _log.warning(
                "classes that no training sample holds, so that they are never learnt: %s%s",
                ", ".join(absent[:_MAX_CLASSES]),
                more,
            )


def changes(run: Path, data: Data) -> list[str]:
    """In what the data is not as it was when this run was last begun or resumed: nothing, or one line."""
    after = "the data changed since this run began, which is resumed with the data as it is now"
    try:
        with (run / SAMPLES).open(encoding="utf-8", newline="") as file:
            before = {row[0]: (row[1], row[2]) for row in list(csv.reader(file))[1:] if len(row) == 3}
    except (OSError, ValueError, csv.Error):
        with suppress(InputError, OSError, KeyError, TypeError):
            if read_json(run / PROVENANCE)["data"]["fingerprint"] != data.fingerprint:
                return [after]
        return []
    now = {key: (split, content) for key, split, content in list(csv.reader(io.StringIO(data.listing())))[1:]}
    counts: dict[str, Counter[str]] = {name: Counter() for name in data.splits}
    for key in before.keys() | now.keys():
        was, is_now = before.get(key), now.get(key)
        if was and (is_now is None or is_now[0] != was[0]):
            counts.setdefault(was[0], Counter())["removed"] += 1
        if is_now and (was is None or is_now[0] != was[0]):
            counts[is_now[0]]["added"] += 1
        elif is_now and is_now != was:
            counts[is_now[0]]["changed"] += 1
    told = [
        f"{split} {', '.join(f'{count[kind]} {kind}' for kind in ('added', 'removed', 'changed') if count[kind])}"
        for split, count in counts.items()
        if count
    ]
    return [f"{after}: {'; '.join(told)}"] if told else []


def prepare_data(source: Source, task: Task, options: DataOptions, memory: int, trains: bool = True) -> Data:
    """Checks every sample, splits them by what was found, judges the splits, and lets the task adapt to the training
    truth.

    What was checked before and did not change is not read again.

    Args:
        source: the data.
        task: gets what it learns from the training split, before input and model are built.
        options: the recipe's `data` section.
        memory: bytes of truth that may be kept.
        trains: whether there is anything to train, for which each class needs a sample.

    Raises:
        InputError: more bad samples than `data.max_bad`, leaks that are not allowed, splits or classes without samples;
            a `RecipeError` where a sample shows that the recipe does not fit the data.
    """
    found = check(source, task, _cache_file(options, task), memory)
    groups = None
    if with_role(task.truth, "group"):
        groups = [found.samples[position].group for position in range(len(source))]
    findings = Findings(split(source, options, groups, trains), found.samples)
    findings.log(source, found.read)
    data = Data(source, findings.usable(), findings, task, found.truths)
    data.tell()
    findings.refuse(source, options)
    log_bad(findings.bad, source, f"{QUARANTINE} of the run")
    if trains:
        name = with_role(task.truth, "class_ids", "multi_hot")
        if name and source.class_names and not task.truth[name].varies:  # of many classes a sample, `tell` names them
            check_classes(data.splits, findings.classes, source.class_names)
        task.adapt(data.truths("train"))
    return data


def _cache_file(options: DataOptions, task: Task) -> Path | None:
    """Where the findings about this data and this kind of truth are kept from job to job; None where there is no place:
    a user that the system does not know, without HOME."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # the XDG base directory specification has a relative one ignored
        caches = Path(os.path.expanduser("~"), ".cache")
    if not caches.is_absolute():
        _log.info("no home folder, and XDG_CACHE_HOME is not set: the check of the data is not remembered")
        return None
    kind = f"{type(task).__module__}:{type(task).__qualname__} {task.input_options.model_dump_json()}"
    identity = f"{options.model_dump_json()} {kind} {sorted(task.truth.items())} {task.class_names}"
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return caches / "saccade" / "checks" / f"{name}.json"
