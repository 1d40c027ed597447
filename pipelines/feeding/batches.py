"""The training pipeline: from shuffled positions to batches of model tensors and targets, prepared once where they are
the same every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from ...augment import Augmenter, AugmentError
from ...augment.mixer import Mixer, Mixing
from ...models.contract import Task
from ...models.errors import InputError
from ..progress import bar
from .augmenting import COMPANION, augmented, varying_axes
from .order import Order, Sampler
from .reading import Column, Reader

if TYPE_CHECKING:
    from ..recipe.recipe import Recipe

PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}

MAX_CHUNK_PIXELS = 2**22
"""Images are augmented in chunks of at most about this many pixels, which bounds their memory."""
_JUDGED = 16  # samples by whose sizes those of all are judged


def make_augmenter(recipe: Recipe, task: Task) -> Augmenter:
    """The recipe's augmentation, for what moves of the task's truth.

    Raises:
        InputError: a transform or an argument that does not exist or cannot be used, or a mix of samples for a task
            whose targets cannot be mixed.
    """
    truth = {name: each for name, each in task.truth.items() if each.trains}
    try:
        augmenter = Augmenter(recipe.augment, {name: each.moves for name, each in truth.items() if each.moves})
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

    order     positions, not images, as the task samples them: a full shuffle costs no memory
    read      what is on disk and truth of one sample, and of its companions
    load      decoded by the same operations as the Predictor's
    augment   at the image's own size, before detail is lost; seeded by (seed, epoch, key, n) alone
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

    def drawn(draw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        sample = read(draw["position"]) | {"epoch": draw["epoch"], "n": draw["n"]}
        if not augmenter.companions:
            return sample
        names = [name for name in varying_axes(task.truth) if name in sample]
        kept = tf.map_fn(
            lambda position: {name: tf.io.serialize_tensor(read(position)[name]) for name in names},
            draw["companions"],
            fn_output_signature={name: tf.TensorSpec([], tf.string) for name in names},
        )
        return sample | {COMPANION + name: value for name, value in kept.items()}

    samples = order.draws().map(drawn, **PARALLEL)
    if augmenter.transforms:
        samples = augmented(samples, augmenter, task.truth, seed, _chunk(order, read, batch))
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
    return max(1, min(batch, MAX_CHUNK_PIXELS // pixels))


Make = Callable[[Order], tf.data.Dataset]


def fixed_batches(
    make: Make,
    positions: np.ndarray,
    seed: int,
    sampler: Sampler,
    batch: int,
    memory: int,
    features: Callable | None = None,
) -> tuple[Order, tf.data.Dataset]:
    """Shuffled batches without any augmentation.

    Args:
        make: from an order to its batches `(x, y[, sample_weight])`.
        positions: the training split.
        seed: of the shuffle.
        sampler: which of the positions make up an epoch.
        batch: samples in a batch.
        memory: how many bytes may be kept; what is larger, or varies in shape, is prepared anew each epoch.
        features: from `x` to what is kept in its place.

    Returns:
        The order that says which epoch comes next, and the batches of that epoch.
    """
    order = Order(positions, seed, sampler)
    anew = make(order)
    if features is not None:
        anew = anew.map(lambda x, *rest: (features(x), *rest))
    if _bytes(anew.element_spec, len(positions)) > memory:
        return order, anew
    columns = tf.nest.map_structure(
        lambda spec: Column(len(positions), spec.dtype, spec.shape[1:]), tuple(anew.element_spec)
    )
    _prepare(make(_InOrder(positions)), math.ceil(len(positions) / batch), features, columns)
    rows = Order(np.arange(len(positions)), seed, sampler)  # shuffled as the positions would be
    kept = rows.batches(batch).map(lambda draw: tf.nest.map_structure(lambda column: column[draw["position"]], columns))
    return rows, kept.prefetch(tf.data.AUTOTUNE)


def _bytes(spec: tuple, samples: int) -> float:
    """How much all samples take, infinite where their shapes vary."""
    total = 0.0
    for each in tf.nest.flatten(spec):
        inner = each.shape[1:]
        total += samples * inner.num_elements() * each.dtype.size if inner.is_fully_defined() else math.inf
    return total


def _prepare(batches: tf.data.Dataset, count: int, features: Callable | None, columns: tuple) -> None:
    """Fills the columns of what is kept, batch by batch."""
    compute = tf.function(features, reduce_retracing=True) if features else lambda x: x
    start = 0
    for x, *rest in bar("preparing", "batches", count, batches):
        values = (compute(x), *rest)
        for column, value in zip(tf.nest.flatten(columns), tf.nest.flatten(values), strict=True):
            column.fill(start, value)
        start += len(tf.nest.flatten(values)[0])


class _InOrder(Order):
    """Every position once, unshuffled."""

    def __init__(self, positions: np.ndarray):
        super().__init__(positions, seed=0)

    def _drawn(self, epoch: int) -> np.ndarray:
        return self._positions
