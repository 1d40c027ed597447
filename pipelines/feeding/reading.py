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
from ..data.source import Source
from ..progress import bar

Reader = Callable[[tf.Tensor], dict[str, tf.Tensor]]
Values = dict[str, np.ndarray]
_ROWS = 32  # samples that are on their way into a column at a time: what is in memory twice for a moment


class Column:
    """One value of all samples, kept in memory: filled some rows at a time, so that it is never there twice.

    Args:
        count: rows.
        dtype: of a value; what varies in shape is kept as a string.
        shape: of a value.
    """

    def __init__(self, count: int, dtype: tf.DType, shape: Sequence[int] = ()):
        with tf.device("CPU:0"):
            self._values = tf.Variable(tf.zeros([count, *shape], dtype), trainable=False)

    def fill(self, start: int, values: tf.Tensor | Sequence) -> None:
        """Sets some rows from `start` on."""
        with tf.device("CPU:0"):
            values = tf.convert_to_tensor(values, self._values.dtype)
            rows = tf.range(start, start + len(values))
            self._values.scatter_update(tf.IndexedSlices(values, rows))

    def __getitem__(self, row: tf.Tensor) -> tf.Tensor:
        """The value of a row, or the values of several; a graph operation, too."""
        return self._values.sparse_read(row)


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

    specs = _specs(values(positions[0]), truth)
    stored = _from_memory(source, positions, specs, values, memory)
    if stored is None:
        return _loading(task, _from_source(source, specs, values))
    return (_loaded(task, stored, positions, truth, memory) if keep_loaded else None) or _loading(task, stored)


def _read(
    task: Task, source: Source, truth: Mapping[str, Truth], kept: Mapping[int, Mapping[str, Any]], position: int
) -> Values:
    """What is on disk of one sample, prepared, and its truth, as arrays (text as bytes)."""
    sample = source.read(position)
    if task.input.prepare_version:
        raw = task.input.request({"key": source.keys[position], **sample})
        (ready,) = task.input.ready([raw])
        if isinstance(ready, str):
            raise JobError(f"{source.where(position)}: {ready}")
        sample = {name: value for name, value in sample.items() if name not in raw} | dict(ready)
    known = (kept[position] if position in kept else source.truth(position)) if truth else {}
    arrays = {name: _array(value) for name, value in sample.items()}
    return arrays | {name: each.array(known[name]) for name, each in truth.items()}


def _array(value: Any) -> np.ndarray:
    """A value as an array; text and bytes as objects, for NumPy's own strings end at their last zero byte."""
    if isinstance(value, bytes | str):
        return np.array(value.encode() if isinstance(value, str) else value, object)
    return np.asarray(value)


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
    """Keeps loaded values, each as one string; None where they take too much, or the first lets expect it."""
    load, count = _loading(task, read), len(positions)
    first = load(tf.constant(positions[0], tf.int64))
    specs = {
        name: tf.TensorSpec([None] * value.shape.rank, value.dtype)
        for name, value in first.items()
        if name != "key" and name not in truth
    }
    expected = sum(math.prod(first[name].shape) * first[name].dtype.size for name in specs)  # an int32 would overflow
    if expected * count > memory:
        return None
    loaded = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64)).map(
        lambda position: {name: tf.io.serialize_tensor(load(position)[name]) for name in specs},
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    columns, total = {name: Column(count, tf.string) for name in specs}, 0
    for number, some in enumerate(bar("decoding", "batches", math.ceil(count / _ROWS), loaded.batch(_ROWS))):
        total += sum(int(tf.strings.length(each).numpy().sum(dtype=np.int64)) for each in some.values())
        if total > memory:  # they differ in size
            return None
        for name, values in some.items():
            columns[name].fill(number * _ROWS, values)
    rows = tf.constant(_row_of(positions))

    def read_loaded(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row, sample = rows[position], read(position)
        values = {name: _parsed(column[row], specs[name]) for name, column in columns.items()}
        return values | {name: sample[name] for name in ("key", *truth)}

    return read_loaded


def _row_of(positions: Sequence[int]) -> np.ndarray:
    """From a position to its place among `positions`."""
    rows = np.zeros(max(positions) + 1, np.int64)
    rows[np.asarray(positions)] = np.arange(len(positions))
    return rows


def _from_memory(
    source: Source,
    positions: Sequence[int],
    specs: Mapping[str, tf.TensorSpec],
    values: Callable[[int], Values],
    memory: int,
) -> Reader | None:
    """Keeps samples as they are on disk, with their truth; None if they take too much."""
    fixed = {name for name, spec in specs.items() if spec.shape.is_fully_defined()}  # the others as one string each
    columns = {
        name: Column(len(positions), spec.dtype, spec.shape) if name in fixed else Column(len(positions), tf.string)
        for name, spec in specs.items()
    }
    total = 0
    with ThreadPool(max(2, os.cpu_count() or 2)) as pool:
        for start in range(0, len(positions), _ROWS):
            some: dict[str, list] = {name: [] for name in columns}
            for sample in pool.imap(values, positions[start : start + _ROWS]):
                total += sum(map(_bytes, sample.values()))
                if total > memory:
                    return None
                for name, value in sample.items():
                    plain = value.tolist() if value.dtype == object else value
                    some[name].append(plain if name in fixed else tf.io.serialize_tensor(tf.constant(plain)).numpy())
            for name, rows in some.items():
                columns[name].fill(start, rows)
    keys = tf.constant([source.keys[int(position)] for position in positions])
    rows_of = tf.constant(_row_of(positions))

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row = rows_of[position]
        sample = {"key": keys[row]}
        for name, column in columns.items():
            sample[name] = column[row] if name in fixed else _parsed(column[row], specs[name])
        return sample

    return read


def _bytes(value: np.ndarray) -> int:
    return value.nbytes if value.dtype != object else sum(len(each) for each in value.ravel())


def _parsed(serialized: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    return tf.ensure_shape(tf.io.parse_tensor(serialized, spec.dtype), spec.shape)


def _from_source(source: Source, specs: Mapping[str, tf.TensorSpec], values: Callable[[int], Values]) -> Reader:
    keys = tf.constant(list(source.keys))

    def from_python(position: np.ndarray) -> tuple[Any, ...]:
        sample = values(int(position))
        # a string without axes is handed over as itself: TensorFlow takes no array of objects for it
        found = (sample[name] for name in specs)
        return tuple(value.item() if value.dtype == object and not value.ndim else value for value in found)

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.numpy_function(from_python, [position], [spec.dtype for spec in specs.values()])
        for value, spec in zip(found, specs.values(), strict=True):
            value.set_shape(spec.shape)
        return {"key": keys[position]} | dict(zip(specs, found, strict=True))

    return read
