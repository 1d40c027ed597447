"""The curves of a training: what its history says, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

NO_CURVES = ("epoch", "seconds")  # the second says what the rate says


def draw_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """One panel a figure, training and validation together, over epochs.

    Args:
        history: one mapping an epoch, with "epoch" from 1, as the run has it.
        path: the PNG to write.
    """
    if not history:  # its file was lost
        return
    names = [name for name in history[-1] if name not in NO_CURVES and not name.startswith("val_") and "/" not in name]
    names += [
        name.removeprefix("val_")
        for name in history[-1]
        if name.startswith("val_") and "/" not in name and name.removeprefix("val_") not in names
    ]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 3 * rows), layout="constrained")
    for panel, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        for key, label, color in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            points = [(line["epoch"], line[key]) for line in history if key in line]
            if points:
                panel.plot(*zip(*points, strict=True), marker=".", label=label, color=color)
        panel.set_title(name.replace("_", " "))
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.legend()
    for panel in list(figure.axes)[len(names) :]:
        panel.set_visible(False)
    figure.savefig(path, dpi=120)
