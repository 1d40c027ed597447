"""The data of a job: its source opened, split, and checked before it costs a night."""

from __future__ import annotations

import dataclasses
import hashlib
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
from .check import check, judge_of
from .findings import Findings, log_bad


@dataclass
class Data:
    """A checked source.

    Attributes:
        source: the opened source.
        splits: split name to positions, bad samples left out.
        findings: what the check found.
    """

    source: Source
    splits: dict[str, np.ndarray]
    findings: Findings

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


def checked_data(source: Source, splits: Mapping[str, np.ndarray], task: Task, options: DataOptions) -> Data:
    """Checks a source that was split; what was checked before and did not change is not read again.

    Raises:
        InputError: more bad samples than `data.max_bad`, leaks that are not allowed; a `RecipeError` where a sample
            shows that the recipe does not fit the data.
    """
    findings = check(source, splits, task.input.decode, reason, _cache_file(options, task), judge_of(task))
    findings.refuse(source, options)
    log_bad(findings.bad, source, f"{QUARANTINE} of the run")
    return Data(source, findings.usable(), findings)


def _cache_file(options: DataOptions, task: Task) -> Path:
    """Where the findings about this data and this kind of truth are kept from job to job."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    identity = f"{options.model_dump_json()} {sorted(task.truth.items())} {task.class_names}"
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return caches / "saccade" / "checks" / f"{name}.json"
