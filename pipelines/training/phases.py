"""The phases of a training: what is fitted, on which batches, for how long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from ...augment import Augmenter
from ...models.errors import InputError
from ...models.predictor import Predictor
from ..data.data import Data
from ..evaluating.validation import Validate, validator, validator_on_features
from ..feeding.batches import fixed_batches, training_batches
from ..feeding.order import Order
from ..feeding.reading import reader
from ..recipe.recipe import Recipe
from ..recipe.train_options import HeadPhase, TrainOptions
from .optimizers import check_stages


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
        validate: the metrics of the validation split.
    """

    model: keras.Model
    batches: tf.data.Dataset
    order: Order
    steps: int
    validate: Validate


def phases(recipe: Recipe, model: keras.Model) -> list[Phase]:
    """The phases of a recipe, in order.

    Raises:
        InputError: a head phase for a model that names no point where features may be cached; learning rates for stages
            that the model has not, or that the phase does not train.
    """
    splits = hasattr(model, "split")
    if recipe.train.head is not None and not splits:
        raise InputError(
            f"train.head: the model '{recipe.model.name}' has no head of its own to train first", field="train.head"
        )
    if not recipe.train.epochs:
        return []
    first = [Phase("head", recipe.train.head)] if recipe.train.head is not None else []
    frozen = splits and not model.split()[0].trainable_variables
    found = [*first, Phase("head" if frozen and not recipe.augment else "all", recipe.train)]
    for phase in found:
        where = "train.optimizer.stages" if phase.options is recipe.train else "train.head.optimizer.stages"
        if phase.name == "head" and phase.options.optimizer.stages:
            raise InputError("this phase trains the head alone: leave them out", where=where)
        check_stages(phase.options.optimizer.stages, model, where)
    return found


def prepare(phase: Phase, recipe: Recipe, predictor: Predictor, data: Data, augmenter: Augmenter) -> Fit:
    """Everything that one phase needs, made when its turn comes."""
    train, task, source = recipe.train, predictor.task, data.source
    positions, validation = data.splits["train"], data.splits["validation"]
    memory = train.memory * 2**20
    read = reader(task, source, positions, memory, keep_loaded=bool(augmenter), kept=data.kept)
    sampler = task.batch_sampler(data.truths("train"), train.batch)

    def fixed(features: Callable | None = None) -> tuple[Order, tf.data.Dataset]:
        make = partial(training_batches, task, read=read, augmenter=Augmenter([]), batch=train.batch, seed=train.seed)
        return fixed_batches(make, positions, train.seed, sampler, train.batch, memory, features)

    if phase.name == "head":
        features, model = predictor.model.split()
        order, batches = fixed(partial(features, training=False))
        validate = validator_on_features(predictor, features, model, source, validation, train.batch)
    else:
        model, validate = predictor.model, validator(predictor, source, validation, train.batch)
        if augmenter:
            order = Order(positions, train.seed, sampler, augmenter.companions, source.keys)
            batches = training_batches(task, order, read, augmenter, train.batch, train.seed)
        else:
            order, batches = fixed()
    return Fit(model, batches, order, math.ceil(len(order) / train.batch), validate)
