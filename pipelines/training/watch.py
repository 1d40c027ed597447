"""The callback that begins, counts, validates, shows and saves the epochs of a phase."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np

from ...models.contract import Value
from ...models.errors import JobError
from ...models.files import saving
from ...models.stopping import Interrupted, stop_point, stop_wanted
from ..options.select_options import LATENCY
from ..options.train_options import TrainOptions
from ..progress import EpochProgress
from ..run import HISTORY, Run
from .checkpoint import Checkpoint
from .optimizers import Optimizers
from .phases import Fit
from .selection import Selection

log = logging.getLogger("saccade")


class Watch(keras.callbacks.Callback):
    """One for each phase. Where a signal asks the training to stop it saves everything and raises `Interrupted`: after
    the step in hand, or amid the validation, which is then done when the run is resumed."""

    def __init__(
        self,
        work: Fit,
        epochs: range,
        train: TrainOptions,
        run: Run,
        checkpoint: Checkpoint,
        optimizers: Optimizers,
        selection: Selection,
        measure_latency: Callable[[], float],
        metrics: Sequence[np.ndarray] = (),
    ):
        super().__init__()
        self._work, self._epochs, self._run, self._checkpoint = work, epochs, run, checkpoint
        self._optimizers, self._selection, self._measure_latency = optimizers, selection, measure_latency
        self._gathered = list(metrics)
        self._batch = train.batch
        self._show = EpochProgress(work.steps, train.batch, epochs.stop)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        stop_point()  # not at the end of the epoch before, where Keras may still hear that it was the last
        done = self._run.progress.step
        self._work.order.start(epoch, done * self._batch)
        self._show.begin(epoch, done)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self._gathered and self._run.progress.step:
            self._restore_metrics()

    def _restore_metrics(self) -> None:
        """What the metrics of a resumed epoch had gathered; Keras makes their variables when it first sees a batch."""
        if len(self.model.metrics_variables) < len(self._gathered):
            self.model._symbolic_build(data_batch=next(iter(self._work.batches)))
        for variable, value in zip(self.model.metrics_variables, self._gathered, strict=True):
            variable.assign(value)
        self._gathered = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._run.progress.step += 1
        self._show.step(logs or {})
        if stop_wanted() and self._run.progress.step < self._work.steps:
            self._checkpoint.save(self._optimizers, self.model.metrics_variables)
            stop_point()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._show.fitted()
        if not math.isfinite(logs.get("loss", 0.0)):
            raise JobError(f"the loss is {logs['loss']} in epoch {epoch + 1}: lower train.optimizer.learning_rate")
        progress = self._run.progress
        try:
            with self._optimizers.averaged():
                stop_point()
                values = self._work.validate()
                standing = self._selection.standing(values | self._latency())
        except Interrupted:
            progress.fitted = dict(logs)
            self._checkpoint.save(self._optimizers)
            raise
        progress.epoch, progress.step, progress.fitted = epoch + 1, 0, None
        with self._optimizers.averaged():
            best = self._checkpoint.keep_if_best(standing)
        told = logs | {f"val_{name}": values[name].value for name in self._selection.told(values)}
        logs.update({f"val_{name}": value.value for name, value in values.items()})
        logs.update(self._optimizers.learning_rates())
        self._show.end(epoch, told, best)
        with saving(self._run.folder):
            pace = {"seconds": round(self._show.seconds(), 2)}
            if rate := self._show.rate():
                pace = {"pictures_per_second": round(rate, 1), **pace}
            self._run.append(HISTORY, {"epoch": epoch + 1, **logs, **pace})
        self._checkpoint.save(self._optimizers)
        if self._selection.is_patience_over(values, self._run.history(), self._epochs.start):
            self.model.stop_training = True

    def _latency(self) -> dict[str, Value]:
        """Measured once in a run, where a bound names it: the weights do not change it, and no noise of the clock is to
        choose among epochs."""
        bound, progress = self._selection.bounds.get(LATENCY), self._run.progress
        if bound is None:
            return {}
        if progress.latency_ms is None:
            progress.latency_ms = self._measure_latency()
            if bound.excess(progress.latency_ms) > 0:
                log.warning("%s is %.1f, not %s, whatever the epoch", LATENCY, progress.latency_ms, bound)
        return {LATENCY: Value(progress.latency_ms, higher_is_better=False)}

    def close(self) -> None:
        self._show.close()
