"""Augmentation inside the graph: chunks of samples go through Python together, because each visit costs more than most
transforms do; and what fails on the way, told by its sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from ...augment import Augmenter, AugmentError, stable_seed
from ...models.contract import Task, Truth
from ...models.errors import InputError
from ...models.inputs.reasons import is_of_image, reason
from ..data.check import bad_among
from ..data.source import Source

Sample = dict[str, tf.Tensor]

COMPANION = "companion/"
"""What the names of a companion's values begin with; they have one more axis, over the companions."""


def varying_axes(truth: Mapping[str, Truth]) -> dict[str, int]:
    """What augmentation may move, with the number of leading axes whose length may change."""
    return {"image": 2} | {name: 2 if each.moves == "mask" else 1 for name, each in truth.items() if each.moves}


def augmented(
    samples: tf.data.Dataset, augmenter: Augmenter, truth: Mapping[str, Truth], seed: int, chunk: int
) -> tf.data.Dataset:
    """Samples, each changed in a way that depends on seed, epoch, its key and n alone.

    Args:
        samples: each has its `key`, its `epoch` and `n`, and for each of its companions, under `COMPANION`, values
            serialized one by one: string `[k]`.
        augmenter: changes them.
        truth: the task's.
        seed: the recipe's.
        chunk: how many samples visit Python together; padded to one size on the way, they take memory.
    """
    spec = samples.element_spec
    axes = varying_axes(truth)
    moved = [name for name in axes if name in spec]
    others = [name for name in moved if COMPANION + name in spec]

    def with_shapes(sample: Sample) -> tuple[Sample, tuple[tf.Tensor, ...]]:
        return sample, tuple(tf.shape(sample[name]) for name in moved)

    def change(batch: Sample, shapes: tuple[tf.Tensor, ...]) -> tuple[Sample, tuple[tf.Tensor, ...]]:
        types = [*(batch[name].dtype for name in moved), *(tf.int32 for _ in moved)]
        columns = [*(batch[name] for name in moved), *shapes, *(batch[COMPANION + name] for name in others)]
        changed = tf.numpy_function(in_python, [batch["epoch"], batch["key"], batch["n"], *columns], types)
        for name, value, shape in zip(moved, changed[: len(moved)], changed[len(moved) :], strict=True):
            value.set_shape([None] * (1 + spec[name].shape.rank))
            shape.set_shape([None, spec[name].shape.rank])
        rest = {name: value for name, value in batch.items() if not name.startswith(COMPANION)}
        return rest | dict(zip(moved, changed[: len(moved)], strict=True)), tuple(changed[len(moved) :])

    def in_python(epochs: np.ndarray, keys: np.ndarray, ns: np.ndarray, *columns: np.ndarray) -> Sequence[np.ndarray]:
        rows = zip(*map(_unpadded, columns[: len(moved)], columns[len(moved) : 2 * len(moved)]), strict=True)
        beside = _companions(columns[2 * len(moved) :], others, spec, len(keys))
        changed = [
            _change(augmenter, dict(zip(moved, row, strict=True)), companions, key.decode(), int(epoch), int(n), seed)
            for row, companions, key, epoch, n in zip(rows, beside, keys, epochs, ns, strict=True)
        ]
        values = [[sample[name] for sample in changed] for name in moved]
        return [*map(_padded, values), *(np.array([each.shape for each in value], np.int32) for value in values)]

    def without_padding(sample: Sample, shapes: tuple[tf.Tensor, ...]) -> Sample:
        exact = dict(sample)
        for name, shape in zip(moved, shapes, strict=True):
            exact[name] = tf.slice(sample[name], [0] * spec[name].shape.rank, shape)
            exact[name].set_shape([None] * axes[name] + spec[name].shape[axes[name] :])
        return exact

    chunks = samples.map(with_shapes).padded_batch(chunk)
    changed = chunks.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return changed.unbatch().map(without_padding)


def augmentation_failure(message: str) -> str | None:
    """What a transform could not do, behind the key of its sample, from what TensorFlow says of a failed pipeline."""
    found = re.search(rf"\b{AugmentError.__name__}: (.*)", message)
    return found.group(1) if found else None


def _companions(
    columns: Sequence[np.ndarray], names: Sequence[str], spec: Mapping[str, tf.TensorSpec], count: int
) -> list[list[dict[str, np.ndarray]]]:
    """The companions of each sample of a chunk, as arrays."""
    if not names:
        return [[] for _ in range(count)]
    return [
        [
            {
                name: tf.io.parse_tensor(column[row][place], spec[name].dtype).numpy()
                for name, column in zip(names, columns, strict=True)
            }
            for place in range(columns[0].shape[1])
        ]
        for row in range(count)
    ]


def _change(
    augmenter: Augmenter,
    sample: dict[str, np.ndarray],
    companions: Sequence[dict[str, np.ndarray]],
    key: str,
    epoch: int,
    n: int,
    seed: int,
) -> dict:
    try:
        return augmenter(sample, stable_seed(seed, epoch, key, n), companions)
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


@contextmanager
def samples_named(task: Task, source: Source, positions: Sequence[int]) -> Iterator[None]:
    """Names sample and transform, or the image, behind a failure of a pipeline of some positions.

    Raises:
        InputError: a transform of the recipe does not work on a sample, or an image cannot be decoded any more.
        tf.errors.OpError: anything else, as it is.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if failure := augmentation_failure(error.message):
            raise InputError(_with_place(failure, source)) from error
        if is_of_image(error):
            bad = bad_among(task, source, positions)
            if bad:
                raise InputError("; ".join(f"{source.where(each)}: {bad[each]}" for each in sorted(bad)[:3])) from error
            raise InputError(f"an image: {reason(error)}") from error
        raise


def _with_place(failure: str, source: Source) -> str:
    """`key: what` with the place of the sample instead of its key, and the section of the recipe."""
    keys = [key for key in source.keys if failure.startswith(f"{key}: ")]
    if not keys:
        return f"augment: {failure}"
    key = max(keys, key=len)
    position = list(source.keys).index(key)
    return f"{source.where(position)}: augment: {failure.removeprefix(key + ': ')}"
