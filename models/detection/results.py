"""What a detector's proposals are answered as: boxes in the pixels of the originals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ..contract import Tile
from .nms import Detections, above, suppress, top_proposals

CANDIDATES = 100
"""Boxes of an image that metrics look at, as COCO's do."""


def proposed(boxes: tf.Tensor, scores: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> dict[str, tf.Tensor]:
    """What `infer` gives of a detector, so that several can be joined: the likeliest boxes of each image, and the size
    of the input that they belong to.

    Args:
        boxes: float32 `[n, k, 4]` in pixels of the input.
        scores: float32 `[n, k, classes]`.
        height, width: of the input.
    """
    boxes, scores = top_proposals(boxes, scores)
    size = tf.cast(tf.stack([height, width]), tf.float32)
    return {"boxes": boxes, "scores": scores, "frame": tf.tile(size[tf.newaxis], [tf.shape(boxes)[0], 1])}


def detected(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    class_names: Sequence[str],
    thresholds: Sequence[float],
    suppression: float,
    most: int,
) -> dict[str, tf.Tensor]:
    """The results of a batch.

    Args:
        boxes: float32 `[n, k, 4]`, in the pixels of the originals.
        scores: float32 `[n, k, classes]`.
        class_names: in the order of the class ids.
        thresholds: for each class, from which score on a box is answered.
        suppression: see `nms.suppress`.
        most: boxes that are answered, at most.
    """
    found = suppress(boxes, scores, suppression, max(most, CANDIDATES))
    answered = above(
        Detections(
            found.boxes[:, :most], found.scores[:, :most], found.classes[:, :most], tf.minimum(found.count, most)
        ),
        tf.constant(thresholds, tf.float32),
    )
    names = tf.constant(list(class_names))
    there = tf.range(tf.shape(answered.classes)[1]) < answered.count[:, tf.newaxis]
    return {
        "boxes": answered.boxes,
        "scores": answered.scores,
        "classes": answered.classes,
        "labels": tf.where(there, tf.gather(names, answered.classes), ""),
        "count": answered.count,
        "candidate_boxes": found.boxes,
        "candidate_scores": found.scores,
        "candidate_classes": found.classes,
        "candidate_count": found.count,
    }


def merged_tiles(tiles: Iterator[Tile], size: tuple[int, int], class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of overlapping tiles as proposals of the whole image: those of an object that two tiles saw are
    suppressed like any others.

    Returns:
        boxes float32 `[1, k, 4]` in pixels of the image, scores float32 `[1, k, classes]`.
    """
    boxes, scores = [np.zeros((0, 4), np.float32)], [np.zeros((0, class_count), np.float32)]
    for tile in tiles:
        shift = np.array([tile.left, tile.top] * 2, np.float32)
        limit = np.array([size[1], size[0]] * 2, np.float32)
        boxes.append(np.clip(tile.results["candidate_boxes"] + shift, 0, limit))
        of_class = np.zeros((len(boxes[-1]), class_count), np.float32)
        of_class[np.arange(len(of_class)), tile.results["candidate_classes"]] = tile.results["candidate_scores"]
        scores.append(of_class)
    return np.concatenate(boxes)[np.newaxis], np.concatenate(scores)[np.newaxis]


def difference(left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray], names: Sequence[str]) -> float:
    """How far two sets of boxes of one image lie apart.

    Each box of the one is matched with the box of the other of its class that overlaps it most. A box that has no
    match, or only one that overlaps it by less than half, counts by its score above the lowest of all: rounding
    may take a box over a threshold, or over the last place, and no others.

    Args:
        left, right: results.
        names: of boxes, scores and classes in them.

    Returns:
        The largest difference: of scores, of coordinates as a fraction of the boxes' larger side.
    """
    sides = [tuple(np.asarray(each[name]) for name in names) for each in (left, right)]
    (boxes, scores, classes), (others, other_scores, other_classes) = sides
    everyone = np.concatenate([scores, other_scores])
    if not len(everyone):
        return 0.0
    least, worst = everyone.min(), 0.0
    free = np.ones(len(others), bool)
    for box, score, kind in zip(boxes, scores, classes, strict=True):
        overlap = np.where(free & (other_classes == kind), _iou(box, others), 0.0)
        at = int(overlap.argmax()) if len(overlap) else 0
        if len(overlap) and overlap[at] >= 0.5:
            free[at] = False
            side = max(box[2] - box[0], box[3] - box[1], 1.0)
            worst = max(worst, abs(float(score - other_scores[at])), float(np.abs(box - others[at]).max() / side))
        else:
            worst = max(worst, _beyond_chance(score, least))
    return max([worst, *(_beyond_chance(score, least) for score in other_scores[free])])


def _beyond_chance(score: float, least: float) -> float:
    return 0.0 if score - least <= 1e-3 else float(score)


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return shared / np.maximum(union, 1e-9)
