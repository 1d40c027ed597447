"""The data of a job: its source opened, split, and checked before it costs a night."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...models.contract import Task, with_role
from ..run import QUARANTINE
from ..source import DataOptions, Source, Truths
from .check import check
from .findings import Findings, log_bad
from .splits import check_classes, split


@dataclass
class Data:
    """A checked source.

    Attributes:
        source: the opened source.
        splits: split name to positions, bad samples left out.
        findings: what the check found.
        kept: position to truth that is in memory already.
    """

    source: Source
    splits: dict[str, np.ndarray]
    findings: Findings
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

        return {
            "samples": {name: len(positions) for name, positions in found.splits.items()},
            "bad": [named(position) | {"reason": why} for position, why in sorted(found.bad.items())],
            "leaks": [[named(one), named(other)] for one, other in found.leaks],
            "notes": [named(position) | {"note": note} for position, note in sorted(found.notes.items())],
            "duplicates": found.duplicates,
        }


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
    findings.refuse(source, options)
    log_bad(findings.bad, source, f"{QUARANTINE} of the run")
    data = Data(source, findings.usable(), findings, found.truths)
    if trains:
        if source.class_names and with_role(task.truth, "class_ids", "multi_hot"):
            check_classes(data.splits, findings.classes, source.class_names)
        task.adapt(data.truths("train"))
    return data


def _cache_file(options: DataOptions, task: Task) -> Path:
    """Where the findings about this data and this kind of truth are kept from job to job."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kind = f"{type(task).__module__}:{type(task).__qualname__} {task.input_options.model_dump_json()}"
    identity = f"{options.model_dump_json()} {kind} {sorted(task.truth.items())} {task.class_names}"
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return caches / "saccade" / "checks" / f"{name}.json"
