"""From a position to its decoded sample inside tf.data; what fits in memory is read or even decoded only once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ...models.task import Task, Truth
from ..progress import bar
from ..source import Source

_ROWS = 32  # samples that are put away together: what is in memory twice for a moment

Reader = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def reader(task: Task, source: Source, positions: Sequence[int], memory: int, keep_decoded: bool = False) -> Reader:
    """A graph function from a position (int64 scalar) to a sample: `key`, what the input decodes, every named truth.

    Args:
        task: knows its truth and its input.
        source: where samples come from.
        positions: those that will be asked for.
        memory: encoded pictures are kept in memory up to this many bytes in all, read from the source again beyond.
        keep_decoded: keep decoded pictures too, if they take no more than that.
    """
    truth = {name: each for name, each in task.truth.items() if each.trains}
    encoded = _from_memory(source, positions, truth, memory)
    if encoded is None:
        return _loading(task, _from_source(source, truth))
    return (_decoded(task, encoded, positions, memory) if keep_decoded else None) or _loading(task, encoded)


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


def _loading(task: Task, read: Reader) -> Reader:
    return lambda position: task.input.load(read(position))


def _decoded(task: Task, read: Reader, positions: Sequence[int], memory: int) -> Reader | None:
    """Keeps decoded images, each as one string; None where they take too much, or the first lets expect it."""
    load, count = _loading(task, read), len(positions)
    first = math.prod(load(tf.constant(positions[0], tf.int64))["image"].shape)  # bytes; TensorFlow's int32 overflows
    if first * count > memory:
        return None
    images = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64)).map(
        lambda position: tf.io.serialize_tensor(load(position)["image"]), num_parallel_calls=tf.data.AUTOTUNE
    )
    kept, total = Column(count, tf.string), 0
    for number, some in enumerate(bar("decoding", "batches", math.ceil(count / _ROWS), images.batch(_ROWS))):
        total += int(tf.strings.length(some).numpy().sum(dtype=np.int64))
        if total > memory:  # they differ in size
            return None
        kept.fill(number * _ROWS, some)
    row_of = tf.constant(_row_of(positions))

    def read_decoded(position: tf.Tensor) -> dict[str, tf.Tensor]:
        image = tf.ensure_shape(tf.io.parse_tensor(kept[row_of[position]], tf.uint8), [None, None, 3])
        return {"image": image} | {name: value for name, value in read(position).items() if name != "bytes"}

    return read_decoded


def _row_of(positions: Sequence[int]) -> np.ndarray:
    """From a position to its place among `positions`."""
    rows = np.zeros(max(positions) + 1, np.int64)
    rows[np.asarray(positions)] = np.arange(len(positions))
    return rows


def _from_memory(source: Source, positions: Sequence[int], truth: Mapping[str, Truth], memory: int) -> Reader | None:
    """Keeps encoded pictures with their truth; None if they take too much."""
    varying = {name for name, each in truth.items() if None in each.shape}  # each kept as one string
    columns = {"bytes": Column(len(positions), tf.string)} | {
        name: Column(len(positions), tf.string) if name in varying else Column(len(positions), each.dtype, each.shape)
        for name, each in truth.items()
    }
    total = 0
    for start in range(0, len(positions), _ROWS):
        some: dict[str, list] = {name: [] for name in columns}
        for position in positions[start : start + _ROWS]:
            values = source.truth(int(position)) if truth else {}
            some["bytes"].append(source.read(int(position)))
            total += len(some["bytes"][-1])
            for name, each in truth.items():
                value = np.asarray(values[name], each.dtype)
                total += value.nbytes
                some[name].append(tf.io.serialize_tensor(value).numpy() if name in varying else value)
            if total > memory:
                return None
        for name, values in some.items():
            columns[name].fill(start, values)
    keys = tf.constant([source.keys[int(position)] for position in positions])
    rows = tf.constant(_row_of(positions))

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row = rows[position]
        sample = {"key": keys[row]} | {name: column[row] for name, column in columns.items()}
        for name in varying:
            value = tf.io.parse_tensor(sample[name], truth[name].dtype)
            sample[name] = tf.ensure_shape(value, truth[name].shape)
        return sample

    return read


def _from_source(source: Source, truth: Mapping[str, Truth]) -> Reader:
    keys = tf.constant(list(source.keys))

    def from_python(position: np.ndarray) -> tuple[bytes | np.ndarray, ...]:
        values = source.truth(int(position)) if truth else {}
        return source.read(int(position)), *(np.asarray(values[name], truth[name].dtype) for name in truth)

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        types = [tf.string, *(tf.as_dtype(each.dtype) for each in truth.values())]
        encoded, *values = tf.numpy_function(from_python, [position], types)
        encoded.set_shape(())
        for value, each in zip(values, truth.values(), strict=True):
            value.set_shape(each.shape)
        return {"key": keys[position], "bytes": encoded} | dict(zip(truth, values, strict=True))

    return read
