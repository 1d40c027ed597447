"""The metrics that count: an evaluation fed with what the Predictor says of a split's raw values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from ...models.contract import Evaluation, Value, with_lengths, without_padding
from ...models.errors import InputError, RecipeError
from ...models.files import of_path
from ...models.predictor import Predictor
from ...models.stopping import stop_point
from ..data.source import Source, request
from ..predicting.answers import answers
from ..progress import bar
from .breakdown import Breakdown

log = logging.getLogger("saccade")

Validate = Callable[[], dict[str, Value]]


def evaluate_positions(
    predictor: Predictor,
    source: Source,
    positions: Sequence[int],
    batch: int = 32,
    show: str | None = None,
    breakdown: Breakdown | None = None,
) -> tuple[Evaluation, dict[int, str]]:
    """Feeds the task's evaluation with samples of a source.

    Args:
        predictor: the Predictor.
        source: where bytes and truth come from.
        positions: which samples.
        batch: samples in one call of the graph.
        show: a word for the progress bar; none without it.
        breakdown: takes in the same samples.

    Returns:
        The evaluation, and for each sample that could not be read its position and the reason.

    Raises:
        RecipeError: a sample shows that the recipe does not fit the data.
    """
    evaluation, bad = predictor.evaluation(), {}
    read = partial(request, predictor.task, source)
    found = answers(predictor, (int(position) for position in positions), read, batch, evaluation.needs)
    for answer in bar(show or "", "samples", len(positions), found, shown=show is not None):
        stop_point()
        if answer.results is None:
            bad[answer.item] = answer.reason
        else:
            key = source.keys[answer.item]
            try:
                truth = source.truth(answer.item)
                evaluation.update(truth, answer.results, key, answer.raw)
            except RecipeError:
                raise
            except InputError as error:  # data that no check has seen
                bad[answer.item] = str(error)
                continue
            except OSError as error:
                bad[answer.item] = f"its truth: {of_path(error)}"
                continue
            if breakdown is not None:
                breakdown.update(predictor.evaluation, truth, answer.results, key, answer.raw)
    return evaluation, bad


def settle(
    predictor: Predictor, source: Source, positions: Sequence[int]
) -> tuple[Predictor, Evaluation, dict[int, str]]:
    """Gives a Predictor the settings that suit the validation split best.

    Returns:
        The Predictor with what `Evaluation.choose_settings` found, and as `evaluate_positions` its evaluation and bad
        samples.
    """
    evaluation, bad = evaluate_positions(predictor, source, positions, show="validation")
    if chosen := evaluation.choose_settings():
        predictor = Predictor(predictor.task, predictor.model, predictor.settings | chosen)
        log.info("chosen on validation: %s", ", ".join(f"{name} {value:.4g}" for name, value in chosen.items()))
        evaluation, bad = evaluate_positions(predictor, source, positions, show="validation")
    return predictor, evaluation, bad


def validator(predictor: Predictor, source: Source, positions: Sequence[int], batch: int) -> Validate:
    """Metrics of a split, anew each time it is called, from raw values on."""

    def validate() -> dict[str, Value]:
        evaluation, _ = evaluate_positions(predictor, source, positions, batch)
        return evaluation.values(intervals=False)

    return validate


def validator_on_features(
    predictor: Predictor, features: keras.Model, head: keras.Model, source: Source, positions: Sequence[int], batch: int
) -> Validate:
    """The same metrics while `features` is frozen: input and features are computed once, here."""
    task = predictor.task
    kept: list[tuple[list[int], Any, dict[str, tf.Tensor]]] = []

    def compute(raw: dict[str, tf.Tensor]) -> tuple[Any, dict[str, tf.Tensor]]:
        tensors, geometry = task.input(**raw)
        return features(tensors, training=False), geometry

    for chunk in _chunks([int(position) for position in positions], batch):
        raws = [request(task, source, position) for position in chunk]
        for places, computed in predictor.in_calls(raws, compute):
            if not isinstance(computed, str):
                kept.append(([chunk[place] for place in places], *computed))

    def validate() -> dict[str, Value]:
        evaluation = predictor.evaluation()
        names = None if evaluation.needs is None else with_lengths(evaluation.needs, task.lengths)
        for chunk, values, geometry in kept:
            stop_point()
            outputs = head(values, training=False)
            results = predictor.choose(task.results(outputs, geometry, predictor.settings), names)
            rows = without_padding({name: value.numpy() for name, value in results.items()}, task.lengths)
            for position, row in zip(chunk, rows, strict=True):
                raw = partial(request, task, source, position)
                evaluation.update(source.truth(position), row, source.keys[position], raw)
        return evaluation.values(intervals=False)

    return validate


def _chunks(items: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
