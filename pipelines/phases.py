"""The phases of a training: what is fitted, on which batches, for how long."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ..augment import Augmenter
from ..models.errors import InputError
from ..models.predictor import Predictor
from .data import Data
from .order import Order
from .progress import bar
from .reading import Reader, reader
from .recipe import Recipe
from .train_options import HeadPhase, TrainOptions
from .training_data import training_batches
from .validation import Validate, validator, validator_on_features

log = logging.getLogger("saccade")


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one optimizer.

    Attributes:
        name: "head" where only what follows the features is trained, else "all".
        options: its epochs, optimizer and schedule.
    """

    name: str
    options: HeadPhase | TrainOptions


@dataclass(frozen=True)
class Fit:
    """What `fit` needs for one phase.

    Attributes:
        model: the whole model, or its head.
        batches: one epoch of training batches each time it is iterated.
        order: says which epoch that is.
        steps: batches in a whole epoch.
        validate: the figures of the validation split.
    """

    model: keras.Model
    batches: tf.data.Dataset
    order: Order
    steps: int
    validate: Validate


def phases(recipe: Recipe, model: keras.Model) -> list[Phase]:
    """The phases of a recipe, in order.

    Raises:
        InputError: a head phase for a model that names no point where features may be cached.
    """
    splits = hasattr(model, "split")
    if recipe.train.head is not None and not splits:
        raise InputError(f"train.head: the model '{recipe.model.name}' has no head of its own to train first")
    first = [Phase("head", recipe.train.head)] if recipe.train.head is not None else []
    frozen = splits and not model.split()[0].trainable_variables
    return [*first, Phase("head" if frozen and not recipe.augment else "all", recipe.train)]


def prepare(phase: Phase, recipe: Recipe, predictor: Predictor, data: Data, augmenter: Augmenter) -> Fit:
    """Everything that one phase needs, made when its turn comes."""
    train, task = recipe.train, predictor.task
    positions = data.splits["train"]
    validation = data.splits["validation"]
    memory = train.memory * 2**20
    read = reader(data.source, positions, task.truth, memory)
    steps = math.ceil(len(positions) / train.batch)
    if phase.name == "all":
        order = Order(positions, train.seed)
        batches = training_batches(task, order, read, augmenter, train.batch, train.seed)
        validate = validator(predictor, data.source, validation, train.batch)
        return Fit(predictor.model, batches, order, steps, validate)
    features, head = predictor.model.split()
    order, batches = _feature_batches(features, predictor, positions, read, train, memory)
    validate = validator_on_features(predictor, features, head, data.source, validation, train.batch)
    return Fit(head, batches, order, steps, validate)


def _feature_batches(
    features: keras.Model, predictor: Predictor, positions: np.ndarray, read: Reader, train: TrainOptions, memory: int
) -> tuple[Order, tf.data.Dataset]:
    """Batches of (features, targets): computed once and kept, or each epoch where they outgrow the memory allowed."""
    plain = Augmenter([])
    size = 4 * len(positions) * int(np.prod(features.output_shape[1:]))
    if size > memory:
        log.warning("features take %d MiB, more than train.memory: they are computed anew each epoch", size >> 20)
        order = Order(positions, train.seed)
        batches = training_batches(predictor.task, order, read, plain, train.batch, train.seed)
        return order, batches.map(lambda x, *rest: (features(x, training=False), *rest))
    in_order = _InOrder(positions)
    batches = training_batches(predictor.task, in_order, read, plain, train.batch, train.seed)
    compute = tf.function(lambda x: features(x, training=False), reduce_retracing=True)
    progress = bar("features", "batches", math.ceil(len(positions) / train.batch), batches)
    rows = [(compute(x), *rest) for x, *rest in progress]
    columns = tuple(tf.concat(column, 0) for column in zip(*rows, strict=True))
    order = Order(np.arange(len(positions)), train.seed)
    gather = (
        order.positions().batch(train.batch).map(lambda row, _: tuple(tf.gather(column, row) for column in columns))
    )
    return order, gather.prefetch(tf.data.AUTOTUNE)


class _InOrder(Order):
    """Every position once, unshuffled."""

    def __init__(self, positions: np.ndarray):
        super().__init__(positions, seed=0)

    def epoch(self) -> np.ndarray:
        return self._positions
