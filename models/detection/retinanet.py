"""RetinaNet (Lin et al. 2017, "Focal loss for dense object detection")."""

from __future__ import annotations

import tensorflow as tf

from ..backbones.backbone import Backbone
from .detector import AnchorDetector, anchor_generator, require_covered
from .heads import backbone_levels, flat, fpn, prior_bias, shared_head
from .matcher import Matches
from .options import DetectionOptions


class RetinaNet(AnchorDetector):
    """Classes and boxes at every place of a feature pyramid, learned from all anchors by the focal loss.

    Example:
        >>> model = RetinaNet(mobilenet_v2((320, 320, 3)), DetectionOptions(), classes=3)
        >>> model(tf.zeros([1, 320, 320, 3]))["classes"].shape
        TensorShape([1, 19206, 3])

    Args:
        backbone: with levels at the finer of `options.strides`.
        options: strides, anchors, channels, head_layers, the loss.
        classes: how many.
    """

    def __init__(self, backbone: Backbone, options: DetectionOptions, classes: int):
        require_covered(backbone.net.inputs[0].shape[1:], options.strides)
        anchors = anchor_generator(options)
        maps = fpn(backbone_levels(backbone, options.strides), options.strides, options.channels)
        depth, channels = options.head_layers, options.channels
        class_head = shared_head("logits", anchors.per_cell * classes, depth, channels, bias=prior_bias())
        box_head = shared_head("deltas", anchors.per_cell * 4, depth, channels)
        outputs = {
            "classes": flat({stride: class_head(each) for stride, each in maps.items()}, classes, "classes"),
            "boxes": flat({stride: box_head(each) for stride, each in maps.items()}, 4, "boxes"),
        }
        super().__init__(backbone, outputs, "retinanet", anchors, options)

    def classification_loss(self, logits: tf.Tensor, matches: Matches) -> tf.Tensor:
        """The focal loss (equation 5) of each class on its own, summed over all anchors that count."""
        alpha, gamma = self.options.focal_alpha, self.options.focal_gamma
        target = tf.one_hot(matches.classes, logits.shape[-1], dtype=logits.dtype)  # the background is none
        p = tf.sigmoid(logits)
        missing = tf.where(target > 0, 1.0 - p, p)  # 1 - the probability of what is right
        weight = tf.where(target > 0, alpha, 1.0 - alpha) * missing**gamma
        loss = weight * tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
        return tf.reduce_sum(loss * tf.cast(matches.counts, logits.dtype)[..., tf.newaxis])

    def scores(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(logits)
