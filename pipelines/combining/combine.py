"""The work of an ensemble job: load the runs, average them, choose settings, write what a run has."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ...models.ensemble import Ensemble, mean_of_weights
from ...models.errors import InputError
from ...models.files import WEIGHTS, read_json, saving, write_atomically
from ...models.naming import folders_of_run
from ...models.predictor import Predictor
from ...models.views import Views
from ..checking.data import checked_data
from ..checking.splits import split
from ..evaluating.evaluation_files import write_evaluation
from ..evaluating.validation import settle
from ..progress import bar
from ..proof_samples import write_proof_samples
from ..provenance import provenance
from ..recipe import Recipe
from ..run import FINDINGS, PROVENANCE, QUARANTINE, RECIPE, SAMPLES, Run

log = logging.getLogger("saccade")


def combine(runs: Sequence[Path], recipes: Sequence[Recipe], average: str, views: Views, folder: Path) -> None:
    """Fills a folder with the ensemble of runs whose recipes agree.

    Args:
        runs: their folders.
        recipes: theirs, in the same order; the first is the ensemble's own.
        average: "probabilities" or "weights".
        views: what is shown of each picture.
        folder: an empty one.

    Raises:
        InputError: a run without weights, with other classes, or that is an ensemble itself; views that the task does
            not admit; data that is not usable.
    """
    recipe = recipes[0]
    source, task = recipe.open()
    members = _load(runs, task.class_names)
    fingerprints = [member.fingerprint for member in members]
    found_in = list(dict.fromkeys(path for each in recipes for path in each.import_paths))
    import_paths = folders_of_run(found_in, recipe.train.run)
    made = _average(members, average, views)
    data = checked_data(source, split(source, recipe.data), task, recipe.data)
    log.info("model: %s parameters", f"{made.model.count_params():,}")

    with saving(Path(recipe.train.run), folder):
        write_atomically(folder / RECIPE, recipe.to_yaml())
        made.describe(folder, recipe.task, import_paths)
        made.model.save_weights(folder / WEIGHTS)
        write_proof_samples(folder, data)
    predictor, evaluation, bad = settle(Predictor.load(folder), source, data.splits["validation"])
    with saving(Path(recipe.train.run), folder):
        predictor.describe(folder, recipe.task, import_paths)
        values = write_evaluation(evaluation, bad, source, "validation", predictor, folder)
        samples = {name: len(positions) for name, positions in data.splits.items()}
        origin = provenance(recipe.train.seed, data.findings.fingerprint, samples, task.class_names) | {
            "ensemble": {
                "members": [
                    {"run": str(path.absolute()), "fingerprint": fingerprint}
                    for path, fingerprint in zip(runs, fingerprints, strict=True)
                ],
                "average": average,
                "views": views.model_dump(),
            }
        }
        write_atomically(folder / PROVENANCE, json.dumps(origin, indent=2) + "\n")
        write_atomically(folder / QUARANTINE, "".join(json.dumps(entry) + "\n" for entry in data.quarantine()))
        write_atomically(folder / FINDINGS, json.dumps(data.as_found(), indent=2) + "\n")
        write_atomically(folder / SAMPLES, data.listing())
        run = Run(folder)
        run.progress.finished = True  # so that nothing is ever trained into this folder
        run.save_progress()
    monitor = recipe.train.select.figure or task.monitor
    for path in runs:
        log.info("alone: validation %s %s (%s)", monitor, _quoted(path, monitor), path)
    log.info("together: validation %s %s", monitor, values[monitor])


def _load(runs: Sequence[Path], class_names: tuple[str, ...]) -> list[Predictor]:
    members: list[Predictor] = []
    for run in bar("load", "runs", len(runs), runs):
        member = Predictor.load(run)
        if isinstance(member.model, Ensemble):
            raise InputError(f"{run}: is an ensemble itself: name the runs that it was made of")
        if member.task.class_names != class_names:
            odd = sorted(set(member.task.class_names) ^ set(class_names))
            told = ", ".join(odd) or "another order"
            raise InputError(f"{run}: has other classes than {runs[0]} and its data: {told}")
        members.append(member)
    return members


def _average(members: Sequence[Predictor], average: str, views: Views) -> Predictor:
    """The whole, with the settings that a new run begins with."""
    first = members[0].task
    tasks, models = [member.task for member in members], [member.model for member in members]
    if average == "weights":
        tasks, models = [first], [mean_of_weights(models)]
    if len(models) == 1 and not views.several:
        return Predictor(first, models[0])
    whole = type(first)(first.class_names, first.model_options, views.input(first.input_options))
    return Predictor(whole, Ensemble(whole, tasks, models, views))


def _quoted(run: Path, figure: str) -> str:
    """A figure of a run's own validation, as `train` left it."""
    value = None
    with suppress(InputError, FileNotFoundError):  # not there, or not whole: no reason to lose the ensemble
        value = read_json(run / "evaluation" / "validation" / "metrics.json")["metrics"].get(figure)
    return "unknown" if value is None else f"{value['value']:.4f}"
