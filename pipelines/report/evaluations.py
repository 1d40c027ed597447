"""The evaluations of a run, as their files tell them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.task import Value
from ..run import read_json


@dataclass(frozen=True)
class Shown:
    """One sample with its picture: its key, why it is shown, and the drawn file."""

    key: str
    note: str
    picture: Path


@dataclass(frozen=True)
class Evaluated:
    """One split's evaluation.

    Attributes:
        split: its name.
        figures: name to figure; those of one class or group are named `figure/NAME`.
        pictures: title to file, what the task's evaluation draws.
        worst: the worst samples, the worst first.
        suspects: those whose truth is likelier wrong than the results.
        set_aside: how many samples could not be read.
    """

    split: str
    figures: Mapping[str, Value]
    pictures: Mapping[str, Path]
    worst: list[Shown]
    suspects: list[Shown]
    set_aside: int

    @property
    def headlines(self) -> dict[str, Value]:
        """The figures of the whole split."""
        return {name: value for name, value in self.figures.items() if "/" not in name}


def is_current(run: Path, split: str, fingerprint: str) -> bool:
    """Whether a split was evaluated with this Predictor, on the run's own data, by a version that drew all there is."""
    path = _folder(run, split) / "metrics.json"
    if not path.is_file():
        return False
    metrics = read_json(path)
    by_this_version = "pictures" in metrics and "overrides" in metrics
    return by_this_version and metrics["fingerprint"] == fingerprint and not metrics["overrides"]


def read_evaluation(run: Path, split: str) -> Evaluated:
    """What `write_evaluation` wrote."""
    folder = _folder(run, split)
    metrics: dict[str, Any] = read_json(folder / "metrics.json")
    return Evaluated(
        split=split,
        figures={name: Value(**fields) for name, fields in metrics["figures"].items()},
        pictures={name: folder / f"{name}.svg" for name in metrics["pictures"]},
        worst=_cases(folder, "worst"),
        suspects=_cases(folder, "suspects"),
        set_aside=len(metrics["set_aside"]),
    )


def _folder(run: Path, split: str) -> Path:
    return run / "evaluation" / split


def _cases(folder: Path, name: str) -> list[Shown]:
    lines = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [Shown(line["key"], line["note"], folder / name / f"{number:02}.png") for number, line in enumerate(lines)]
