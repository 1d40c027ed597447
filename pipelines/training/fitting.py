"""Fitting: the phases through Keras' own `fit`, every epoch validated and saved, so that nothing is lost."""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import keras
import tensorflow as tf

from ...augment import Augmenter
from ...models.errors import InputError, JobError
from ...models.naming import place_of
from ...models.predictor import Predictor
from ...models.writing import of_path
from ..checking.data import Data
from ..feeding.failures import samples_named
from ..recipe import Recipe
from ..run import Run
from .averaging import Averaging
from .checkpoint import Checkpoint
from .latency import latency_ms
from .optimizers import make_optimizer
from .phases import Fit, Phase, phases, prepare
from .selection import Selection
from .stages import stage_factors
from .watch import Watch

log = logging.getLogger("saccade")


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
    selection = Selection(recipe.train, predictor.task.monitor)
    measure = partial(latency_ms, predictor, data.source, data.splits["validation"])
    for number, phase in enumerate(phases(recipe, predictor.model)):
        epochs = range(first, first + phase.options.epochs)
        first = epochs.stop
        if number < progress.phase:
            continue
        named = partial(samples_named, predictor.task, data.source, data.splits["train"])
        with _failures_told(run), named():
            work = prepare(phase, recipe, predictor, data, augmenter)
        begun = progress.epoch > epochs.start or progress.step > 0
        if not begun and number > 0:
            checkpoint.restore_best()
        optimizer = _compile(work, phase, len(epochs), recipe)
        if begun:
            checkpoint.restore(work.model.optimizer)
        log.info("phase '%s': epochs %d to %d of %d steps", phase.name, epochs.start + 1, epochs.stop, work.steps)
        watch = Watch(work, epochs, recipe.train, run, checkpoint, optimizer, selection, measure)
        _fit_phase(work, epochs, run, watch, own_callbacks, named)
        progress.phase, progress.epoch = number + 1, epochs.stop
        checkpoint.save(work.model.optimizer)
    if progress.best is None:
        raise JobError(f"'{selection.figure}' was no number in any epoch: nothing was learnt")


def _compile(work: Fit, phase: Phase, epochs: int, recipe: Recipe) -> Averaging:
    """Gives the model its optimizer and builds that; Keras may wrap it, to scale the loss of float16."""
    options, variables = phase.options.optimizer, work.model.trainable_variables
    factors = stage_factors(options.stages, work.model)
    optimizer = make_optimizer(options, phase.options.schedule, epochs, work.steps, factors)
    work.model.compile(optimizer=optimizer, jit_compile=recipe.train.jit)
    optimizer.build(variables)  # before what wraps it, under which a Nadam would leave out one of its variables
    work.model.optimizer.build(variables)
    if options.accumulate > epochs * work.steps:
        steps = f"{epochs * work.steps} steps"
        log.warning("optimizer.accumulate: phase '%s' has %s, fewer than one update takes", phase.name, steps)
    return optimizer


def _fit_phase(
    work: Fit,
    epochs: range,
    run: Run,
    watch: Watch,
    own_callbacks: Sequence[keras.callbacks.Callback],
    named: Callable[[], AbstractContextManager],
) -> None:
    events = keras.callbacks.TensorBoard(run.folder / "events", write_graph=False)
    with _stop_signals(watch):
        while run.progress.epoch < epochs.stop:
            start, step = run.progress.epoch, run.progress.step
            # the rest of an epoch that was begun is a fit of its own, because it is shorter
            batches = work.batches.apply(tf.data.experimental.assert_cardinality(work.steps - step))
            stop = start + 1 if step else epochs.stop
            try:
                with _failures_told(run), named():
                    work.model.fit(
                        batches,
                        initial_epoch=start,
                        epochs=stop,
                        callbacks=[watch, events, *own_callbacks],
                        shuffle=False,  # `order` has done it
                        verbose=0,
                    )
            finally:
                watch.close()
            if work.model.stop_training:  # early, or a callback of the user's own wants it
                return


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


@contextmanager
def _stop_signals(watch: Watch) -> Iterator[None]:
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
