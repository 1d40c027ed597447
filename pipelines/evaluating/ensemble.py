"""Several runs, or several views by one, as one Predictor in a folder that is used like a run."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InputError, nearest
from ...models.files import WEIGHTS, read_json, saving, write_atomically
from ...models.naming import folders_of_run
from ...models.stopping import stoppable, uninterrupted
from ...models.views import Views
from ..progress import bar
from ..recipe.recipe import Recipe, load_recipe
from ..run import FINDINGS, PROVENANCE, QUARANTINE, RECIPE, SAMPLES, Run, difference, recipe_file

if TYPE_CHECKING:  # what can be refused without TensorFlow is refused before it is loaded
    from ...models.predictor import Predictor


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, and renames it to `folder` when the block ends well.

    On any exception, Ctrl-C included, it is removed, and so is every folder made on the way to it.

    Raises:
        InputError: it exists, or the place cannot be written to.
    """
    if os.path.lexists(folder):
        raise InputError("exists, and nothing is overwritten: choose another folder, or remove it", where=str(folder))
    made = [each for each in (folder.parent, *folder.parent.parents) if not os.path.lexists(each)]
    hidden = None
    try:
        with saving(folder), uninterrupted():
            hidden = _beside(folder)
        filled = hidden / folder.name  # mkdtemp's own folder is closed to other users
        filled.mkdir()
        yield filled
        with saving(folder):
            os.rename(filled, folder)
        hidden.rmdir()
    except BaseException:
        with uninterrupted():
            if hidden is not None:
                shutil.rmtree(hidden, ignore_errors=True)
            for each in made:
                with suppress(OSError):  # not made after all, or somebody else's by now
                    each.rmdir()
        raise


def _beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except (FileExistsError, NotADirectoryError):
        raise InputError("a file is in the way of this folder", where=str(folder)) from None


log = logging.getLogger("saccade")


def recipes_in_agreement(runs: Sequence[Path], of_one_start: bool) -> list[Recipe]:
    """The recipes of runs that answer the same question about the same input.

    Args:
        runs: their folders.
        of_one_start: whether they must have one architecture and one start too, so that their weights can be averaged
            (Wortsman et al. 2022: trainings that begin at the same pretrained weights end in one basin).

    Raises:
        InputError: no run, one that is named twice, or the first that differs, and in what.
    """
    for number, run in enumerate(runs):
        if run.resolve() in [each.resolve() for each in runs[:number]]:
            raise InputError("named twice; every run counts once", where=str(run))
    recipes = [load_recipe(recipe_file(run)) for run in runs]
    first = recipes[0]
    if of_one_start and first.model.weights == "none":
        raise InputError(
            "model.weights is none, and weights are averaged only of runs of one start "
            "(imagenet, a file, a run); take --average probabilities",
            where=runs[0],
        )
    for run, recipe in zip(runs[1:], recipes[1:], strict=True):
        _agree(run, recipe, runs[0], first)
        if of_one_start and recipe.model != first.model:
            told = _told("model", recipe.model, runs[0], first.model)
            raise InputError(f"{told}: weights are averaged only of runs of one model and one start", where=str(run))
    return recipes


def _agree(run: Path, recipe: Recipe, first_run: Path, first: Recipe) -> None:
    if recipe.task_class is not first.task_class:
        raise InputError(
            f"its task is {recipe.task}, that of {first_run} is {first.task}: no common answer", where=str(run)
        )
    if recipe.input != first.input:
        told = _told("input", recipe.input, first_run, first.input)
        raise InputError(f"{told}: all runs of an ensemble see the same input", where=str(run))
    asked, asked_first = (_truth(each) for each in (recipe, first))
    if asked != asked_first:
        raise InputError(f"it answers for {asked}, {first_run} for {asked_first}: no common answer", where=str(run))
    if recipe.data != first.data:
        log.warning(
            "%s: %s: what one run held out, another may have been trained on, so that metrics come out too good",
            run,
            _told("data", recipe.data, first_run, first.data),
        )


def _truth(recipe: Recipe) -> str:
    return ", ".join(recipe.task_class((), recipe.model, recipe.input).truth)


def _told(section: str, here: Any, first_run: Path, there: Any) -> str:
    """The first key in which a section differs from the first run's."""
    mine, theirs = ({section: each.model_dump(mode="json")} for each in (here, there))
    key, value, other = difference(mine, theirs)
    return f"{key} is {value!r}, in {first_run} {other!r}"


