"""What the report says: all of it gathered from the files of a run, as plain values. How it looks is page.html.j2's."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ...models.contract import Value
from ...models.errors import InputError
from ...models.files import read_json
from ...models.predictor import Predictor
from ..curves import RATE, curve_names
from ..evaluating.breakdown import Part, widest_gap
from ..evaluating.evaluate import evaluate
from ..evaluating.evaluation_files import evaluation_folder, read_breakdown, read_metrics
from ..progress import span
from ..recipe.recipe import Recipe
from ..run import FINDINGS, PROVENANCE, QUARANTINE, Progress, Run
from .learning import Reading, in_words, read_curves

log = logging.getLogger("saccade")

METRICS, PLOTS, LABEL_ISSUES = "metrics", "plots", "label_issues"
"""Names on disk: two keys of an evaluation's metrics.json, and its list of samples that are likely mislabelled."""
MAX_NAMED = 4
"""Steps of augmentation that are named; more would crowd a sentence."""


@dataclass(frozen=True)
class Table:
    """Rows of texts and of metrics; None is an empty cell."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Value | None]]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """One sample with its drawn image: its key, why it is shown, the file."""

    key: str
    note: str
    image: Path


@dataclass(frozen=True)
class Evaluated:
    """One split's evaluation.

    Attributes:
        split: its name.
        metrics: name to metric; those of one class or group are named `metric/NAME`.
        plots: title to file, what the task's evaluation draws.
        worst: the worst samples, the worst first.
        median, best: samples of median and of the highest score; nothing where answers are right or wrong.
        label_issues: those whose truth is likelier wrong than the results.
        notes: what no metric says, a phrase each.
        set_aside: how many samples could not be read.
        by: column to its values to their metrics, where it was evaluated by one.
    """

    split: str
    metrics: Mapping[str, Value]
    plots: Mapping[str, Path]
    worst: list[Shown]
    median: list[Shown]
    best: list[Shown]
    label_issues: list[Shown]
    notes: list[str]
    set_aside: int
    by: Mapping[str, Mapping[str, Part]]

    @property
    def headlines(self) -> dict[str, Value]:
        """The metrics of the whole split."""
        return {name: value for name, value in self.metrics.items() if "/" not in name}

    @property
    def by_name(self) -> list[Table]:
        """A table for each family of names: a row a class or group, a column a metric, the worst row first."""
        return [
            Table(
                ["", *map(in_words, columns)],
                [[name, *(column.get(name) for column in columns.values())] for name in worst_first(columns)],
            )
            for columns in families(self.metrics)
        ]

    @property
    def by_column(self) -> list[Table]:
        """A table for each column that the data was told apart by (`evaluate --by`): a row a value of it."""
        tables = []
        for column, parts in self.by.items():
            names = list(dict.fromkeys(name for part in parts.values() for name in part.values if "/" not in name))
            rows = [
                [value, f"{part.count:,}", *(part.values.get(name) for name in names)] for value, part in parts.items()
            ]
            tables.append(Table([column, "samples", *map(in_words, names)], rows, note=widest_gap(column, parts)))
        return tables


@dataclass(frozen=True)
class Content:
    """All that the page is written from.

    Attributes:
        folder: the run.
        recipe: its resolved recipe.
        recipe_text: the same as YAML.
        progress: how far it came; finished.
        history: one mapping an epoch.
        provenance: versions, machine, command, data.
        findings: of the check of the data; None for a run of an earlier version.
        evaluations: split name to its evaluation, those that could be had, the quoted one first.
        monitor: the metric that chose the weights.
        headline: the metric that is quoted.
        classes: how many the task has; 0 where it has none.
        parameters: of the model.
        fingerprint: of the Predictor.
        missing: what the report does not have, and why, a sentence each.
    """

    folder: Path
    recipe: Recipe
    recipe_text: str
    progress: Progress
    history: Sequence[Mapping[str, float]]
    provenance: Mapping[str, Any]
    findings: Mapping[str, Any] | None
    evaluations: Mapping[str, Evaluated]
    monitor: str
    headline: str
    classes: int
    parameters: int
    fingerprint: str
    missing: Sequence[str]

    @property
    def samples(self) -> Mapping[str, int]:
        """Split name to how many samples it has that can be used."""
        return self.provenance["data"]["samples"]

    @property
    def quoted(self) -> Evaluated | None:
        """The evaluation that is quoted: on the test split wherever there is one."""
        return next(iter(self.evaluations.values()), None)

    @property
    def quoted_value(self) -> Value | None:
        """The metric that is quoted."""
        return self.quoted.metrics.get(self.headline) if self.quoted else None

    @property
    def head_epochs(self) -> int:
        """After how many epochs the second phase begins; 0 with a single one."""
        return self.recipe.train.head.epochs if self.recipe.train.head else 0

    @property
    def curves(self) -> list[str]:
        """The metrics whose curves are drawn, in their order."""
        names = curve_names(self.history) if self.history else []
        first = [name for name in ("loss", self.headline, self.monitor) if name in names]
        return list(dict.fromkeys([*first, *names]))

    @property
    def reading(self) -> Reading:
        """The curves of the last phase in words."""
        last_phase = [line for line in self.history if line["epoch"] > self.head_epochs]
        metrics = self.evaluations["validation"].metrics if "validation" in self.evaluations else {}
        found = read_curves(last_phase or self.history, metrics, self.monitor, _softened(self.recipe))
        if not (last_phase and self.head_epochs):
            return found
        sentences = ["This is about the second phase.", *found.sentences]
        if (self.progress.best_epoch or 0) <= self.head_epochs:
            sentences.append("It never beat the best epoch of the first phase.")
        return Reading(found.verdict, tuple(sentences))

    @property
    def duration(self) -> str:
        """How long the epochs took; empty where the history does not say it of each."""
        seconds = [line["seconds"] for line in self.history if "seconds" in line]
        return span(sum(seconds)) if seconds and len(seconds) == len(self.history) else ""

    @property
    def data_issues(self) -> list[Table]:
        """What the check of the data found, of each kind the samples."""
        path = self.folder / QUARANTINE
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        bad = [[entry["where"], entry["reason"]] for entry in map(json.loads, lines)]
        found = self.findings or {}
        notes = [[note["where"], note["note"]] for note in found.get("notes", [])]
        pair = ["file", "identical to"]
        tables = [
            Table(["where", "reason"], bad, "samples that cannot be used, left out"),
            Table(pair, _pairs(found.get("leaks", [])), "identical files in two splits"),
            Table(pair, _pairs(found.get("contradictions", [])), "identical files with two labels"),
            Table(["where", "what"], notes, "odd but usable"),
        ]
        return [table for table in tables if table.rows]

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """What it takes to make the run again, by name: a text, and what a machine made, to be copied."""
        known = self.provenance
        members = known.get("ensemble", {}).get("members", [])
        path = self.folder / "log.txt"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        times = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d", text, re.MULTILINE)
        seconds = [line["seconds"] for line in self.history if "seconds" in line]
        rates = [line[RATE] for line in self.history if RATE in line]
        facts = [
            ("command", "", known["command"]),
            ("seed", str(known["seed"]), ""),
            ("data fingerprint", "", known["data"]["fingerprint"]),
            ("model fingerprint", "", self.fingerprint),
            ("versions", ", ".join(f"{name} {version}" for name, version in known["packages"].items()), ""),
            ("machine", f"{known['machine']}, Python {known['python']}", ""),
        ]
        facts += [("made of", each["run"], each["fingerprint"]) for each in members]
        if times:
            facts.append(("trained", f"{times[0]} to {times[-1]}", ""))
        if seconds:
            facts.append(("duration", f"{span(sum(seconds))}, {span(median(seconds))} an epoch (median)", ""))
        if rates:
            facts.append(("rate", f"{median(rates):.0f} samples/s (median), validation not counted", ""))
        return facts


def gather(run: Run, recipe: Recipe) -> Content:
    """Reads a finished run; what was not evaluated yet, or with other weights, is evaluated now.

    Raises:
        InputError: weights or a task of the user's own are missing.
    """
    folder, missing = run.folder, []
    predictor = Predictor.load(folder)
    provenance = read_json(folder / PROVENANCE)
    evaluations = {}
    for split in ("test", "validation"):
        if not provenance["data"]["samples"][split]:
            continue
        try:
            if (found := read_evaluation(folder, split, predictor.fingerprint)) is None:
                log.info("evaluating the %s split", split)
                evaluate(folder, split)
                if (found := read_evaluation(folder, split, predictor.fingerprint)) is None:
                    raise InputError(f"{evaluation_folder(folder, split)} cannot be written to")
            evaluations[split] = found
        except InputError as error:  # the data may have moved away; the rest of the run still speaks
            missing.append(f"The {split} split could not be evaluated: {error}.")
    if not (folder / FINDINGS).is_file():
        missing.append(f"Leaks and duplicates are not known: the run has no {FINDINGS}.")
    return Content(
        folder=folder,
        recipe=recipe,
        recipe_text=(folder / "recipe.yaml").read_text(encoding="utf-8"),
        progress=run.progress,
        history=run.history(),
        provenance=provenance,
        findings=read_json(folder / FINDINGS) if (folder / FINDINGS).is_file() else None,
        evaluations=evaluations,
        monitor=recipe.train.select.metric or predictor.task.monitor,
        headline=predictor.task.monitor,
        classes=len(predictor.task.class_names),
        parameters=predictor.model.count_params(),
        fingerprint=predictor.fingerprint,
        missing=missing,
    )


def read_evaluation(run: Path, split: str, fingerprint: str) -> Evaluated | None:
    """What `write_evaluation` wrote of this Predictor on the run's own data; None where it did not yet."""
    metrics, folder = read_metrics(run, split, fingerprint), evaluation_folder(run, split)
    if metrics is None:
        return None
    try:
        return _evaluated(run, split, metrics, folder)
    except ValueError:  # a list of samples is not whole: it is written anew
        return None


