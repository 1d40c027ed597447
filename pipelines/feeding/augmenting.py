"""Augmentation inside the graph: chunks of samples go through Python together, because each visit costs more than most
transforms do."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ...augment import Augmenter, AugmentError, stable_seed

VARYING_AXES = {"image": 2, "mask": 2, "boxes": 1, "classes": 1}
"""What augmentation may move, with the number of leading axes whose length may change."""

Sample = dict[str, tf.Tensor]


def augmented(samples: tf.data.Dataset, augmenter: Augmenter, seed: int, chunk: int) -> tf.data.Dataset:
    """Samples, each changed in a way that depends on seed, epoch and its key alone.

    Args:
        samples: each has its `key` and its `epoch`.
        augmenter: changes them.
        seed: the recipe's.
        chunk: how many samples visit Python together; padded to one size on the way, they take memory.
    """
    spec = samples.element_spec
    moved = [name for name in VARYING_AXES if name in spec]

    def with_shapes(sample: Sample) -> tuple[Sample, tuple[tf.Tensor, ...]]:
        return sample, tuple(tf.shape(sample[name]) for name in moved)

    def change(batch: Sample, shapes: tuple[tf.Tensor, ...]) -> tuple[Sample, tuple[tf.Tensor, ...]]:
        types = [*(batch[name].dtype for name in moved), *(tf.int32 for _ in moved)]
        columns = [*(batch[name] for name in moved), *shapes]
        changed = tf.numpy_function(in_python, [batch["epoch"], batch["key"], *columns], types)
        for name, value, shape in zip(moved, changed[: len(moved)], changed[len(moved) :], strict=True):
            value.set_shape([None] * (1 + spec[name].shape.rank))
            shape.set_shape([None, spec[name].shape.rank])
        return batch | dict(zip(moved, changed[: len(moved)], strict=True)), tuple(changed[len(moved) :])

    def in_python(epochs: np.ndarray, keys: np.ndarray, *columns: np.ndarray) -> Sequence[np.ndarray]:
        rows = zip(*map(_unpadded, columns[: len(moved)], columns[len(moved) :]), strict=True)
        changed = [
            _change(augmenter, dict(zip(moved, row, strict=True)), key.decode(), int(epoch), seed)
            for row, key, epoch in zip(rows, keys, epochs, strict=True)
        ]
        values = [[sample[name] for sample in changed] for name in moved]
        return [*map(_padded, values), *(np.array([each.shape for each in value], np.int32) for value in values)]

    def without_padding(sample: Sample, shapes: tuple[tf.Tensor, ...]) -> Sample:
        exact = dict(sample)
        for name, shape in zip(moved, shapes, strict=True):
            exact[name] = tf.slice(sample[name], [0] * spec[name].shape.rank, shape)
            exact[name].set_shape([None] * VARYING_AXES[name] + spec[name].shape[VARYING_AXES[name] :])
        return exact

    chunks = samples.map(with_shapes).padded_batch(chunk)
    changed = chunks.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return changed.unbatch().map(without_padding)


def augmentation_failure(message: str) -> str | None:
    """What a transform could not do, behind the key of its sample, from what TensorFlow says of a failed pipeline."""
    found = re.search(rf"\b{AugmentError.__name__}: (.*)", message)
    return found.group(1) if found else None


def _change(augmenter: Augmenter, sample: dict[str, np.ndarray], key: str, epoch: int, seed: int) -> dict:
    try:
        return augmenter(sample, stable_seed(seed, epoch, key))
    except AugmentError as error:
        raise AugmentError(f"{key}: {error}") from error


def _unpadded(values: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    return [value[tuple(slice(length) for length in shape)] for value, shape in zip(values, shapes, strict=True)]


def _padded(values: list[np.ndarray]) -> np.ndarray:
    shape = np.max([value.shape for value in values], axis=0)
    if all(value.shape == tuple(shape) for value in values):
        return np.stack(values)
    result = np.zeros((len(values), *shape), values[0].dtype)
    for row, value in zip(result, values, strict=True):
        row[tuple(slice(length) for length in value.shape)] = value
    return result
