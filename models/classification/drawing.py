"""What is written under a picture of a classifier: what was said and what is true."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..captions import PLAIN, RIGHT, WRONG, Caption
from .words import names, scores, summary


def captions(
    class_names: Sequence[str], results: Mapping[str, Any] | None, truth: Mapping[str, Any] | None
) -> list[Caption]:
    """What to write under a picture.

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
