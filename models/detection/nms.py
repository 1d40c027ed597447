"""Suppression: of boxes that overlap, the one with the highest score stays; class by class, in the graph."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

MIN_SCORE = 0.001
"""What scores less is no candidate, for metrics either."""
MAX_PROPOSALS = 1000
"""Boxes of one image that suppression looks at: those with the highest scores."""


class Detections(NamedTuple):
    """Boxes by falling score; behind the first `count` of each image come zeros.

    Attributes:
        boxes: float32 `[n, k, 4]`.
        scores: float32 `[n, k]`.
        classes: int32 `[n, k]`.
        count: int32 `[n]`.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    count: tf.Tensor


def top_proposals(boxes: tf.Tensor, scores: tf.Tensor, most: int = MAX_PROPOSALS) -> tuple[tf.Tensor, tf.Tensor]:
    """The boxes whose best class has the highest scores.

    Args:
        boxes: float32 `[n, k, 4]`.
        scores: float32 `[n, k, classes]`, 0..1.
        most: how many.

    Returns:
        `[n, m, 4]` and `[n, m, classes]`, m = min(k, most).
    """
    best = tf.reduce_max(scores, axis=-1)
    _, index = tf.math.top_k(best, tf.minimum(most, tf.shape(best)[1]), sorted=False)
    return tf.gather(boxes, index, batch_dims=1), tf.gather(scores, index, batch_dims=1)


def suppress(boxes: tf.Tensor, scores: tf.Tensor, max_iou: float, most: int) -> Detections:
    """Greedy suppression of each class on its own.

    Args:
        boxes: float32 `[n, k, 4]`; one without area is dropped.
        scores: float32 `[n, k, classes]`.
        max_iou: two boxes of one class with a larger intersection over union do not both stay.
        most: boxes of one image that may stay, of all classes together.
    """
    has_area = tf.reduce_all(boxes[..., 2:] > boxes[..., :2], axis=-1, keepdims=True)
    found = tf.image.combined_non_max_suppression(
        boxes[:, :, tf.newaxis],  # its corners are (y, x), but x and y may change places in all of them
        tf.where(has_area, scores, 0.0),
        max_output_size_per_class=most,
        max_total_size=most,
        iou_threshold=max_iou,
        score_threshold=MIN_SCORE,
        clip_boxes=False,
    )
    return Detections(
        found.nmsed_boxes, found.nmsed_scores, tf.cast(found.nmsed_classes, tf.int32), found.valid_detections
    )


def above(found: Detections, thresholds: tf.Tensor) -> Detections:
    """Those that score at least the threshold of their class, float32 `[classes]`; still by falling score."""
    k = tf.shape(found.scores)[1]
    stays = (found.scores >= tf.gather(thresholds, found.classes)) & (tf.range(k) < found.count[:, tf.newaxis])
    order = tf.argsort(tf.cast(~stays, tf.int32), axis=1, stable=True)
    count = tf.reduce_sum(tf.cast(stays, tf.int32), axis=1)
    kept = tf.range(k) < count[:, tf.newaxis]
    boxes, scores, classes = (tf.gather(each, order, batch_dims=1) for each in found[:3])
    return Detections(
        tf.where(kept[..., tf.newaxis], boxes, 0.0), tf.where(kept, scores, 0.0), tf.where(kept, classes, 0), count
    )
