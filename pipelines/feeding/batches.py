"""The training pipeline: from shuffled positions to batches of model tensors and targets."""

from __future__ import annotations

import math

import tensorflow as tf

from ...augment import Augmenter, AugmentError
from ...augment.mixer import Mixer, Mixing
from ...models.errors import InputError
from ...models.task import Task
from ..recipe import Recipe
from .augmenting import augmented
from .order import Order
from .reading import Reader

PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}

CHUNK_PIXELS = 2**22
"""Pictures are augmented in chunks of at most about this many pixels, which bounds their memory."""
_JUDGED = 16  # samples by whose sizes those of all are judged


def make_augmenter(recipe: Recipe) -> Augmenter:
    """The recipe's augmentation.

    Raises:
        InputError: a transform or an argument that does not exist or cannot be used, or a mix of samples for a task
            whose targets cannot be mixed.
    """
    try:
        augmenter = Augmenter(recipe.augment)
    except AugmentError as error:
        raise InputError(str(error)) from error
    if augmenter.mixer and not recipe.task_class.soft_targets:
        raise InputError(
            f"augment: {augmenter.mixer.names} gives each sample shares of two truths, and the task '{recipe.task}' "
            "learns from hard ones: leave it out"
        )
    return augmenter


def training_batches(
    task: Task, order: Order, read: Reader, augmenter: Augmenter, batch: int, seed: int
) -> tf.data.Dataset:
    """One epoch of `(x, y[, sample_weight])` each time it is iterated; `order` says which one.

    The whole order of the pipeline, stated once:

    shuffle   positions, not pictures: a full shuffle costs no memory
    read      bytes and truth of one sample, decoded by the same operations as the Predictor's
    augment   at the picture's own size, before detail is lost; seeded by (seed, epoch, key) alone
    fit       to the model's size, truth moved along
    batch     padding what varies
    targets   truth to what the model learns
    mix       samples of one size and their targets with each other; seeded by (seed, epoch, keys of the batch) alone
    """

    def ready(batch: dict[str, tf.Tensor]) -> tuple:
        targets = task.targets(batch)
        return mixing(augmenter.mixer, batch, seed).targets(*targets) if augmenter.mixer else targets

    samples = batches_of_samples(task, order, read, augmenter, batch, seed)
    return samples.map(ready, **PARALLEL).prefetch(tf.data.AUTOTUNE)


def batches_of_samples(
    task: Task, order: Order, read: Reader, augmenter: Augmenter, batch: int, seed: int
) -> tf.data.Dataset:
    """Padded batches of fitted samples with their `key` and `epoch`: the part of the pipeline before targets."""

    def of_epoch(position: tf.Tensor, epoch: tf.Tensor) -> dict[str, tf.Tensor]:
        return read(position) | {"epoch": epoch}

    samples = order.positions().map(of_epoch, **PARALLEL)
    if augmenter.transforms:
        samples = augmented(samples, augmenter, seed, _chunk(order, read, batch))
    return task.input.batch(samples.map(task.input.fit, **PARALLEL), batch)


def mixing(mixer: Mixer, batch: dict[str, tf.Tensor], seed: int) -> Mixing:
    """How one batch of samples is mixed."""
    _, height, width, _ = tf.unstack(tf.shape(batch["image"]))
    return mixer(batch["key"], batch["epoch"][0], seed, height, width)


def _chunk(order: Order, read: Reader, batch: int) -> int:
    """How many samples are augmented together, padded to one size: judged by the highest and the widest of a few."""
    positions = order.epoch()
    some = positions[:: max(1, len(positions) // _JUDGED)][:_JUDGED]
    sizes = [read(tf.constant(position))["image"].shape[:2] for position in some]
    pixels = math.prod(map(max, zip(*sizes, strict=True)))
    return max(1, min(batch, CHUNK_PIXELS // pixels))
