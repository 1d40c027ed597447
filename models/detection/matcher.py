"""Which object each anchor learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf
from keras.utils import bounding_boxes

BACKGROUND = -1
"""A class for anchors and boxes without an object; also what fills a batch (`Truth.pad`)."""


class Matches(NamedTuple):
    """What the anchors of a batch learn.

    Attributes:
        boxes: float32 `[n, anchors, 4]`, the box of each anchor's object; the anchor itself where it has none.
        classes: int32 `[n, anchors]`, -1 for the background.
        positive: bool `[n, anchors]`, whether it has an object.
        counts: bool `[n, anchors]`, whether it learns a class at all, be it the background.
        best: float32 `[n, objects]`, how well the best anchor covers each object, 0..1; 0 for what fills the batch.
    """

    boxes: tf.Tensor
    classes: tf.Tensor
    positive: tf.Tensor
    counts: tf.Tensor
    best: tf.Tensor


@dataclass(frozen=True)
class Matcher:
    """By intersection over union (Ren et al. 2015, section 3.1.2; Liu et al. 2016, section 2.2).

    An anchor has the object that it overlaps most if that is `positive` or more. The anchors that overlap an object
    most have it in any case (`force`), so that none is left without. Below `negative` an anchor is background, and
    between the two it does not count. Nor does one that lies by half or more in a box that is to be ignored (COCO's
    crowds, VOC's difficult objects).

    Attributes:
        positive, negative: 0..1, negative <= positive.
        force: see above.
    """

    positive: float = 0.5
    negative: float = 0.4
    force: bool = True

    def __call__(
        self, anchors: tf.Tensor, boxes: tf.Tensor, classes: tf.Tensor, ignored: tf.Tensor | None = None
    ) -> Matches:
        """Matches a batch.

        Args:
            anchors: float32 `[anchors, 4]` or `[n, anchors, 4]`.
            boxes: float32 `[n, objects, 4]`, of any number of objects.
            classes: int32 `[n, objects]`; below 0: fills the batch.
            ignored: bool `[n, objects]`; none unless given.
        """
        anchors, boxes, classes = (tf.convert_to_tensor(each) for each in (anchors, boxes, classes))
        there = (classes >= 0) & tf.reduce_all(boxes[..., 2:] > boxes[..., :2], axis=-1)
        ignored = tf.zeros_like(there) if ignored is None else ignored & there
        wanted = there & ~ignored
        iou = bounding_boxes.compute_iou(boxes, anchors, "xyxy")  # n, objects, anchors
        iou = tf.where(wanted[..., tf.newaxis], iou, 0.0)
        # an object more, which no anchor overlaps: the maximum over none is none
        padded = tf.pad(iou, [[0, 0], [0, 1], [0, 0]])
        best = tf.reduce_max(padded, axis=2)[:, :-1]
        value, index = tf.reduce_max(padded, axis=1), tf.argmax(padded, axis=1, output_type=tf.int32)
        positive = value >= self.positive
        if self.force:
            forced = tf.pad((iou == best[..., tf.newaxis]) & (iou > 0), [[0, 0], [0, 1], [0, 0]])
            is_forced = tf.reduce_any(forced, axis=1)
            index = tf.where(is_forced, tf.argmax(tf.where(forced, padded, -1.0), axis=1, output_type=tf.int32), index)
            positive |= is_forced
        counts = positive | (value < self.negative)
        counts &= positive | ~_lies_in(anchors, boxes, ignored)
        chosen = tf.gather(tf.pad(boxes, [[0, 0], [0, 1], [0, 0]]), index, batch_dims=1)  # n, anchors, 4
        of_class = tf.gather(tf.pad(classes, [[0, 0], [0, 1]]), index, batch_dims=1)
        return Matches(
            tf.where(positive[..., tf.newaxis], chosen, anchors),
            tf.where(positive, of_class, BACKGROUND),
            positive,
            counts,
            best,
        )


def _lies_in(anchors: tf.Tensor, boxes: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Whether half of each anchor's area or more lies in one of the wanted boxes, bool `[n, anchors]`."""
    anchors = anchors if anchors.shape.rank == 3 else anchors[tf.newaxis]
    low = tf.maximum(anchors[:, tf.newaxis, :, :2], boxes[:, :, tf.newaxis, :2])
    high = tf.minimum(anchors[:, tf.newaxis, :, 2:], boxes[:, :, tf.newaxis, 2:])
    shared = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)  # n, objects, anchors
    area = tf.reduce_prod(anchors[..., 2:] - anchors[..., :2], axis=-1)
    covers = (shared >= 0.5 * area[:, tf.newaxis]) & wanted[..., tf.newaxis]
    return tf.reduce_any(covers, axis=1)
