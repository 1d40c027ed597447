"""The training pipeline: from shuffled positions to batches of model tensors and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from ..augment import Augmenter, AugmentError, stable_seed
from ..models.errors import InputError
from ..models.task import Task
from .order import Order
from .reading import Reader
from .recipe import Recipe


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
    read      bytes and truth of one sample
    load      decode, by the same operations as the Predictor
    augment   at the picture's own size, before detail is lost; seeded by (seed, epoch, key) alone
    fit       to the model's size, truth moved along
    batch     padding what varies
    """

    def prepare(position: tf.Tensor, epoch: tf.Tensor) -> dict[str, tf.Tensor]:
        sample = task.input.load(read(position))
        if augmenter:
            sample = augment_in_graph(augmenter, sample, epoch, seed)
        return task.input.fit(sample)

    samples = order.positions().map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return task.input.batch(samples, batch)


VARYING_AXES = {"image": 2, "mask": 2, "boxes": 1, "classes": 1}
"""What augmentation may move, with the number of leading axes that may change their length."""


def augment_in_graph(
    augmenter: Augmenter, sample: Mapping[str, tf.Tensor], epoch: tf.Tensor, seed: int
) -> dict[str, tf.Tensor]:
    """Calls the augmenter from inside the graph with the values that it may move; the others pass by."""
    moved = [name for name in VARYING_AXES if name in sample]

    def in_python(epoch: np.ndarray, key: bytes, *values: np.ndarray) -> Sequence[np.ndarray]:
        name = key.decode()
        try:
            changed = augmenter(dict(zip(moved, values, strict=True)), stable_seed(seed, int(epoch), name))
        except AugmentError as error:
            raise AugmentError(f"{name}: {error}") from error
        return [changed[each] for each in moved]

    values = [sample[name] for name in moved]
    changed = tf.numpy_function(in_python, [epoch, sample["key"], *values], [value.dtype for value in values])
    for name, new, old in zip(moved, changed, values, strict=True):
        new.set_shape([None] * VARYING_AXES[name] + old.shape[VARYING_AXES[name] :])
    return dict(sample) | dict(zip(moved, changed, strict=True))
