"""ROC and precision-recall curves of each class against the rest."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from ..class_figures import shortened

MOST = 10  # curves in one figure: as many as there are colours


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
    shown = np.sort(there[np.argsort(areas[there], kind="stable")][:MOST])
    figure = Figure(figsize=(7, 4.9), layout="constrained")
    axes = figure.add_subplot()
    mean = f"mean {kind} {areas[there].mean():.3f}" if len(there) else f"no class has a curve: no {kind}"
    few = f"\nshown: the {MOST} of {len(there)} classes with the smallest" if len(there) > MOST else ""
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
