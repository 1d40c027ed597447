"""Average precision by the rules of Pascal VOC (Everingham et al. 2010, section 4.2, and the devkit's VOCevaldet)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .matching import iou_matrix


class Scene(NamedTuple):
    """One image: objects, whether each is difficult, and detections.

    Boxes are continuous pixels: the devkit's `+ 1` is already in them (see the `voc` source).
    """

    boxes: np.ndarray
    classes: np.ndarray
    difficult: np.ndarray
    found: np.ndarray
    scores: np.ndarray
    found_classes: np.ndarray


def voc_ap(scenes: Sequence[Scene], kind: int, eleven_points: bool, threshold: float = 0.5) -> float:
    """Average precision of one class.

    A detection belongs to the object of its class that it overlaps most, from `threshold` on: the first of each object
    is right, others are not; those of difficult objects do not count at all, nor do these objects.

    Args:
        scenes: all images.
        kind: the class id.
        eleven_points: the mean of the precision at recall 0, 0.1, ... 1 (until 2009), else the area below the curve.
        threshold: of intersection over union.

    Returns:
        0..1, NaN where there is no object that counts.
    """
    scores, right, wrong, total = [], [], [], 0
    for each in scenes:
        mine, said = each.classes == kind, each.found_classes == kind
        difficult, total = each.difficult[mine] > 0, total + int((each.difficult[mine] == 0).sum())
        order = np.argsort(-each.scores[said], kind="stable")
        overlap = iou_matrix(each.found[said][order], each.boxes[mine])
        taken = np.zeros(len(difficult), bool)
        for row, score in zip(overlap, each.scores[said][order], strict=True):
            best = int(row.argmax()) if len(row) else -1
            hit = best >= 0 and row[best] >= threshold
            if hit and difficult[best]:
                continue
            scores.append(score)
            right.append(hit and not taken[best])
            wrong.append(not right[-1])
            if hit:
                taken[best] = True
    if not total:
        return float("nan")
    order = np.argsort(-np.array(scores), kind="stable")
    hits, misses = (np.cumsum(np.array(each, float)[order]) if len(order) else np.zeros(0) for each in (right, wrong))
    recall, precision = hits / total, hits / np.maximum(hits + misses, 1e-12)
    if eleven_points:
        return float(np.mean([precision[recall >= at].max(initial=0) for at in np.linspace(0, 1, 11)]))
    recall, precision = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision[1:]))
