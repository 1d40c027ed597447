"""The data of a job: its source opened, split, and checked before it costs a night."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.contract import Task, with_role
from ...models.errors import InputError
from ...models.files import read_json
from ..run import PROVENANCE, QUARANTINE, SAMPLES
from .check import check
from .findings import NAMED, Findings, log_bad
from .source import DataOptions, Source, Truths
from .splits import check_classes, split

_CLASSES = 20  # that one message names
_log = logging.getLogger(__name__)


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
        for pair in pairs[:NAMED]:
            told = " and ".join(f"{self.source.where(each)} ({self.words(each)})" for each in pair)
            _log.warning("one image under two labels: %s are identical files: correct one, or remove it", told)
        if len(pairs) > NAMED:
            _log.warning("and %d more images stand under two labels", len(pairs) - NAMED)
        if absent := self.absent:
            more = f" and {len(absent) - _CLASSES} more" if len(absent) > _CLASSES else ""
            _log.warning(
                "classes that no training sample holds, so that they are never learnt: %s%s",
                ", ".join(absent[:_CLASSES]),
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
