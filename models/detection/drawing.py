"""Detections as people look at them: in words and drawn over the image; free of TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..metrics.panels import Entry, beside, legend, palette
from .matching import IGNORED, RIGHT, judge

MAX_NAMED = 5  # classes in a short line
MIN_SIDE = 320  # pixels of the drawing's longer side: smaller images are enlarged
MISSED, WRONG = (255, 255, 255), (255, 40, 80)
"""The edge of an object that was missed, of a box that is wrong: no class has these."""


def summary(class_names: Sequence[str], values: Mapping[str, Any]) -> str:
    """Results or truth as "3 RBC, 1 WBC", the most frequent first."""
    counts = Counter(np.asarray(values["classes"], int).tolist())
    told = [f"{count} {class_names[kind]}" for kind, count in counts.most_common(MAX_NAMED)]
    more = [f"{len(counts) - MAX_NAMED} more classes"] if len(counts) > MAX_NAMED else []
    return ", ".join(told + more) or "nothing"


def line(class_names: Sequence[str], results: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What belongs on a line of text: `count`, and of each box label, score and corners in pixels."""
    boxes = zip(results["classes"], results["scores"], results["boxes"], strict=True)
    return {
        "count": len(results["classes"]),
        "boxes": [
            {
                "label": class_names[int(kind)],
                "score": round(float(score), 4),
                "box": [round(float(each), 1) for each in box],
            }
            for kind, score, box in boxes
        ],
    }


def draw(
    class_names: Sequence[str],
    shown: np.ndarray,
    results: Mapping[str, np.ndarray] | None,
    truth: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The image with its objects, and beside it with what is answered; over what the colours mean.

    With both, an object that was missed has a white edge, and a box that is wrong a red one.

    Args:
        class_names: in the order of the class ids.
        shown: uint8 `[h, w, 3]`.
        results: `boxes`, `scores`, `classes`; None where there are none.
        truth: `boxes`, `classes`, and `crowd` and `difficult` where they are known.
    """
    factor = max(1, -(-MIN_SIDE // max(shown.shape[:2])))
    height, width = (side * factor for side in shown.shape[:2])
    base = Image.fromarray(np.ascontiguousarray(shown)).resize((width, height), Image.Resampling.NEAREST)
    panels, kinds = [], set()
    judged = None
    if results is not None and truth is not None:
        nothing = np.zeros(len(truth["classes"]), int)
        ignored = np.asarray(truth.get("crowd", nothing)) + np.asarray(truth.get("difficult", nothing)) > 0
        classes = np.asarray(truth["classes"])
        judged = judge(np.asarray(results["boxes"]), np.asarray(results["classes"]), truth["boxes"], classes, ignored)
    if truth is not None:
        edges = [MISSED if missed else None for missed in judged.missed] if judged else [None] * len(truth["classes"])
        panels.append(("ground truth", _drawn(base, factor, truth["boxes"], truth["classes"], edges)))
        kinds |= set(np.asarray(truth["classes"], int).tolist())
    if results is not None:
        wrong = ~np.isin(judged.kinds, (RIGHT, IGNORED)) if judged else np.zeros(len(results["classes"]), bool)
        edges = [WRONG if each else None for each in wrong]
        scores = results.get("scores")
        panels.append(("prediction", _drawn(base, factor, results["boxes"], results["classes"], edges, scores)))
        kinds |= set(np.asarray(results["classes"], int).tolist())
    if not panels:
        return np.asarray(base)
    colors = palette()
    entries = [Entry(class_names[kind], tuple(colors[1 + kind].tolist())) for kind in sorted(kinds)]
    if judged is not None and judged.missed.any():
        entries.append(Entry("missed", MISSED))
    if judged is not None and not np.isin(judged.kinds, (RIGHT, IGNORED)).all():
        entries.append(Entry("wrong", WRONG))
    return legend(beside(panels), entries)


def _drawn(
    base: Image.Image,
    factor: int,
    boxes: np.ndarray,
    classes: np.ndarray,
    edges: Sequence[tuple[int, int, int] | None],
    scores: np.ndarray | None = None,
) -> np.ndarray:
    image = base.copy()
    pen = ImageDraw.Draw(image)
    thick = max(2, max(image.size) // 400)
    size = min(max(image.width // 40, 10), 28)
    font, colors = ImageFont.load_default(size), palette()
    order = np.argsort(scores) if scores is not None else range(len(boxes))  # the surest lie on top
    for at in order:
        corners = [float(each) * factor for each in boxes[at]]
        corners[2:] = max(corners[2] - 1, corners[0]), max(corners[3] - 1, corners[1])
        if edges[at]:
            pen.rectangle(
                [corners[0] - thick, corners[1] - thick, corners[2] + thick, corners[3] + thick], None, edges[at], thick
            )
        color = tuple(colors[1 + int(classes[at]) % 254].tolist())
        pen.rectangle(corners, None, color, thick)
        if scores is not None and corners[2] - corners[0] >= 1.5 * size:
            text = f"{scores[at]:.2f}"
            left, top, right, bottom = pen.textbbox((corners[0] + thick, corners[1] + thick), text, font)
            pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), color)
            pen.text((corners[0] + thick, corners[1] + thick), text, (0, 0, 0), font)
    return np.asarray(image)
