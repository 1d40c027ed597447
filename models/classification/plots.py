"""ROC and precision-recall curves of each class against the rest, and the reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from ..metrics.plots import shortened
from .metrics import BINS

MAX_CURVES = 10  # curves in one figure: as many as there are colours


def roc_figure(labels: np.ndarray, scores: np.ndarray, areas: np.ndarray, class_names: Sequence[str]) -> Figure:
    """True positives over false positives.

    Args:
        labels: bool `[n, classes]`.
        scores: `[n, classes]`.
        areas: under each curve, `[classes]`, NaN where there is none.
        class_names: in the order of the classes.
    """
    figure, axes, shown = _begin(areas, class_names, "ROC area")
    axes.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1, zorder=1)
    for i in shown:
        false, true, _ = roc_curve(labels[:, i], scores[:, i])
        axes.plot(false, true, label=_named(class_names[i], areas[i]))
    axes.set(xlabel="false positives among those without the class", ylabel="true positives among those with it")
    return _end(figure, axes, shown)


def precision_recall_figure(
    labels: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    class_names: Sequence[str],
    points: np.ndarray | None = None,
) -> Figure:
    """Precision over recall.

    Args:
        labels, scores, class_names: as for `roc_figure`.
        areas: the average precision of each class, `[classes]`, NaN where there is none.
        points: recall and precision at the threshold that is in use, `[classes, 2]`; None where there is none.
    """
    figure, axes, shown = _begin(areas, class_names, "average precision")
    for i in shown:
        precision, recall, _ = precision_recall_curve(labels[:, i], scores[:, i], drop_intermediate=True)
        (line,) = axes.plot(recall, precision, drawstyle="steps-post", label=_named(class_names[i], areas[i]))
        if points is not None:
            axes.plot(*points[i], "o", color=line.get_color(), markersize=7, markeredgecolor="white", zorder=3)
    dots = "" if points is None else " (dots: at the threshold in use)"
    axes.set(xlabel=f"recall{dots}", ylabel="precision")
    return _end(figure, axes, shown)


def _begin(areas: np.ndarray, class_names: Sequence[str], kind: str) -> tuple[Figure, Axes, np.ndarray]:
    """An empty figure with its title, and which classes it shows: all, or of many those with the smallest areas."""
    there = np.flatnonzero(~np.isnan(areas))
    shown = np.sort(there[np.argsort(areas[there], kind="stable")][:MAX_CURVES])
    figure = Figure(figsize=(7, 4.9), layout="constrained")
    axes = figure.add_subplot()
    mean = f"mean {kind} {areas[there].mean():.3f}" if len(there) else f"no class has a curve: no {kind}"
    few = f"\nshown: the {MAX_CURVES} of {len(there)} classes with the smallest" if len(there) > MAX_CURVES else ""
    axes.set_title(mean + few, fontsize=10)
    return figure, axes, shown


def _end(figure: Figure, axes: Axes, shown: np.ndarray) -> Figure:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), box_aspect=1, anchor="E")
    axes.grid(alpha=0.3)
    if len(shown):
        legend = figure.legend(loc="outside right upper", title="area   class", fontsize=9, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _named(name: str, area: float) -> str:
    # The name does not come first: Matplotlib leaves a label with a leading underscore out of the legend.
    return f"{area:.3f}  {shortened(name)}"


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
    counts.set(xlabel="how sure the model is (probability of what it says)", ylabel="images")
    counts.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in (diagram, counts):
        axes.grid(alpha=0.3)
    return figure
