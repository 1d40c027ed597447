"""Metrics with intervals, by resampling the samples."""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from ..contract import Value

MOST, FEWEST = 1000, 200  # resamples
MAX_DRAWS = 10**8  # samples drawn in all resamples together, from which on there are fewer resamples
MAX_DRAWS_AT_ONCE = 10**6  # samples drawn at a time: what bounds the memory

Metrics = Mapping[str, np.ndarray]


def measured(
    metrics: Callable[[np.ndarray], Metrics], count: int, intervals: bool, lower_is_better: Collection[str] = ()
) -> dict[str, Value]:
    """Metrics with, where asked for, their 95 % percentile intervals (Efron 1979; a fixed seed).

    There are 1000 resamples; with more than 100,000 samples fewer, at least 200. Many resamples are measured at once.

    Args:
        metrics: from how often each sample counts, float64 `[resamples, count]`, to name and metric, float64
            `[resamples]`: NaN where it is not defined. A metric that is not defined for the samples as they are is left
            out; a resample in which it is not is not used for its interval.
        count: how many samples there are.
        intervals: whether to resample.
        lower_is_better: names of the metrics that are better lower.
    """
    whole = {name: float(values[0]) for name, values in metrics(np.ones((1, count))).items()}
    whole = {name: value for name, value in whole.items() if not np.isnan(value)}
    bounds = _bounds(metrics, count) if intervals else {}
    return {
        name: Value(value, *bounds.get(name, (None, None)), higher_is_better=name not in lower_is_better)
        for name, value in whole.items()
    }


def _bounds(metrics: Callable[[np.ndarray], Metrics], count: int) -> dict[str, tuple[float, float]]:
    resamples = int(np.clip(MAX_DRAWS // count, FEWEST, MOST))
    generator = np.random.default_rng(0)
    resampled: dict[str, list[np.ndarray]] = {}
    together = max(1, MAX_DRAWS_AT_ONCE // count)
    for start in range(0, resamples, together):
        rows = range(start, min(start + together, resamples))
        drawn = [np.bincount(generator.integers(0, count, count), minlength=count) for _ in rows]
        for name, values in metrics(np.array(drawn, np.float64)).items():
            resampled.setdefault(name, []).append(values)
    bounds = {}
    for name, parts in resampled.items():
        values = np.concatenate(parts)
        values = values[~np.isnan(values)]
        if len(values):
            low, high = np.percentile(values, [2.5, 97.5])
            bounds[name] = float(low), float(high)
    return bounds