def _evaluated(run: Path, split: str, metrics: Mapping[str, Any], folder: Path) -> Evaluated:
    return Evaluated(
        split=split,
        metrics=metrics[METRICS],
        plots={name: folder / f"{name}.svg" for name in metrics[PLOTS]},
        worst=_samples(folder, "worst"),
        median=_samples(folder, "median"),
        best=_samples(folder, "best"),
        label_issues=_samples(folder, LABEL_ISSUES),
        notes=metrics.get("notes", []),  # an evaluation of an earlier version has none
        set_aside=len(metrics["set_aside"]),
        by={column: read_breakdown(run, split, column) for column in metrics.get("by", {})},
    )


def _samples(folder: Path, name: str) -> list[Shown]:
    path = folder / f"{name}.jsonl"
    if not path.is_file():  # not of every task
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Shown(line["key"], line["note"], folder / name / f"{number:02}.png") for number, line in enumerate(lines)]


def _pairs(pairs: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Samples that go together, each with its split and, where it is known, its truth."""
    return [
        [f"{each['where']} ({each['split']})" + (f": {each['truth']}" if "truth" in each else "") for each in pair]
        for pair in pairs
    ]


def families(metrics: Mapping[str, Value]) -> list[dict[str, dict[str, Value]]]:
    """Metrics named `metric/NAME`, as metric to name to value; metrics that share a name stand in one table."""
    tables: list[dict[str, dict[str, Value]]] = []
    for full, value in metrics.items():
        if "/" not in full:
            continue
        metric, name = full.split("/", 1)
        mine = [each for each in tables if metric in each or any(name in column for column in each.values())]
        merged: dict[str, dict[str, Value]] = {}
        for each in mine:
            merged |= each
            tables.remove(each)
        merged.setdefault(metric, {})[name] = value
        tables.append(merged)
    return tables


def worst_first(columns: Mapping[str, Mapping[str, Value]]) -> list[str]:
    """The names of a table, by the mean of their ranks: how many are better in a column, as a fraction of it."""
    ranks: dict[str, list[float]] = {}
    for column in columns.values():
        for name, value in column.items():
            better = sum(_goodness(other) > _goodness(value) for other in column.values())
            ranks.setdefault(name, []).append(better / len(column))
    return sorted(ranks, key=lambda name: -sum(ranks[name]) / len(ranks[name]))


def _goodness(value: Value) -> float:
    if not math.isfinite(value.value):
        return -math.inf
    return value.value if value.higher_is_better else -value.value


def _softened(recipe: Recipe) -> list[str]:
    """What makes training harder than validation, in words."""
    found = []
    if recipe.augment:
        names = [name for step in recipe.augment for name in (step if isinstance(step, dict) else [step])]
        found.append(f"augmentation ({', '.join(names)})" if len(names) <= MAX_NAMED else "augmentation")
    return [*found, "dropout"] if getattr(recipe.model, "dropout", 0) else found
