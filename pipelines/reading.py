"""From a position to its sample inside tf.data: encoded bytes and truth, in memory where they fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ..models.task import Truth
from .source import Source

Reader = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def reader(source: Source, positions: Sequence[int], truth: Mapping[str, Truth], memory: int) -> Reader:
    """A graph function from a position (int64 scalar) to a sample: `key`, `bytes` and every named truth.

    Args:
        source: where samples come from.
        positions: those that will be asked for.
        truth: names and types of the truth values.
        memory: encoded pictures are kept in memory up to this many bytes in all, read from the source again beyond.
    """
    varying = any(None in each.shape for each in truth.values())
    pictures = None if varying else _read_all(source, positions, memory)
    return _from_source(source, truth) if pictures is None else _from_memory(source, positions, truth, pictures)


def _read_all(source: Source, positions: Sequence[int], memory: int) -> list[bytes] | None:
    pictures, total = [], 0
    for position in positions:
        pictures.append(source.read(int(position)))
        total += len(pictures[-1])
        if total > memory:
            return None
    return pictures


def _from_memory(source: Source, positions: Sequence[int], truth: Mapping[str, Truth], pictures: list[bytes]) -> Reader:
    row_of = np.zeros(len(source), np.int64)
    row_of[np.asarray(positions)] = np.arange(len(positions))
    truths = [source.truth(int(position)) for position in positions]
    columns = {
        "key": tf.constant([source.keys[int(position)] for position in positions]),
        "bytes": tf.constant(pictures, tf.string),
    } | {name: tf.constant(np.stack([each[name] for each in truths]).astype(truth[name].dtype)) for name in truth}
    rows = tf.constant(row_of)

    def read(position: tf.Tensor) -> dict[str, tf.Tensor]:
        row = rows[position]
        return {name: column[row] for name, column in columns.items()}

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
