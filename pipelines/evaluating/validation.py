"""The figures that count: an evaluation fed with what the Predictor says of a split's bytes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from ...models.errors import InputError, RecipeError
from ...models.files import of_path
from ...models.predictor import Predictor
from ...models.stopping import stop_point
from ...models.task import Evaluation, Value
from ..predicting.answers import answers
from ..progress import bar
from ..source import Source
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
        batch: pictures in one call of the graph.
        show: a word for the progress bar; none without it.
        breakdown: takes in the same samples.

    Returns:
        The evaluation, and for each sample that could not be read its position and the reason.

    Raises:
        RecipeError: a sample shows that the recipe does not fit the data.
    """
    evaluation, bad = predictor.evaluation(), {}
    found = answers(predictor, (int(position) for position in positions), source.read, batch, evaluation.needs)
    for answer in bar(show or "", "pictures", len(positions), found, shown=show is not None):
        stop_point()
        if answer.results is None:
            bad[answer.item] = answer.reason
        else:
            key = source.keys[answer.item]
            try:
                truth = source.truth(answer.item)
                evaluation.update(truth, answer.results, key)
            except RecipeError:
                raise
            except InputError as error:  # data that no check has seen
                bad[answer.item] = str(error)
                continue
            except OSError as error:
                bad[answer.item] = f"its truth: {of_path(error)}"
                continue
            if breakdown is not None:
                breakdown.update(predictor.evaluation, truth, answer.results, key)
    return evaluation, bad


def settle(
    predictor: Predictor, source: Source, positions: Sequence[int]
) -> tuple[Predictor, Evaluation, dict[int, str]]:
    """Gives a Predictor the settings that suit the validation split best.

    Returns:
        The Predictor with what `Evaluation.choose` found, and as `evaluate_positions` its evaluation and bad samples.
    """
    evaluation, bad = evaluate_positions(predictor, source, positions, show="validation")
    if chosen := evaluation.choose():
        predictor = Predictor(predictor.task, predictor.model, predictor.settings | chosen)
        log.info("chosen on validation: %s", ", ".join(f"{name} {value:.4g}" for name, value in chosen.items()))
        evaluation, bad = evaluate_positions(predictor, source, positions, show="validation")
    return predictor, evaluation, bad


def validator(predictor: Predictor, source: Source, positions: Sequence[int], batch: int) -> Validate:
    """Figures of a split, anew each time it is called, from bytes on."""

    def validate() -> dict[str, Value]:
        evaluation, _ = evaluate_positions(predictor, source, positions, batch)
        return evaluation.values(intervals=False)

    return validate


def validator_on_features(
    predictor: Predictor, features: keras.Model, head: keras.Model, source: Source, positions: Sequence[int], batch: int
) -> Validate:
    """The same figures while `features` is frozen: input and features are computed once, here."""
    kept: list[tuple[list[int], Any, dict[str, tf.Tensor]]] = []

    def compute(encoded: tf.Tensor) -> tuple[Any, dict[str, tf.Tensor]]:
        tensors, geometry = predictor.task.input(bytes=encoded)
        return features(tensors, training=False), geometry

    for chunk in _chunks([int(position) for position in positions], batch):
        for places, computed in predictor.in_calls([source.read(position) for position in chunk], compute):
            if not isinstance(computed, str):
                kept.append(([chunk[place] for place in places], *computed))

    def validate() -> dict[str, Value]:
        evaluation = predictor.evaluation()
        for chunk, values, geometry in kept:
            stop_point()
            outputs = head(values, training=False)
            results = predictor.choose(predictor.task.results(outputs, geometry, predictor.settings), evaluation.needs)
            rows = predictor.task.one_by_one({name: value.numpy() for name, value in results.items()})
            for position, row in zip(chunk, rows, strict=True):
                evaluation.update(source.truth(position), row, source.keys[position])
        return evaluation.values(intervals=False)

    return validate


def _chunks(items: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
