"""Batches that are the same every epoch but for their order: prepared once, and kept where they fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ..progress import bar
from .order import Order, Sampler
from .reading import Column

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
