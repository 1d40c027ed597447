"""Figures of segmentation alone; figure objects only, matplotlib's global state is not touched."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ..contract import Value


def precision_figure(curve: Mapping[str, Value], mean: Value) -> Figure:
    """Average precision of objects over the threshold of overlap, with its intervals as a band.

    Args:
        curve: threshold to figure.
        mean: over all thresholds.
    """
    thresholds = np.array([float(threshold) for threshold in curve])
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    low, high = (np.array([getattr(value, end) for value in curve.values()]) for end in ("low", "high"))
    axes.fill_between(thresholds, low, high, alpha=0.2, linewidth=0, label="95 % interval")
    axes.plot(thresholds, [value.value for value in curve.values()], marker="o", label=f"mean {mean.value:.3f}")
    axes.set(
        xlabel="an object is found above this intersection over union",
        ylabel="found / (found + missed + too many)",
        ylim=(0, 1.02),
        xticks=thresholds,
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return figure
