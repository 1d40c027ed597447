"""All that a report is made of, gathered from a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.errors import InputError
from ...models.files import read_json
from ...models.predictor import Predictor
from ..evaluating.evaluate import evaluate
from ..evaluating.evaluation_files import evaluation_folder
from ..recipe import Recipe
from ..run import FINDINGS, PROVENANCE, Progress, Run
from .evaluations import Evaluated, read_evaluation

log = logging.getLogger("saccade")

MOST_NAMES = 4
"""Steps of augmentation that are named; more would crowd a sentence."""


@dataclass(frozen=True)
class Material:
    """What the sections of the page are written from.

    Attributes:
        folder: the run.
        recipe: its resolved recipe.
        recipe_text: the same as YAML.
        progress: how far it came; finished.
        history: one mapping an epoch.
        provenance: versions, machine, command, data.
        findings: of the check of the data; None for a run of an earlier version.
        evaluations: split name to its evaluation, those that could be had, the quoted one first.
        monitor: the figure that chose the weights.
        headline: the figure that is quoted.
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
    def head_epochs(self) -> int:
        """After how many epochs the second phase begins; 0 with a single one."""
        return self.recipe.train.head.epochs if self.recipe.train.head else 0

    @property
    def softened(self) -> list[str]:
        """What makes training harder than validation, in words."""
        found = []
        if self.recipe.augment:
            names = [name for step in self.recipe.augment for name in (step if isinstance(step, dict) else [step])]
            found.append(f"augmentation ({', '.join(names)})" if len(names) <= MOST_NAMES else "augmentation")
        return [*found, "dropout"] if getattr(self.recipe.model, "dropout", 0) else found


def gather(run: Run, recipe: Recipe) -> Material:
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
    monitor = recipe.train.select.figure or predictor.task.monitor
    return Material(
        folder=folder,
        recipe=recipe,
        recipe_text=(folder / "recipe.yaml").read_text(encoding="utf-8"),
        progress=run.progress,
        history=run.history(),
        provenance=provenance,
        findings=read_json(folder / FINDINGS) if (folder / FINDINGS).is_file() else None,
        evaluations=evaluations,
        monitor=monitor,
        headline=predictor.task.monitor,
        classes=len(predictor.task.class_names),
        parameters=predictor.model.count_params(),
        fingerprint=predictor.fingerprint,
        missing=missing,
    )
