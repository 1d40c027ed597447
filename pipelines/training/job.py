"""One training, from checked data to a finished run, with where it comes from and the samples that prove its export."""

from __future__ import annotations

import dataclasses
import json
import logging
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from ...models.contract import Task, Value, plain
from ...models.errors import InputError, JobError
from ...models.files import WEIGHTS, saving, write_atomically
from ...models.naming import find_callable, folders_of_run, own_code
from ...models.predictor import Predictor
from ...models.stopping import Interrupted
from ..contact_sheet import training_sheet
from ..curves import draw_curves
from ..data.data import Data, changes, prepare_data
from ..data.source import Source, request
from ..evaluating.evaluation_files import write_evaluation
from ..evaluating.validation import evaluate_positions, settle
from ..feeding.batches import make_augmenter
from ..recipe.recipe import Recipe
from ..recipe.train_options import LATENCY
from ..run import FINDINGS, FORMER, PROVENANCE, QUARANTINE, SAMPLES, Run
from .checkpoint import save_weights
from .fitting import fit
from .phases import phases
from .selection import Selection, latency_ms

PACKAGES = ("saccade", "tensorflow", "keras", "albumentations", "numpy")


def provenance(seed: int, data_fingerprint: str, samples: dict[str, int], class_names: Sequence[str]) -> dict[str, Any]:
    """What it takes to know, later, how a run was made.

    Args:
        seed: the recipe's.
        data_fingerprint: the content hash of the data.
        samples: split name to number of samples.
        class_names: in the order of their ids.
    """
    return {
        "command": _command(sys.argv),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "seed": seed,
        "data": {"fingerprint": data_fingerprint, "samples": samples, "class_names": list(class_names)},
    }


def _command(arguments: Sequence[str]) -> str:
    """What was typed, ready to be typed again; `python -m saccade` is `saccade`."""
    program, *rest = arguments
    is_ours = Path(program).name in ("saccade", "__main__.py")
    return shlex.join(["saccade" if is_ours else program, *rest])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "not installed"


COUNT = 8


def write_proof_samples(run: Path, task: Task, data: Data) -> None:
    """Writes encoded values as files, and `samples.jsonl` with key, raw values and truth, into the run's `proof`.

    They are spread evenly over the test split, or where that has none the validation or the training split.
    """
    positions = next(data.splits[name] for name in ("test", "validation", "train") if len(data.splits[name]))
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, COUNT).astype(int))]
    folder = run / "proof"
    with saving(run):
        folder.mkdir(exist_ok=True)
        lines = [_write_one(folder, number, int(position), task, data) for number, position in enumerate(chosen)]
        (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _write_one(folder: Path, number: int, position: int, task: Task, data: Data) -> dict[str, Any]:
    key, (raw,) = data.source.keys[position], task.input.prepare([request(task, data.source, position)])
    if isinstance(raw, str):
        raise InputError(f"{raw}", where=data.source.where(position))
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, bytes):
            file = f"{number}.{name}{Path(key).suffix}"
            (folder / file).write_bytes(value)
            values[name] = {"file": file}
        else:
            values[name] = plain(value)
    truth = data.source.truth(position) if task.truth else {}
    return {"key": key, "raw": values, "truth": {name: plain(value) for name, value in truth.items()}}


log = logging.getLogger("saccade")


