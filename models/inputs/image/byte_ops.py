"""Reads bytes and numbers out of an encoded file with graph ops."""

import tensorflow as tf


def length(data: tf.Tensor) -> tf.Tensor:
    """The number of bytes in a scalar string, int64."""
    return tf.cast(tf.strings.length(data), tf.int64)


def read(data: tf.Tensor, position: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """Reads `count` (at least 1) bytes of `data`, a scalar string; past its end it reads zeros.

    Returns:
        int64 `[count]`, 0..255. Nothing but these bytes is copied.
    """
    start = tf.minimum(tf.cast(position, tf.int64), length(data))
    part = tf.strings.substr(data, start, tf.cast(count, tf.int64))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=tf.cast(count, tf.int32)), tf.int64)


def number(values: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
    """The unsigned number in the last axis of `values` (bytes, int64), least significant byte first if `little`."""
    powers = [256**place for place in range(values.shape[-1])]
    weights = tf.where(little, tf.constant(powers, tf.int64), tf.constant(powers[::-1], tf.int64))
    return tf.reduce_sum(values * weights, axis=-1)


def equals(values: tf.Tensor, text: bytes) -> tf.Tensor:
    """Whether the bytes `values`, int64 `[len(text)]`, spell `text`."""
    return tf.reduce_all(values == tf.constant(list(text), tf.int64))
