"""The data of a job: its source opened, split, and checked before it costs a night."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...models.image_errors import reason
from ...models.task import Task
from ..run import QUARANTINE
from ..source import DataOptions, Source
from .check import check
from .findings import NAMED, Findings, log_bad

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
    """

    source: Source
    splits: dict[str, np.ndarray]
    findings: Findings
    task: Task

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

    @property
    def absent(self) -> list[str]:
        """The classes that no training sample holds."""
        return [self.task.class_names[class_id] for class_id in self.findings.absent(len(self.task.class_names))]

    def words(self, position: int) -> str:
        """The truth of a sample as a person says it."""
        return self.task.in_words(self.source.truth(position))

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


def checked_data(source: Source, splits: Mapping[str, np.ndarray], task: Task, options: DataOptions) -> Data:
    """Checks a source that was split; what was checked before and did not change is not read again.

    Raises:
        InputError: more bad samples than `data.max_bad`, leaks that are not allowed; a `RecipeError` where a sample
            shows that the recipe does not fit the data.
    """
    varies = any(None in each.shape for each in task.truth.values())
    judge = task.check if varies else None
    of_classes = [name for name, each in task.truth.items() if each.role == "class_ids"]
    findings = check(source, splits, task.input.decode, reason, _cache_file(options, task), judge, of_classes)
    data = Data(source, findings.usable(), findings, task)
    data.tell()
    findings.refuse(source, options)
    log_bad(findings.bad, source, f"{QUARANTINE} of the run")
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
    identity = f"{options.model_dump_json()} {sorted(task.truth.items())} {task.class_names}"
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return caches / "saccade" / "checks" / f"{name}.json"
