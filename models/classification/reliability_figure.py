"""The reliability diagram: how often a classifier is right, by how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .calibration import BINS


@dataclass(frozen=True)
class Reliability:
    """What the diagram shows of one set of probabilities.

    Attributes:
        counts: samples in each bin of confidence, int `[bins]`.
        confidence, accuracy: their means in each bin, float64 `[bins]`, NaN in an empty one.
        error: the expected calibration error.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float

    @classmethod
    def of(cls, bins: np.ndarray, confidence: np.ndarray, right: np.ndarray, error: float) -> Reliability:
        """From the bin, the confidence and the outcome of each sample."""
        counts = np.bincount(bins, minlength=BINS)
        means = [
            np.where(counts, np.bincount(bins, each, BINS) / np.maximum(counts, 1), np.nan)
            for each in (confidence, right)
        ]
        return cls(counts, *means, error)


def reliability_figure(shown: Sequence[Reliability], temperature: float) -> Figure:
    """Accuracy over confidence, and beneath it how many samples each point stands for.

    Args:
        shown: the probabilities as they are; where they were scaled, those before come first.
        temperature: what logits were divided by.
    """
    figure = Figure(figsize=(6, 7), layout="constrained")
    diagram, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    diagram.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1)
    diagram.annotate(
        "as sure as right", (0.06, 0.04), rotation=45, rotation_mode="anchor", va="top", color="0.45", fontsize=8
    )
    labels = [f"after scaling, at temperature {temperature:.3g}"] if len(shown) > 1 else ["not scaled"]
    labels = ["before scaling", *labels] if len(shown) > 1 else labels
    edges = np.linspace(0, 1, BINS + 1)
    most = max(int(each.counts.max()) for each in shown)
    for each, label, color in zip(shown, labels, ("C1", "C0")[-len(shown) :], strict=True):
        there = each.counts > 0
        sizes = 20 + 140 * each.counts[there] / most
        diagram.plot(each.confidence[there], each.accuracy[there], color=color, linewidth=1, alpha=0.6)
        diagram.scatter(
            each.confidence[there],
            each.accuracy[there],
            sizes,
            color=color,
            alpha=0.85,
            label=f"{label}: calibration error {each.error:.3f}",
        )
        counts.stairs(each.counts, edges, color=color, linewidth=1.5, fill=False)
    diagram.set(ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.04, 1.04))
    legend = figure.legend(loc="outside upper center", fontsize=9, frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([50])
    counts.set(xlabel="how sure the model is (probability of what it says)", ylabel="pictures")
    counts.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in (diagram, counts):
        axes.grid(alpha=0.3)
    return figure
