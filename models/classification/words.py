"""Results and truth of one sample in words; free of TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


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
