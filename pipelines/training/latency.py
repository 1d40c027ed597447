"""How long one picture takes."""

from __future__ import annotations

import statistics
import time

import numpy as np
import tensorflow as tf

from ...models.predictor import Predictor
from ..source import Source

PICTURES = 20
WARM_UP = 3
"""Calls that are not counted: the first ones trace the graph and fill caches."""


def latency_ms(predictor: Predictor, source: Source, positions: np.ndarray) -> float:
    """The median time of one picture in milliseconds: a batch of one, from encoded bytes to results in NumPy.

    Args:
        predictor: the Predictor.
        source: where the pictures are.
        positions: a split; pictures spread evenly over it are timed once each.
    """
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, PICTURES).astype(int))]
    pictures = [source.read(int(position)) for position in chosen]
    for picture in [pictures[0]] * WARM_UP:
        _time(predictor, picture)
    return statistics.median(_time(predictor, picture) for picture in pictures) * 1000


def _time(predictor: Predictor, picture: bytes) -> float:
    began = time.perf_counter()
    for result in predictor(bytes=tf.constant([picture], tf.string)).values():
        result.numpy()
    return time.perf_counter() - began
