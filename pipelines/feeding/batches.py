"""The training pipeline: from shuffled positions to batches of model tensors and targets."""

from __future__ import annotations

import math

import tensorflow as tf

from ...augment import Augmenter, AugmentError
from ...models.errors import InputError
from ...models.task import Task
from ..recipe import Recipe
from .augmenting import augmented
from .order import Order
from .reading import Reader

CHUNK_PIXELS = 2**22
"""Pictures are augmented in chunks of at most about this many pixels, which bounds their memory."""


def make_augmenter(recipe: Recipe) -> Augmenter:
    """The recipe's augmentation.

    Raises:
        InputError: a transform or an argument that does not exist or cannot be used.
    """
    try:
        return Augmenter(recipe.augment)
    except AugmentError as error:
        raise InputError(str(error)) from error


def training_batches(
    task: Task, order: Order, read: Reader, augmenter: Augmenter, batch: int, seed: int
) -> tf.data.Dataset:
    """One epoch of `(x, y[, sample_weight])` each time it is iterated; `order` says which one."""
    return batches_of_samples(task, order, read, augmenter, batch, seed).map(task.targets).prefetch(tf.data.AUTOTUNE)


def batches_of_samples(
    task: Task, order: Order, read: Reader, augmenter: Augmenter, batch: int, seed: int
) -> tf.data.Dataset:
    """The whole order of the pipeline, stated once; padded batches of fitted samples, before `task.targets`.

    shuffle   positions, not pictures: a full shuffle costs no memory
    read      bytes and truth of one sample, decoded by the same operations as the Predictor's
    augment   at the picture's own size, before detail is lost; seeded by (seed, epoch, key) alone
    fit       to the model's size, truth moved along
    batch     padding what varies
    """
    parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    if augmenter:
        samples = order.positions().map(lambda position, epoch: (read(position), epoch), **parallel)
        fitted = augmented(samples, augmenter, seed, _chunk(order, read, batch)).map(task.input.fit, **parallel)
    else:
        fitted = order.positions().map(lambda position, _: task.input.fit(read(position)), **parallel)
    return task.input.batch(fitted, batch)


def _chunk(order: Order, read: Reader, batch: int) -> int:
    """How many samples are augmented together, judged by the first one."""
    pixels = math.prod(read(tf.constant(order.epoch()[0]))["image"].shape[:2])
    return max(1, min(batch, CHUNK_PIXELS // pixels))
