"""YOLO as it was first: one look, one grid, everything in one file (Redmon et al. 2016)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from ..backbones.backbone import Backbone
from ..errors import InputError
from .detector import Detector, Proposals, sides
from .options import DetectionOptions

BOXES = 2
"""Boxes that each cell of the grid predicts (B of the paper)."""
COORDINATES, NO_OBJECT = 5.0, 0.5
"""What places weigh in the loss, and what the confidence of boxes without an object does (section 2.2)."""


class YoloGrid(Detector):
    """Each cell of a grid predicts two boxes with their confidence, and one set of class probabilities: `5 B + C`
    values (section 2). The cell in which the centre of an object lies is responsible for it, with the one of its boxes
    that overlaps it most.

    The grid is the coarsest map of the backbone, 7 x 7 at 224 pixels. All values go through a sigmoid, so that they are
    what the paper means: x and y within the cell, the square roots of width and height as fractions of the image.

    Args:
        backbone: with levels.
        options: channels.
        classes: how many.
    """

    def __init__(self, backbone: Backbone, options: DetectionOptions, classes: int):
        if not backbone.levels:
            raise InputError(
                f"model.backbone: {backbone.net.name} has no map that could be a grid", field="model.backbone"
            )
        cell = max(backbone.levels)
        x = backbone.levels[cell]
        for i in (1, 2):
            x = layers.Conv2D(
                4 * options.channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"grid_{i}",
            )(x)
        x = layers.Conv2D(5 * BOXES + classes, 1, activation="sigmoid", name="logits", dtype="float32")(x)
        super().__init__(backbone, x, "yolo_grid")
        self.classes, self.cell = classes, cell

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Equation 3: sums of squared errors. Of two objects in one cell the later one is learned."""
        height, width = sides(x)
        side = tf.cast(tf.stack([width, height]), tf.float32)
        n, rows, columns = tf.unstack(tf.shape(y_pred)[:3])
        there = (y["classes"] >= 0) & ~y["ignored"]
        images = tf.cast(tf.where(there)[:, 0], tf.int32)
        boxes, kinds = tf.boolean_mask(y["boxes"], there), tf.boolean_mask(y["classes"], there)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 / self.cell
        last = tf.stack([columns, rows]) - 1
        cell = tf.clip_by_value(tf.cast(tf.floor(centre), tf.int32), 0, last)  # k, (x, y)
        place = (images * rows + cell[:, 1]) * columns + cell[:, 0]
        flat = tf.reshape(y_pred, [n * rows * columns, -1])
        mine = tf.gather(flat, place)  # k, 5 B + C
        proposed = tf.reshape(mine[:, : 5 * BOXES], [-1, BOXES, 5])
        decoded = self._corners(proposed, cell[:, tf.newaxis], side)
        iou = _iou(decoded, boxes[:, tf.newaxis])  # k, B
        best = tf.argmax(iou, axis=1, output_type=tf.int32)
        own = tf.gather(proposed, best, batch_dims=1)  # k, 5
        within = centre - tf.cast(cell, tf.float32)
        roots = tf.sqrt(tf.clip_by_value((boxes[:, 2:] - boxes[:, :2]) / side, 0.0, 1.0))
        box_loss = COORDINATES * tf.reduce_sum((own[:, :4] - tf.concat([within, roots], axis=1)) ** 2)
        confident = tf.reduce_sum((own[:, 4] - tf.stop_gradient(tf.gather(iou, best, batch_dims=1))) ** 2)
        confidence = tf.reshape(flat[:, : 5 * BOXES], [-1, BOXES, 5])[..., 4]
        taken = tf.scatter_nd(tf.stack([place, best], axis=1), tf.ones_like(place, tf.float32), tf.shape(confidence))
        empty = NO_OBJECT * tf.reduce_sum(tf.where(taken > 0, 0.0, confidence**2))
        class_loss = tf.reduce_sum((mine[:, 5 * BOXES :] - tf.one_hot(kinds, self.classes)) ** 2)
        count = tf.cast(n, tf.float32)
        if training:
            self.class_loss.update_state((class_loss + confident + empty) / count)
            self.box_loss.update_state(box_loss / count)
        return (box_loss + confident + empty + class_loss) / count

    def _corners(self, values: tf.Tensor, cells: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
        """x, y, roots of width and height `[..., 5]`, in cells `[..., 2]`, to corners in pixels `[..., 4]`."""
        centre = (tf.cast(cells, tf.float32) + values[..., :2]) * self.cell
        half = values[..., 2:4] ** 2 * side / 2
        return tf.concat([centre - half, centre + half], axis=-1)

    def propose(self, outputs: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> Proposals:
        n, rows, columns = tf.unstack(tf.shape(outputs)[:3])
        cells = tf.stack(tf.meshgrid(tf.range(columns), tf.range(rows)), axis=-1)[tf.newaxis, :, :, tf.newaxis]
        values = tf.reshape(outputs[..., : 5 * BOXES], [n, rows, columns, BOXES, 5])
        boxes = self._corners(values, cells, tf.cast(tf.stack([width, height]), tf.float32))
        scores = values[..., 4:] * outputs[..., tf.newaxis, 5 * BOXES :]  # confidence times class, equation 1
        return Proposals(
            tf.reshape(boxes, [n, rows * columns * BOXES, 4]),
            tf.reshape(scores, [n, rows * columns * BOXES, self.classes]),
        )


def _iou(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Intersection over union of boxes pair by pair, `[...]` of `[..., 4]`."""
    shared = tf.minimum(left[..., 2:], right[..., 2:]) - tf.maximum(left[..., :2], right[..., :2])
    shared = tf.reduce_prod(tf.maximum(shared, 0.0), axis=-1)
    areas = [tf.reduce_prod(each[..., 2:] - each[..., :2], axis=-1) for each in (left, right)]
    return shared / tf.maximum(areas[0] + areas[1] - shared, 1e-6)