def combine(runs: Sequence[Path], recipes: Sequence[Recipe], average: str, views: Views, folder: Path) -> None:
    """Fills a folder with the ensemble of runs whose recipes agree.

    Args:
        runs: their folders.
        recipes: theirs, in the same order; the first is the ensemble's own.
        average: "probabilities" or "weights".
        views: what is shown of each image.
        folder: an empty one.

    Raises:
        InputError: a run without weights, with other classes, or that is an ensemble itself; views that the task does
            not admit; data that is not usable.
    """
    from ...models.predictor import Predictor
    from ..data.data import prepare_data
    from ..training.job import provenance, write_proof_samples
    from .evaluation_files import write_evaluation
    from .validation import settle

    recipe = recipes[0]
    source, task = recipe.open()
    members = _load(runs, task.class_names)
    fingerprints = [member.fingerprint for member in members]
    found_in = list(dict.fromkeys(path for each in recipes for path in each.import_paths))
    import_paths = folders_of_run(found_in, recipe.train.run)
    made = _average(members, average, views)
    data = prepare_data(source, made.task, recipe.data, recipe.train.memory * 2**20, trains=False)
    if not len(data.splits["validation"]):
        raise InputError("the validation split is empty, and an ensemble's settings are chosen on it: add samples")
    log.info("model: %s parameters", f"{made.model.count_params():,}")

    with saving(Path(recipe.train.run), folder):
        write_atomically(folder / RECIPE, recipe.to_yaml())
        made.describe(folder, recipe.task, import_paths)
        made.model.save_weights(folder / WEIGHTS)
        write_proof_samples(folder, made.task, data)
    predictor, evaluation, bad = settle(Predictor.load(folder), source, data.splits["validation"])
    with saving(Path(recipe.train.run), folder):
        predictor.describe(folder, recipe.task, import_paths)
        values = write_evaluation(evaluation, bad, source, "validation", predictor, folder)
        samples = {name: len(positions) for name, positions in data.splits.items()}
        origin = provenance(recipe.train.seed, data.fingerprint, samples, task.class_names) | {
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
    monitor = recipe.train.select.metric or task.monitor
    for path in runs:
        log.info("alone: validation %s %s (%s)", monitor, _quoted(path, monitor), path)
    log.info("together: validation %s %s", monitor, values[monitor])


def _load(runs: Sequence[Path], class_names: tuple[str, ...]) -> list[Predictor]:
    from ...models.ensemble import Ensemble
    from ...models.predictor import Predictor

    members: list[Predictor] = []
    for run in bar("load", "runs", len(runs), runs):
        member = Predictor.load(run)
        if isinstance(member.model, Ensemble):
            raise InputError("is an ensemble itself: name the runs that it was made of", where=str(run))
        if member.task.class_names != class_names:
            odd = sorted(set(member.task.class_names) ^ set(class_names))
            told = ", ".join(odd) or "another order"
            raise InputError(f"has other classes than {runs[0]} and its data: {told}", where=str(run))
        if members and member.task.learned != members[0].task.learned:
            raise InputError(
                f"learned another vocabulary than {runs[0]}: name runs that learned the same", where=str(run)
            )
        members.append(member)
    return members


def _average(members: Sequence[Predictor], average: str, views: Views) -> Predictor:
    """The whole, with the settings that a new run begins with."""
    from ...models.ensemble import Ensemble, mean_of_weights
    from ...models.predictor import Predictor

    first = members[0].task
    tasks, models = [member.task for member in members], [member.model for member in members]
    if average == "weights":
        tasks, models = [first], [mean_of_weights(models)]
    if len(models) == 1 and not views.several:
        return Predictor(first, models[0])
    options = first.model_options, views.input(first.input_options), first.result_options, first.evaluation_options
    whole = type(first)(first.class_names, *options, first.learned)
    return Predictor(whole, Ensemble(whole, tasks, models, views))


def _quoted(run: Path, metric: str) -> str:
    """A metric of a run's own validation, as `train` left it."""
    value = None
    with suppress(InputError, FileNotFoundError):  # not there, or not whole: no reason to lose the ensemble
        value = read_json(run / "evaluation" / "validation" / "metrics.json")["metrics"].get(metric)
    return "unknown" if value is None else f"{value['value']:.4f}"


AVERAGES = ("probabilities", "weights")


@stoppable()
def ensemble(
    runs: Sequence[Path | str], out: Path | str, average: str = "probabilities", views: Views | None = None
) -> Path:
    """Makes one Predictor of several runs, of several views, or of both, in a folder like a run's.

    Settings of the members (temperature, thresholds) do not fit their average: raw outputs are averaged without them,
    and the whole chooses its own on validation (Rahaman and Thiery 2021: first pool, then calibrate, as the mean of
    calibrated members is not confident enough).

    Args:
        runs: the folders that `train` left. Data, splits and proof samples are the first's.
        out: the new folder. It needs none of the runs afterwards.
        average: "probabilities" keeps every member and takes as long as all of them; "weights", for runs of one start,
            makes one network with the size and the speed of one.
        views: what is shown of each image; the whole alone unless given.

    Returns:
        `out`.

    Raises:
        InputError: runs that do not belong together or lack weights, views that input or task do not admit, nothing
            to average, `out` exists. Nothing is left behind.
    """
    folders, out, views = [Path(run) for run in runs], Path(out), views or Views()
    if average not in AVERAGES:
        raise InputError(f"average '{average}': {nearest(average, AVERAGES)}")
    if len(folders) < (2 if average == "weights" or not views.several else 1):
        way = "name another" if average == "weights" else "name another, or take --flip or --crops"
        raise InputError(f"one run alone is no ensemble: {way}", where=", ".join(map(str, folders)) or "no run")
    recipes = recipes_in_agreement(folders, of_one_start=average == "weights")
    views.input(recipes[0].input)  # refuses
    with new_folder(out) as made:
        train = recipes[0].train.model_copy(update={"run": str(out.absolute())})
        recipes[0] = dataclasses.replace(recipes[0], train=train)
        combine(folders, recipes, average, views, made)
    return out
