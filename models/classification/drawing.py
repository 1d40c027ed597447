"""Results and truth of one sample in words, and under its image; free of TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..metrics.plots import PLAIN, RIGHT, WRONG, Caption


def names(class_names: Sequence[str], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes that results or truth say: exactly one, or any number with several labels."""
    if "class_id" in values or "label" in values:
        return (class_names[int(values["class_id" if "class_id" in values else "label"])],)
    chosen = values["present"] if "present" in values else np.asarray(values["labels"]) > 0.5
    return tuple(class_names[i] for i in np.flatnonzero(chosen))


def scores(values: Mapping[str, Any]) -> tuple[float, ...]:
    """The probability of each name in results; nothing for truth."""
    if "score" in values:
        return (float(values["score"]),)
    if "present" in values:
        return tuple(float(values["probabilities"][i]) for i in np.flatnonzero(values["present"]))
    return ()


def summary(class_names: Sequence[str], values: Mapping[str, Any]) -> str:
    """Results as "rose 0.98" or "cat 0.91, dog 0.88"; truth as "rose" or "cat, dog"; "no label" where there is none."""
    said = names(class_names, values)
    endings = [f" {score:.2f}" for score in scores(values)] or [""] * len(said)
    return ", ".join(name + ending for name, ending in zip(said, endings, strict=True)) or "no label"


def captions(
    class_names: Sequence[str], results: Mapping[str, Any] | None, truth: Mapping[str, Any] | None
) -> list[Caption]:
    """What to write under an image.

    Args:
        class_names: in the order of the class ids.
        results: of one sample, as the Predictor gives them for one or for several labels.
        truth: `label`, a class id, or `labels` `[classes]`.
    """
    lines = []
    if results is not None:
        said, scored = names(class_names, results), scores(results)
        single = len(said) == 1  # its score is never cut
        text = said[0] if single else summary(class_names, results)
        lines.append(Caption(text, f" {scored[0]:.2f}" if single else "", PLAIN))
    if truth is not None:
        color = PLAIN if results is None else RIGHT if said == names(class_names, truth) else WRONG
        lines.append(Caption(f"is {summary(class_names, truth)}", "", color))
    return lines
