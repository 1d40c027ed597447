"""From a position to its decoded sample inside tf.data; what fits in memory is read or even decoded only once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ...models.task import Task, Truth
from ..progress import bar
from ..source import Source

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
    samples = _read_all(source, positions, truth, memory)
    if samples is None:
        return _loading(task, _from_source(source, truth))
    encoded = _from_memory(source, positions, truth, samples)
    return (_decoded(task, encoded, positions, memory) if keep_decoded else None) or _loading(task, encoded)


def _loading(task: Task, read: Reader) -> Reader:
    return lambda position: task.input.load(read(position))


def _decoded(task: Task, read: Reader, positions: Sequence[int], memory: int) -> Reader | None:
    """Keeps decoded images, each as one string; None where the first lets expect that they take too much."""
    load = _loading(task, read)
    if tf.size(load(tf.constant(positions[0], tf.int64))["image"]) * len(positions) > memory:
        return None
    images = tf.data.Dataset.from_tensor_slices(np.asarray(positions, np.int64)).map(
        lambda position: tf.io.serialize_tensor(load(position)["image"]), num_parallel_calls=tf.data.AUTOTUNE
    )
    kept = tf.concat(list(bar("decoding", "batches", math.ceil(len(positions) / 256), images.batch(256))), 0)
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


def _read_all(
    source: Source, positions: Sequence[int], truth: Mapping[str, Truth], memory: int
) -> list[tuple[bytes, dict[str, np.ndarray]]] | None:
    """Encoded pictures with their truth; None if they take too much."""
    samples, total = [], 0
    for position in positions:
        values = source.truth(int(position)) if truth else {}
        wanted = {name: np.asarray(values[name], each.dtype) for name, each in truth.items()}
        samples.append((source.read(int(position)), wanted))
        total += len(samples[-1][0]) + sum(value.nbytes for value in wanted.values())
        if total > memory:
            return None
    return samples


def _from_memory(
    source: Source,
    positions: Sequence[int],
    truth: Mapping[str, Truth],
    samples: Sequence[tuple[bytes, dict[str, np.ndarray]]],
) -> Reader:
    varying = {name for name, each in truth.items() if None in each.shape}  # each kept as one string
    columns = {
        "key": tf.constant([source.keys[int(position)] for position in positions]),
        "bytes": tf.constant([encoded for encoded, _ in samples], tf.string),
    }
    for name in truth:
        values = [each[name] for _, each in samples]
        if name in varying:
            columns[name] = tf.constant([tf.io.serialize_tensor(value).numpy() for value in values], tf.string)
        else:
            columns[name] = tf.constant(np.stack(values))
    rows = tf.constant(_row_of(positions))

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row = rows[position]
        sample = {name: column[row] for name, column in columns.items()}
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
