"""Checkpoints of a run: the state to go on from, and the best weights so far."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from ...models.files import WEIGHTS, saving, whole_file
from ...models.predictor import Predictor
from ..run import CHECKPOINT, FORMER, Run
from .optimizers import Optimizers
from .selection import Standing


class Checkpoint:
    """Saves and restores one phase of a run.

    The state holds every variable of model and optimizer, those of the random generators in the layers too, so that a
    training that is resumed equals one that was never stopped; and, in the same file so that the two never differ, how
    far it has come. Every file is whole or not there, and the state before the last one is kept while the run is
    unfinished, should a disk or a copy not keep what it was given.
    """

    def __init__(self, run: Run, predictor: Predictor):
        self._run = run
        self._predictor = predictor

    def save(self, optimizers: Optimizers, metrics: Sequence[keras.Variable] = ()) -> None:
        """Saves the state, and how far the run has come beside it for people to read.

        Args:
            optimizers: of the phase.
            metrics: what the training metrics of an epoch that is not over have gathered.
        """
        folder = self._run.folder
        variables = {f"model/{i}": each for i, each in enumerate(self._predictor.model.variables)}
        variables |= optimizers.variables() | {f"metric/{i}": each for i, each in enumerate(metrics)}
        values = {name: keras.ops.convert_to_numpy(each) for name, each in variables.items()}
        with saving(folder):
            with whole_file(folder / CHECKPOINT) as partial:
                np.savez(partial, progress=np.array(json.dumps(asdict(self._run.progress))), **values)
                if (folder / CHECKPOINT).is_file():
                    os.replace(folder / CHECKPOINT, folder / FORMER)
            self._run.save_progress()

    def restore(self, optimizers: Optimizers) -> list[np.ndarray]:
        """Puts the saved state of model and optimizers back.

        Returns:
            What the training metrics had gathered of an epoch that was not over; nothing of others.
        """
        with np.load(self._run.folder / CHECKPOINT) as values:
            for i, variable in enumerate(self._predictor.model.variables):
                variable.assign(values[f"model/{i}"])
            for name, variable in optimizers.variables().items():
                variable.assign(values[name])
            gathered = sum(name.startswith("metric/") for name in values.files)
            return [values[f"metric/{i}"] for i in range(gathered)]

    def keep_if_best(self, standing: Standing) -> bool:
        """Keeps the weights of the model if they beat the best so far; says whether they do."""
        progress = self._run.progress
        if not standing.beats(progress.best, progress.violation):
            return False
        with saving(self._run.folder):
            save_weights(self._predictor.model, self._run.folder / WEIGHTS)
        progress.best, progress.violation, progress.best_epoch = standing.value, standing.violation, progress.epoch
        return True

    def restore_best(self) -> None:
        """Puts the best weights so far into the model."""
        with _without_optimizer(self._predictor.model) as model:
            model.load_weights(self._run.folder / WEIGHTS)


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes a model's weights whole or not at all.

    Raises:
        OSError: no room, no permission.
    """
    size = sum(weight.nbytes for weight in map(keras.ops.convert_to_numpy, model.weights))
    with whole_file(path) as partial, _without_optimizer(model):
        with partial.open("wb") as file:  # HDF5 crashes the process when it runs out of room: ask for it first
            os.posix_fallocate(file.fileno(), 0, int(1.1 * size) + 4096 * (16 + len(model.weights)))
        model.save_weights(partial)


@contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[keras.Model]:
    """Keras would write and expect the optimizer's variables beside the weights, three times their size."""
    optimizer, model.optimizer = getattr(model, "optimizer", None), None
    try:
        yield model
    finally:
        model.optimizer = optimizer
