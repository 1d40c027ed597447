"""Fitting: the phases through Keras' own `fit`, every epoch validated and saved, so that nothing is lost."""

from __future__ import annotations

import logging
import math
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

from ...augment import Augmenter
from ...models.errors import InputError, JobError, nearest
from ...models.predictor import Predictor
from ..checking.data import Data
from ..progress import EpochProgress
from ..recipe import Recipe
from ..run import HISTORY, Run, saving
from ..train_options import TrainOptions
from .checkpoint import Checkpoint
from .optimizers import make_optimizer
from .phases import Fit, phases, prepare

log = logging.getLogger("saccade")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; the step in hand was finished and everything is saved."""


def fit(
    recipe: Recipe,
    run: Run,
    predictor: Predictor,
    data: Data,
    augmenter: Augmenter,
    own_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains, from wherever the run stands to the end of the last phase.

    Raises:
        Interrupted: the user stopped it; the run goes on from that step the next time.
        JobError: a sample or a step failed.
    """
    checkpoint, progress, first = Checkpoint(run, predictor), run.progress, 0
    for number, phase in enumerate(phases(recipe, predictor.model)):
        epochs = range(first, first + phase.options.epochs)
        first = epochs.stop
        if number < progress.phase:
            continue
        work = prepare(phase, recipe, predictor, data, augmenter)
        optimizer = make_optimizer(phase.options.optimizer, phase.options.schedule, len(epochs), work.steps)
        work.model.compile(optimizer=optimizer, jit_compile=recipe.train.jit)
        optimizer.build(work.model.trainable_variables)
        begun = progress.epoch > epochs.start or progress.step > 0
        if begun:
            checkpoint.restore(optimizer)
        elif number > 0:
            checkpoint.restore_best()
        log.info("phase '%s': epochs %d to %d of %d steps", phase.name, epochs.start + 1, epochs.stop, work.steps)
        watch = _Watch(work, epochs, recipe.train, run, checkpoint, recipe.train.monitor or predictor.task.monitor)
        _fit_phase(work, epochs, run, watch, own_callbacks)
        progress.phase, progress.epoch = number + 1, epochs.stop
        checkpoint.save(optimizer)
    if progress.best is None:
        raise JobError(
            f"'{recipe.train.monitor or predictor.task.monitor}' was no number in any epoch: nothing was learnt"
        )


def _fit_phase(
    work: Fit, epochs: range, run: Run, watch: _Watch, own_callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    events = keras.callbacks.TensorBoard(run.folder / "events", write_graph=False)
    with _stop_signals(watch):
        while run.progress.epoch < epochs.stop:
            start, step = run.progress.epoch, run.progress.step
            # the rest of an epoch that was begun is a fit of its own, because it is shorter
            batches = work.batches.apply(tf.data.experimental.assert_cardinality(work.steps - step))
            stop = start + 1 if step else epochs.stop
            try:
                work.model.fit(
                    batches,
                    initial_epoch=start,
                    epochs=stop,
                    callbacks=[watch, events, *own_callbacks],
                    shuffle=False,  # `order` has done it
                    verbose=0,
                )
            except tf.errors.OpError as error:
                raise JobError(
                    f"training failed: {_root_cause(error)}; {run.folder} holds the epochs so far"
                ) from error
            finally:
                watch.close()
            if work.model.stop_training:  # early, or a callback of the user's own wants it
                return


class _Watch(keras.callbacks.Callback):
    """Begins, counts, validates, shows and saves the epochs of a phase."""

    def __init__(self, work: Fit, epochs: range, train: TrainOptions, run: Run, checkpoint: Checkpoint, monitor: str):
        super().__init__()
        self._work, self._epochs, self._run, self._checkpoint = work, epochs, run, checkpoint
        self._batch, self._early, self._monitor = train.batch, train.early_stopping, monitor
        self._show = EpochProgress(work.steps, self._batch, epochs.stop)
        self.stop_wanted = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        done = self._run.progress.step
        self._work.order.start(epoch, done * self._batch)
        self._show.begin(epoch, done)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._run.progress.step += 1
        self._show.step(logs or {})
        if self.stop_wanted and self._run.progress.step < self._work.steps:
            self._checkpoint.save(self.model.optimizer)
            raise Interrupted

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._show.fitted()
        progress = self._run.progress
        if not math.isfinite(logs["loss"]):
            raise JobError(f"the loss is {logs['loss']} in epoch {epoch + 1}: lower train.optimizer.learning_rate")
        values = self._work.validate()
        monitored = self._monitor
        if monitored not in values:
            raise InputError(f"train.monitor: the evaluation has no figure '{monitored}': {nearest(monitored, values)}")
        logs.update({f"val_{name}": value.value for name, value in values.items()})
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        progress.epoch, progress.step = epoch + 1, 0
        min_delta = self._early.min_delta if self._early else 0.0
        best = self._checkpoint.keep_if_best(values[monitored].value, values[monitored].higher_is_better, min_delta)
        self._show.end(epoch, logs, best)
        with saving(self._run.folder):
            pace = {"pictures_per_second": round(self._show.rate(), 1), "seconds": round(self._show.seconds(), 2)}
            self._run.append(HISTORY, {"epoch": epoch + 1, **logs, **pace})
        self._checkpoint.save(self.model.optimizer)
        waited = progress.epoch - max(progress.best_epoch or 0, self._epochs.start)
        if self._early and waited >= self._early.patience:
            log.info("%s has not improved for %d epochs: this phase stops here", monitored, waited)
            self.model.stop_training = True
        if self.stop_wanted:
            raise Interrupted

    def close(self) -> None:
        self._show.close()


@contextmanager
def _stop_signals(watch: _Watch) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets the step in hand finish; a second one stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: object) -> None:
        if watch.stop_wanted:
            raise KeyboardInterrupt
        watch.stop_wanted = True
        log.info("stopping after this step ...")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _root_cause(error: tf.errors.OpError) -> str:
    """The line that matters in what TensorFlow says: a Python exception inside the pipeline, or its first line."""
    python = re.search(r"\b(\w+(?:Error|Exception): .*)", error.message)
    return python.group(1) if python else re.sub(r"{{.*?}}\s*", "", error.message).splitlines()[0]
