"""How long one sample takes."""

from __future__ import annotations

import statistics
import time

import numpy as np

from ...models.contract import Raw
from ...models.predictor import Predictor, stacked
from ..data.source import Source, request

SAMPLES = 20
WARM_UP = 3
"""Calls that are not counted: the first ones trace the graph and fill caches."""


def latency_ms(predictor: Predictor, source: Source, positions: np.ndarray) -> float:
    """The median time of one sample in milliseconds: a batch of one, from raw values to results in NumPy.

    Args:
        predictor: the Predictor.
        source: where the samples are.
        positions: a split; samples spread evenly over it are timed once each.
    """
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, SAMPLES).astype(int))]
    raws = [request(predictor.task, source, int(position)) for position in chosen]
    for raw in [raws[0]] * WARM_UP:
        _time(predictor, raw)
    return statistics.median(_time(predictor, raw) for raw in raws) * 1000


def _time(predictor: Predictor, raw: Raw) -> float:
    began = time.perf_counter()
    (prepared,) = predictor.task.input.prepare([raw])
    for result in predictor(**stacked([prepared], predictor.task.input.signatures)).values():
        result.numpy()
    return time.perf_counter() - began
