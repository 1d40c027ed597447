"""From a position to its loaded sample inside tf.data; what fits in memory is read or even loaded only once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import tensorflow as tf

from ...models.contract import Task, Truth
from ...models.errors import JobError
from ..progress import bar
from ..source import Source

Reader = Callable[[tf.Tensor], dict[str, tf.Tensor]]
Values = dict[str, np.ndarray]


def reader(
    task: Task,
    source: Source,
    positions: Sequence[int],
    memory: int,
    keep_loaded: bool = False,
    kept: Mapping[int, Mapping[str, Any]] = {},
) -> Reader:
    """A graph function from a position (int64 scalar) to a sample: `key`, what the input loads, every named truth.

    Args:
        task: knows its truth and its input.
        source: where samples come from.
        positions: those that will be asked for.
        memory: samples as they are on disk are kept in memory up to this many bytes in all, read again beyond.
        keep_loaded: keep loaded (decoded) samples too, if they take no more than that.
        kept: position to truth that was read before.
    """
    truth = {name: each for name, each in task.truth.items() if each.trains}

    def values(position: int) -> Values:
        return _read(task, source, truth, kept, int(position))

    samples = _read_all(values, positions, memory)
    if samples is None:
        return _loading(task, _from_source(source, truth, values, positions))
    stored = _from_memory(source, positions, truth, samples)
    return (_loaded(task, stored, positions, truth, memory) if keep_loaded else None) or _loading(task, stored)


def _read(
    task: Task, source: Source, truth: Mapping[str, Truth], kept: Mapping[int, Mapping[str, Any]], position: int
) -> Values:
    """What is on disk of one sample, prepared, and its truth, as arrays (text as bytes)."""
    (sample,) = task.input.prepare([source.read(position)])
    if isinstance(sample, str):
        raise JobError(f"{source.where(position)}: {sample}")
    known = (kept[position] if position in kept else source.truth(position)) if truth else {}
    arrays = {name: _array(value) for name, value in sample.items()}
    return arrays | {name: each.array(known[name]) for name, each in truth.items()}


def _array(value: Any) -> np.ndarray:
    """A value as an array; text and bytes as objects, for NumPy's own strings end at their last zero byte."""
    if isinstance(value, bytes | str):
        return np.array(value.encode() if isinstance(value, str) else value, object)
    return np.asarray(value)


def _read_all(values: Callable[[int], Values], positions: Sequence[int], memory: int) -> list[Values] | None:
    """All samples, read in threads; None if they take too much."""
    samples, total = [], 0
    with ThreadPool(max(2, os.cpu_count() or 2)) as pool:
        for sample in pool.imap(values, positions):
            samples.append(sample)
            total += sum(map(_bytes, sample.values()))
            if total > memory:
                return None
    return samples


def _bytes(value: np.ndarray) -> int:
    return value.nbytes if value.dtype != object else sum(len(each) for each in value.ravel())


def _specs(first: Values, truth: Mapping[str, Truth]) -> dict[str, tf.TensorSpec]:
    """The type of each value: of truth as the task says; of what is on disk as the first sample has it, of any size."""
    specs = {}
    for name, value in first.items():
        shape = truth[name].shape if name in truth else [None] * value.ndim
        specs[name] = tf.TensorSpec(shape, tf.string if value.dtype == object else tf.as_dtype(value.dtype))
    return specs


def _loading(task: Task, read: Reader) -> Reader:
    return lambda position: task.input.load(read(position))


def _loaded(
    task: Task, read: Reader, positions: Sequence[int], truth: Mapping[str, Truth], memory: int
) -> Reader | None:
    """Keeps loaded values, each as one string; None where the first lets expect that they take too much."""
    load = _loading(task, read)
    first = load(tf.constant(positions[0], tf.int64))
    names = [name for name in first if name != "key" and name not in truth]
    size = sum(first[name].shape.num_elements() * first[name].dtype.size for name in names)
    if size * len(positions) > memory:
        return None
    specs = {name: tf.TensorSpec([None] * first[name].shape.rank, first[name].dtype) for name in names}
    stored = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64)).map(
        lambda position: [tf.io.serialize_tensor(load(position)[name]) for name in names],
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    batches = list(bar("decoding", "batches", math.ceil(len(positions) / 256), stored.batch(256)))
    columns = {name: tf.concat([batch[i] for batch in batches], 0) for i, name in enumerate(names)}
    rows = tf.constant(_row_of(positions))

    def read_loaded(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row, sample = rows[position], read(position)
        values = {name: tf.io.parse_tensor(columns[name][row], specs[name].dtype) for name in names}
        values = {name: tf.ensure_shape(value, specs[name].shape) for name, value in values.items()}
        return values | {name: sample[name] for name in ("key", *truth)}

    return read_loaded


def _row_of(positions: Sequence[int]) -> np.ndarray:
    """From a position to its place among `positions`."""
    rows = np.zeros(max(positions) + 1, np.int64)
    rows[np.asarray(positions)] = np.arange(len(positions))
    return rows


def _from_memory(
    source: Source, positions: Sequence[int], truth: Mapping[str, Truth], samples: Sequence[Values]
) -> Reader:
    specs = _specs(samples[0], truth)
    columns = {"key": tf.constant([source.keys[int(position)] for position in positions])}
    serialized = set()
    for name in specs:
        values = [sample[name] for sample in samples]
        if all(value.shape == values[0].shape for value in values):
            columns[name] = _constant(np.stack(values))
        else:  # each kept as one string
            serialized.add(name)
            columns[name] = tf.constant([tf.io.serialize_tensor(_constant(value)).numpy() for value in values])
    rows = tf.constant(_row_of(positions))

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row = rows[position]
        sample = {name: column[row] for name, column in columns.items()}
        for name in serialized:
            sample[name] = tf.ensure_shape(tf.io.parse_tensor(sample[name], specs[name].dtype), specs[name].shape)
        return sample

    return read


def _constant(value: np.ndarray) -> tf.Tensor:
    return tf.constant(value.tolist(), tf.string) if value.dtype == object else tf.constant(value)


def _from_source(
    source: Source, truth: Mapping[str, Truth], values: Callable[[int], Values], positions: Sequence[int]
) -> Reader:
    keys = tf.constant(list(source.keys))
    specs = _specs(values(positions[0]), truth)

    def from_python(position: np.ndarray) -> tuple[np.ndarray, ...]:
        sample = values(int(position))
        # a string without axes is handed over as itself: TensorFlow takes no array of objects for it
        return tuple(
            value.item() if value.dtype == object and not value.ndim else value for value in map(sample.get, specs)
        )

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.numpy_function(from_python, [position], [spec.dtype for spec in specs.values()])
        for value, spec in zip(found, specs.values(), strict=True):
            value.set_shape(spec.shape)
        return {"key": keys[position]} | dict(zip(specs, found, strict=True))

    return read
