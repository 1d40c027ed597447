"""A classifier that also says where: one object an image, one box for it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from ..backbones.backbone import Backbone, require_one_size
from .detector import Detector, Proposals, sides
from .options import DetectionOptions


class Localizer(Detector):
    """Classes and a box from pooled features, as the regression head of OverFeat (Sermanet et al. 2014, section 4.2),
    of one view: for each class a box of its own, or with `class_agnostic` one for all.

    Of several objects in a training image the largest is learned; an image without any is background, which is one
    class more, the last.

    Args:
        backbone: of any kind.
        options: channels, class_agnostic.
        classes: how many.
    """

    def __init__(self, backbone: Backbone, options: DetectionOptions, classes: int):
        require_one_size(backbone.net.inputs[0].shape[1:], "localizer says where in a frame of one size")
        hidden = layers.Dense(4 * options.channels, activation="relu", kernel_initializer="he_normal", name="hidden")
        deepest = max(backbone.levels) if backbone.levels else None
        x = backbone.features
        if deepest is not None:  # where something is, a mean over the map does not tell
            pooled = layers.Conv2D(16, 1, activation="relu", kernel_initializer="he_normal", name="where")
            x = layers.Concatenate(name="seen")([x, layers.Flatten(name="places")(pooled(backbone.levels[deepest]))])
        x = hidden(x)
        count = 1 if options.class_agnostic else classes
        outputs = {
            "classes": layers.Dense(classes + 1, name="logits", dtype="float32")(x),
            "boxes": layers.Reshape((count, 4), name="boxes", dtype="float32")(
                layers.Dense(4 * count, activation="sigmoid", name="logits_of_boxes", dtype="float32")(x)
            ),
        }
        super().__init__(backbone, outputs, "localizer")
        self.options, self.classes = options, classes

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Cross-entropy, and where there is an object the absolute error of its corners as fractions of the image."""
        height, width = sides(x)
        scale = tf.cast(tf.stack([width, height, width, height]), tf.float32)
        there = (y["classes"] >= 0) & ~y["ignored"]
        area = tf.reduce_prod(tf.maximum(y["boxes"][..., 2:] - y["boxes"][..., :2], 0.0), axis=-1)
        padded = tf.pad(tf.where(there, area, -1.0), [[0, 0], [0, 1]], constant_values=-1.0)
        largest = tf.argmax(padded, axis=1, output_type=tf.int32)
        has_object = tf.reduce_max(padded, axis=1) >= 0
        kinds = tf.gather(tf.pad(y["classes"], [[0, 0], [0, 1]]), largest, batch_dims=1)
        boxes = tf.gather(tf.pad(y["boxes"], [[0, 0], [0, 1], [0, 0]]), largest, batch_dims=1) / scale
        labels = tf.where(has_object, kinds, self.classes)
        class_loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y_pred["classes"]))
        own = tf.zeros_like(kinds) if self.options.class_agnostic else tf.where(has_object, kinds, 0)
        gap = tf.abs(_corners(tf.gather(y_pred["boxes"], own, batch_dims=1)) - boxes)
        weight = tf.cast(has_object, tf.float32)
        box_loss = tf.reduce_sum(tf.reduce_sum(gap, axis=-1) * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
        if training:
            self.class_loss.update_state(class_loss)
            self.box_loss.update_state(box_loss)
        return class_loss + self.options.box_weight * box_loss

    def propose(self, outputs: Any, height: tf.Tensor, width: tf.Tensor) -> Proposals:
        scale = tf.cast(tf.stack([width, height, width, height]), tf.float32)
        boxes, scores = _corners(outputs["boxes"]) * scale, tf.nn.softmax(outputs["classes"])[:, :-1]
        if self.options.class_agnostic:
            return Proposals(boxes, scores[:, tf.newaxis])
        return Proposals(boxes, scores[..., tf.newaxis] * tf.eye(self.classes))


def _corners(values: tf.Tensor) -> tf.Tensor:
    """Centre and sides to corners, `[..., 4]`."""
    centre, half = values[..., :2], values[..., 2:] / 2
    return tf.concat([centre - half, centre + half], axis=-1)
