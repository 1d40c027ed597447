"""The evaluations of a run, as their files tell them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.contract import Value
from ..evaluating.breakdown import Part
from ..evaluating.evaluation_files import evaluation_folder, read_breakdown, read_metrics


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
        median, best: samples of median and of the highest score; nothing where answers are right or wrong.
        suspects: those whose truth is likelier wrong than the results.
        notes: what no figure says, a phrase each.
        set_aside: how many samples could not be read.
        by: column to its values to their figures, where it was evaluated by one.
    """

    split: str
    figures: Mapping[str, Value]
    pictures: Mapping[str, Path]
    worst: list[Shown]
    median: list[Shown]
    best: list[Shown]
    suspects: list[Shown]
    notes: list[str]
    set_aside: int
    by: Mapping[str, Mapping[str, Part]]

    @property
    def headlines(self) -> dict[str, Value]:
        """The figures of the whole split."""
        return {name: value for name, value in self.figures.items() if "/" not in name}


def read_evaluation(run: Path, split: str, fingerprint: str) -> Evaluated | None:
    """What `write_evaluation` wrote of this Predictor on the run's own data; None where it did not yet."""
    metrics, folder = read_metrics(run, split, fingerprint), evaluation_folder(run, split)
    if metrics is None:
        return None
    try:
        return _evaluated(run, split, metrics, folder)
    except ValueError:  # a list of cases is not whole: it is written anew
        return None


def _evaluated(run: Path, split: str, metrics: Mapping[str, Any], folder: Path) -> Evaluated:
    return Evaluated(
        split=split,
        figures=metrics["figures"],
        pictures={name: folder / f"{name}.svg" for name in metrics["pictures"]},
        worst=_cases(folder, "worst"),
        median=_cases(folder, "median"),
        best=_cases(folder, "best"),
        suspects=_cases(folder, "suspects"),
        notes=metrics.get("notes", []),  # an evaluation of an earlier version has none
        set_aside=len(metrics["set_aside"]),
        by={column: read_breakdown(run, split, column) for column in metrics.get("by", {})},
    )


def _cases(folder: Path, name: str) -> list[Shown]:
    path = folder / f"{name}.jsonl"
    if not path.is_file():  # not of every task
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Shown(line["key"], line["note"], folder / name / f"{number:02}.png") for number, line in enumerate(lines)]
