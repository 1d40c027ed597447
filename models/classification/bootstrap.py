"""Bootstrap confidence intervals of figures over samples."""

from collections.abc import Callable, Mapping

import numpy as np

from ..task import Value

RESAMPLES = 1000
LOWER_IS_BETTER = frozenset({"log_loss"})


def measured(figures: Callable[[np.ndarray], Mapping[str, float]], count: int, intervals: bool) -> dict[str, Value]:
    """Figures with, where asked for, their 95 % percentile intervals (Efron 1979; 1000 resamples, fixed seed).

    Args:
        figures: from how often each sample counts, float64 `[count]`, to name and figure. It leaves a figure out
            where it is not defined; such resamples are not used for that figure's interval.
        count: how many samples there are.
        intervals: whether to resample.
    """
    whole = figures(np.ones(count))
    if not intervals:
        return {
            name: Value(float(value), higher_is_better=name not in LOWER_IS_BETTER) for name, value in whole.items()
        }
    generator = np.random.default_rng(0)
    resampled: dict[str, list[float]] = {name: [] for name in whole}
    for _ in range(RESAMPLES):
        drawn = np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)
        for name, value in figures(drawn).items():
            resampled[name].append(value)
    bounds = {name: np.percentile(values, [2.5, 97.5]) for name, values in resampled.items()}
    return {
        name: Value(float(value), float(bounds[name][0]), float(bounds[name][1]), name not in LOWER_IS_BETTER)
        for name, value in whole.items()
    }