class Training:
    """One training job, all of whose input was accepted."""

    def __init__(self, recipe: Recipe, run: Run, source: Source, task: Task, limit: int | None = None):
        self._recipe, self._run, self._source, self._task, self._limit = recipe, run, source, task, limit
        self._selection = Selection(recipe.train, task.monitor)

    def work(self) -> Path:
        """Does the job; see `train`."""
        recipe, run = self._recipe, self._run
        keras.utils.set_random_seed(recipe.train.seed)
        augmenter, trains = make_augmenter(recipe, self._task), recipe.train.epochs > 0
        own = [_own_callback(name) for name in recipe.train.callbacks]
        with _precision(recipe.train.precision):
            self._try_own_network()
            data = prepare_data(self._source, self._task, recipe.data, recipe.train.memory * 2**20, trains)
            if run.resumed:
                run.notes += changes(run.folder, data)
                if (learned := run.learned()) is not None:  # not what the data, as it is now, would teach
                    self._task.learned = learned
            predictor = Predictor(self._task, self._task.model())
            if trains and not run.resumed:
                phases(recipe, predictor.model)  # what it refuses is told before the data is prepared
                self._selection.check(partial(_figures, predictor, data))
            if self._limit:
                data = data.limited(self._limit)
            sheet = None
            if trains:
                sheet = training_sheet(self._task, data.source, data.splits["train"], augmenter, recipe.train)
            run.begin(recipe)
            with log_file(run.folder / "log.txt"), self._stops_told():
                self._begin(predictor, data, sheet)
                if trains:
                    fit(recipe, run, predictor, data, augmenter, own)
                else:
                    save_weights(predictor.model, run.folder / WEIGHTS)
        with log_file(run.folder / "log.txt"), self._stops_told():
            self._end(data)
        return run.folder

    @contextmanager
    def _stops_told(self) -> Iterator[None]:
        try:
            yield
        except Interrupted:
            progress = self._run.progress
            at = f"stopped in {progress}" if progress.step else f"stopped after {progress.epoch} epochs"
            at = at if self._run.resumed else "stopped before the first step"
            log.info("%s; all is saved: run the same command again to resume", at)
            raise

    def _try_own_network(self) -> None:
        """Builds a network of the user's own before anything is read, so that what is wrong with it is told at once."""
        recipe = self._recipe
        if ":" not in recipe.model.name:
            return
        try:
            self._task.model()
        except (InputError, JobError):
            raise
        except Exception as error:  # of a task that builds it only after it saw the truth: it has another try then
            log.debug("the network was not built before the data was read: %r", error)
        keras.utils.set_random_seed(recipe.train.seed)

    def _begin(self, predictor: Predictor, data: Data, sheet: Image.Image | None) -> None:
        recipe, run = self._recipe, self._run
        samples = {name: len(positions) for name, positions in data.splits.items()}
        log.info("%s: %s", "resuming" if run.resumed else "run", run.folder)
        for note in run.notes:
            log.warning(note)
        log.info("data: %s", ", ".join(f"{count} {name}" for name, count in samples.items()))
        log.info("model: %s, %s parameters", recipe.model.name, f"{predictor.model.count_params():,}")
        _warn_of_slow_choices(recipe)
        origin = provenance(recipe.train.seed, data.fingerprint, samples, self._task.class_names)
        with saving(run.folder):
            predictor.describe(run.folder, recipe.task, folders_of_run(recipe.import_paths, run.folder))
            write_atomically(run.folder / PROVENANCE, json.dumps(origin, indent=2) + "\n")
            quarantine = "".join(json.dumps(entry) + "\n" for entry in data.quarantine())
            write_atomically(run.folder / QUARANTINE, quarantine)
            write_atomically(run.folder / FINDINGS, json.dumps(data.as_found(), indent=2) + "\n")
            write_atomically(run.folder / SAMPLES, data.listing())
            if sheet is not None:
                sheet.save(run.folder / "training_samples.png")
        write_proof_samples(run.folder, self._task, data)

    def _end(self, data: Data) -> None:
        """Chooses the Predictor's settings and quotes the best weights, both on validation, and closes the run."""
        run, recipe, positions = self._run, self._recipe, data.splits["validation"]
        values, metric = {}, self._selection.metric
        if len(positions):
            predictor, evaluation, bad = settle(Predictor.load(run.folder), data.source, positions)
            with saving(run.folder):
                predictor.describe(run.folder, recipe.task, folders_of_run(recipe.import_paths, run.folder))
                values = write_evaluation(evaluation, bad, data.source, "validation", predictor, run.folder)
                self._tell_unkept(predictor, values, data)
        with saving(run.folder):
            if recipe.train.epochs:
                draw_curves(run.history(), run.folder / "curves.png")
            run.progress.finished = True
            run.save_progress()
            (run.folder / FORMER).unlink(missing_ok=True)
        if metric in values:
            epoch = f"epoch {run.progress.best_epoch}" if run.progress.best_epoch else "not trained"
            log.info("best: %s, validation %s %s", epoch, metric, values[metric])
        log.info("next: saccade report %s", shlex.quote(str(run.folder)))

    def _tell_unkept(self, predictor: Predictor, values: Mapping[str, Value], data: Data) -> None:
        """Warns of each bound that the weights do not keep to, as they are quoted, and notes it in the run."""
        run, selection = self._run, self._selection
        if LATENCY in selection.bounds:
            run.progress.latency_ms = latency_ms(predictor, data.source, data.splits["validation"])
            values = values | {LATENCY: Value(run.progress.latency_ms, higher_is_better=False)}
        failures = selection.failures(values, run.history())
        run.progress.unkept = [dataclasses.asdict(failure) for failure in failures]
        for failure in failures:
            log.warning("train.select.subject_to: %s", failure)


def _own_callback(name: str) -> keras.callbacks.Callback:
    """A callback of the user's own.

    Raises:
        InputError: it cannot be found, cannot be made without arguments, or is none.
    """
    kind = find_callable(name, {}, __name__, "callback")
    try:
        with own_code(name, "callback", kind):
            made = kind()
    except InputError as error:
        way = "callbacks are made without arguments: a subclass of your own may give them"
        raise InputError(f"{error} ({way})") from error
    if not isinstance(made, keras.callbacks.Callback):
        raise InputError(f"callback '{name}': makes a {type(made).__name__}, and no keras.callbacks.Callback")
    return made


def _figures(predictor: Predictor, data: Data, samples: int | None) -> dict[str, Value]:
    """Metrics on validation samples that are spread evenly over the split; all of them without a number."""
    positions = data.splits["validation"]
    if samples is not None:
        positions = positions[np.unique(np.linspace(0, len(positions) - 1, samples).astype(int))]
    evaluation, _ = evaluate_positions(predictor, data.source, positions, show="looking for metrics")
    return evaluation.values(intervals=False)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """What the log says goes into this file too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _warn_of_slow_choices(recipe: Recipe) -> None:
    """Measured on CPU with MobileNetV2 at 160 px: bfloat16 ran at 0.28 of float32's rate, XLA compiled for minutes."""
    if tf.config.list_physical_devices("GPU"):
        return
    if recipe.train.precision != "float32":
        log.warning("train.precision: %s is several times slower than float32 on a CPU", recipe.train.precision)
    if recipe.train.jit:
        log.warning("train.jit: XLA may compile for many minutes on a CPU")
