"""Fitting: the phases through Keras' own `fit`, every epoch validated and saved, so that nothing is lost."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from ...augment import Augmenter
from ...models.contract import Value
from ...models.errors import InputError, JobError
from ...models.files import of_path, saving
from ...models.naming import place_of
from ...models.predictor import Predictor
from ...models.stopping import Interrupted, deferred, stop_point, stop_wanted
from ..data.data import Data
from ..feeding.augmenting import samples_named
from ..progress import EpochProgress
from ..recipe.train_options import LATENCY, TrainOptions
from ..run import HISTORY, Run
from .checkpoint import Checkpoint
from .optimizers import Optimizers, compile_model
from .phases import Fit, Phase, phases, prepare
from .selection import Selection, latency_ms

if TYPE_CHECKING:
    from ..recipe.recipe import Recipe

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
                pace = {"samples_per_second": round(rate, 1), **pace}
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


NOT_FITTED = ("epoch", "learning_rate", "samples_per_second", "seconds")
"""What stands in a line of the history beside the metrics of training and validation."""


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
        Interrupted: the user stopped it; the next time the run is resumed at that step.
        JobError: a sample or a step failed.
    """
    checkpoint, progress, first = Checkpoint(run, predictor), run.progress, 0
    plan = phases(recipe, predictor.model)
    _plan_again(run, plan)
    selection = Selection(recipe.train, predictor.task.monitor)
    measure = partial(latency_ms, predictor, data.source, data.splits["validation"])
    for number, phase in enumerate(plan):
        epochs = range(first, first + phase.options.epochs)
        first = epochs.stop
        if number < progress.phase:
            continue
        named = partial(samples_named, predictor.task, data.source, data.splits["train"])
        with _failures_told(run), named():
            work = prepare(phase, recipe, predictor, data, augmenter)
        begun = progress.epoch > epochs.start or progress.step > 0 or progress.fitted is not None
        if not begun and number > 0:
            checkpoint.restore_best()
        options, length = phase.options.optimizer, len(epochs)
        optimizers = compile_model(work.model, options, phase.options.schedule, length, work.steps, recipe.train.jit)
        if options.accumulate > length * work.steps:
            steps = f"{length * work.steps} steps"
            log.warning("optimizer.accumulate: phase '%s' has %s, fewer than one update takes", phase.name, steps)
        metrics = checkpoint.restore(optimizers) if begun else []
        log.info("phase '%s': epochs %d to %d of %d steps", phase.name, epochs.start + 1, epochs.stop, work.steps)
        watch = Watch(work, epochs, recipe.train, run, checkpoint, optimizers, selection, measure, metrics)
        with deferred():
            _fit_phase(work, epochs, run, watch, own_callbacks, named)
            progress.phase, progress.epoch = number + 1, epochs.stop
            checkpoint.save(optimizers)
    if progress.best is None:
        raise JobError(f"'{selection.metric}' was no number in any epoch: nothing was learnt")


def _plan_again(run: Run, plan: Sequence[Phase]) -> None:
    """Goes back where a resumed run has more to do than its state says: the last phase was given more epochs, or the
    best weights are lost, and those of the epoch that ended last are to be validated in their place."""
    progress, first = run.progress, 0
    ends = [first := first + phase.options.epochs for phase in plan]
    if progress.phase == len(plan) and progress.epoch < ends[-1]:
        progress.phase -= 1
    if run.best_lost and progress.epoch > 0 and progress.step == 0:
        history = run.history()
        last = history[-1] if history and history[-1]["epoch"] == progress.epoch else {}
        names = [name for name in last if name not in NOT_FITTED and not name.startswith(("val_", "learning_rate/"))]
        progress.fitted = {name: last[name] for name in names}
        progress.epoch -= 1
        run.tidy_history()
        progress.phase = next(number for number, end in enumerate(ends) if progress.epoch < end)


def _fit_phase(
    work: Fit,
    epochs: range,
    run: Run,
    watch: Watch,
    own_callbacks: Sequence[keras.callbacks.Callback],
    named: Callable[[], AbstractContextManager],
) -> None:
    events = keras.callbacks.TensorBoard(run.folder / "events", write_graph=False)
    callbacks, progress = [watch, events, *own_callbacks], run.progress
    while progress.epoch < epochs.stop:
        if progress.fitted is None and progress.step >= work.steps:
            progress.step = 0  # the data has become less than what was done of this epoch
        start, step = progress.epoch, progress.step
        # the rest of an epoch that was begun is a fit of its own, because it is shorter
        rest = tf.data.experimental.assert_cardinality(work.steps - step)
        stop = start + 1 if step else epochs.stop
        try:
            with _failures_told(run), named():
                if progress.fitted is not None:
                    _end_epoch(work.model, callbacks, start, progress.fitted)
                else:
                    work.model.fit(
                        work.batches.apply(rest),
                        initial_epoch=start,
                        epochs=stop,
                        callbacks=callbacks,
                        shuffle=False,  # `order` has done it
                        verbose=0,
                    )
        finally:
            watch.close()
        if work.model.stop_training:  # early, or a callback of the user's own wants it
            return


def _end_epoch(
    model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], epoch: int, fitted: dict[str, float]
) -> None:
    """What is left of an epoch that was stopped in its validation."""
    model.stop_training = False
    every = keras.callbacks.CallbackList(list(callbacks), model=model)
    every.on_train_begin()
    every.on_epoch_begin(epoch)
    every.on_epoch_end(epoch, dict(fitted))
    every.on_train_end()


@contextmanager
def _failures_told(run: Run) -> Iterator[None]:
    """A sample that is lost, a step that fails, or what the user's own code raises, in one line.

    Raises:
        JobError: with the cause.
    """
    try:
        yield
    except (InputError, JobError):
        raise
    except Exception as error:
        if place := place_of(error):
            cause = f"{place}{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        elif isinstance(error, tf.errors.OpError):
            cause = _root_cause(error)
        elif isinstance(error, OSError):
            cause = str(of_path(error))
        else:
            raise
        raise JobError(f"training failed: {cause}; {run.folder} holds the epochs so far") from error


def _root_cause(error: tf.errors.OpError) -> str:
    """The line that matters in what TensorFlow says: a Python exception inside the pipeline, or its first line."""
    python = re.search(r"\b(\w+(?:Error|Exception): .*)", error.message)
    return python.group(1) if python else re.sub(r"{{.*?}}\s*", "", error.message).splitlines()[0]
