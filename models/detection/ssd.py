"""SSD, the single shot multibox detector (Liu et al. 2016)."""

from __future__ import annotations

import tensorflow as tf

from ..backbones.backbone import Backbone
from .detector import AnchorDetector, anchor_generator, require_covered
from .heads import backbone_levels, extra_levels, flat, fpn, last_convolution, shared_head
from .matcher import Matches
from .options import DetectionOptions

MIN_NEGATIVES = 10
"""Background anchors that count in an image without objects, which would else teach nothing."""


class SSD(AnchorDetector):
    """Classes, the background among them, and boxes at every place of several levels.

    With `neck: plain` each level has predictors of its own (section 2.1); with `fpn` the levels are a feature pyramid
    of separable convolutions, and share their heads, as "SSD FPN-lite" in the TensorFlow Object Detection API.

    Args:
        backbone: with levels at the finer of `options.strides`.
        options: strides, anchors, neck, channels, head_layers, negatives.
        classes: how many; the background is one more, the last.
    """

    def __init__(self, backbone: Backbone, options: DetectionOptions, classes: int):
        require_covered(backbone.net.inputs[0].shape[1:], options.strides)
        anchors = anchor_generator(options)
        levels = backbone_levels(backbone, options.strides)
        k, values = anchors.per_cell, classes + 1
        if options.neck == "fpn":
            maps = fpn(levels, options.strides, options.channels, separable=True)
            depth, channels = options.head_layers, options.channels
            class_head = shared_head("logits", k * values, depth, channels, separable=True)
            box_head = shared_head("deltas", k * 4, depth, channels, separable=True)
            heads = {stride: (class_head, box_head) for stride in maps}
        else:
            maps = extra_levels(levels, options.strides, options.channels)
            heads = {
                stride: (last_convolution(f"logits_{stride}", k * values), last_convolution(f"deltas_{stride}", k * 4))
                for stride in maps
            }
        outputs = {
            "classes": flat({stride: heads[stride][0](each) for stride, each in maps.items()}, values, "classes"),
            "boxes": flat({stride: heads[stride][1](each) for stride, each in maps.items()}, 4, "boxes"),
        }
        super().__init__(backbone, outputs, "ssd", anchors, options)

    def classification_loss(self, logits: tf.Tensor, matches: Matches) -> tf.Tensor:
        """Cross-entropy of the anchors that have an object, and of the hardest of the background: in each image at most
        `negatives` times as many (section 2.2, "Hard negative mining")."""
        background = logits.shape[-1] - 1
        labels = tf.where(matches.positive, matches.classes, background)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # n, anchors
        negative = matches.counts & ~matches.positive
        positives = tf.reduce_sum(tf.cast(matches.positive, tf.float32), axis=1)
        most = tf.where(positives > 0, self.options.negatives * positives, float(MIN_NEGATIVES))
        hardness = tf.where(negative, tf.stop_gradient(loss), -1.0)
        order = tf.argsort(hardness, axis=1, direction="DESCENDING")
        rank = tf.argsort(order, axis=1)  # of each anchor among the hardest
        hard = negative & (tf.cast(rank, tf.float32) < most[:, tf.newaxis])
        return tf.reduce_sum(loss * tf.cast(matches.positive | hard, loss.dtype))

    def scores(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(logits)[..., :-1]
