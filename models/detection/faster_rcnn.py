"""Faster R-CNN (Ren et al. 2015) on a feature pyramid (Lin et al. 2017)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from ..backbones.backbone import Backbone
from .box_coder import BoxCoder
from .detector import Detector, Proposals, anchor_generator, require_covered, sides
from .heads import backbone_levels, flat, fpn, last_convolution
from .matcher import Matcher, Matches
from .nms import suppress, top_proposals
from .options import DetectionOptions
from .roi_align import pyramid_roi_align

BINS = 7
"""Along each side of what the second stage sees of a box."""
UNITS = 256
"""Of both hidden layers of the second stage; 1024 in the paper."""
PROPOSALS = 100
"""Boxes of one image that the first stage hands on."""
MAX_PROPOSAL_IOU = 0.7
"""Of two proposals that overlap more, one goes (Ren et al. 2015, section 3.3)."""
RPN_SAMPLES, RPN_POSITIVE = 256, 0.5
"""Anchors of one image that the first stage learns from, and which fraction may have an object."""
ROI_SAMPLES, ROI_POSITIVE = 64, 0.25
"""Boxes of one image that the second stage learns from, likewise (Girshick 2015, section 2.3)."""


class FasterRCNN(Detector):
    """Two stages, trained together: a region proposal network says where something may be, and a head classifies and
    corrects what ROI align gives of each proposal.

    Args:
        backbone: with levels at the finer of `options.strides`.
        options: strides, anchors, channels, class_agnostic.
        classes: how many; the background is one more, the last.

    Attributes:
        box_head: from features `[k, 7, 7, channels]` to `[k, classes + 1]` and `[k, 4]` or `[k, classes * 4]`.
    """

    def __init__(self, backbone: Backbone, options: DetectionOptions, classes: int):
        require_covered(backbone.net.inputs[0].shape[1:], options.strides)
        anchors = anchor_generator(options)
        maps = fpn(backbone_levels(backbone, options.strides), options.strides, options.channels)
        trunk = layers.Conv2D(
            options.channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name="rpn",
        )
        objectness = last_convolution("rpn_objectness", anchors.per_cell)
        deltas = last_convolution("rpn_deltas", anchors.per_cell * 4)
        seen = {stride: trunk(each) for stride, each in maps.items()}
        outputs = {
            "objectness": flat({stride: objectness(each) for stride, each in seen.items()}, 1, "objectness"),
            "boxes": flat({stride: deltas(each) for stride, each in seen.items()}, 4, "boxes"),
            "maps": {
                str(stride): layers.Activation("linear", dtype="float32", name=f"map_{stride}")(each)
                for stride, each in maps.items()
            },
        }
        super().__init__(backbone, outputs, "faster_rcnn")
        self.supports_jit = False  # suppression has no XLA kernel
        self.anchors, self.options, self.classes = anchors, options, classes
        self.coder = BoxCoder()
        self.rpn_matcher, self.roi_matcher = Matcher(0.7, 0.3), Matcher(0.5, 0.5, force=False)
        self.box_head = _box_head(options.channels, classes, options.class_agnostic)
        self.rpn_loss = keras.metrics.Mean(name="rpn_loss")
        self._seeds = keras.random.SeedGenerator(0)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """The losses of both stages (Ren et al. 2015, section 3.2). The second learns from proposals of the first and
        from the true boxes themselves; no gradient flows through where the proposals are."""
        height, width = sides(x)
        anchors = self.anchors(height, width)
        first = self.rpn_matcher(anchors, y["boxes"], y["classes"], y["ignored"])
        picked = self._sample(first, RPN_SAMPLES, RPN_POSITIVE)
        objectness = tf.nn.sigmoid_cross_entropy_with_logits(
            tf.cast(first.positive, tf.float32), y_pred["objectness"][..., 0]
        )
        count = tf.maximum(tf.reduce_sum(tf.cast(picked, tf.float32)), 1.0)
        rpn_loss = tf.reduce_sum(tf.where(picked, objectness, 0.0)) / count
        index = tf.where(first.positive & picked)
        rpn_loss += (
            self._smooth_l1(
                tf.gather_nd(y_pred["boxes"], index), tf.gather_nd(first.boxes, index), tf.gather(anchors, index[:, 1])
            )
            / count
        )

        proposals = tf.stop_gradient(self._proposals(y_pred, height, width))
        proposals = tf.concat([proposals, tf.maximum(y["boxes"], 0.0)], axis=1)
        second = self.roi_matcher(proposals, y["boxes"], y["classes"], y["ignored"])
        has_area = tf.reduce_all(proposals[..., 2:] > proposals[..., :2], axis=-1)
        second = second._replace(positive=second.positive & has_area, counts=second.counts & has_area)
        kept = self._pick(self._sample(second, ROI_SAMPLES, ROI_POSITIVE))
        boxes, true, kinds, there = (
            tf.gather(each, kept, batch_dims=1) for each in (proposals, second.boxes, second.classes, second.counts)
        )
        logits, deltas = self._head(y_pred["maps"], boxes)
        labels = tf.where(kinds < 0, self.classes, kinds)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        count = tf.maximum(tf.reduce_sum(tf.cast(there, tf.float32)), 1.0)
        class_loss = tf.reduce_sum(tf.where(there, loss, 0.0)) / count
        index = tf.where((kinds >= 0) & there)
        own = tf.gather_nd(deltas, index)  # k, classes or 1, 4
        of_class = tf.zeros_like(index[:, 0]) if self.options.class_agnostic else tf.gather_nd(kinds, index)
        own = tf.gather(own, tf.cast(of_class, tf.int32), batch_dims=1)
        box_loss = self._smooth_l1(own, tf.gather_nd(true, index), tf.gather_nd(boxes, index)) / count
        if training:
            self.rpn_loss.update_state(rpn_loss)
            self.class_loss.update_state(class_loss)
            self.box_loss.update_state(box_loss)
        return rpn_loss + class_loss + self.options.box_weight * box_loss

    def _smooth_l1(self, deltas: tf.Tensor, boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
        gap = tf.abs(deltas - self.coder.encode(boxes, anchors))
        return tf.reduce_sum(tf.where(gap < 1.0, 0.5 * gap**2, gap - 0.5))

    def _sample(self, matches: Matches, most: int, positive: float) -> tf.Tensor:
        """At random `most` of those that count, of each image, at most that fraction of which have an object; bool."""
        chance = keras.random.uniform(tf.shape(matches.counts), seed=self._seeds)
        found = _lowest(matches.positive, chance, tf.cast(most * positive, tf.int32))
        left = most - tf.reduce_sum(tf.cast(found, tf.int32), axis=1)
        return found | _lowest(matches.counts & ~matches.positive, chance, left)

    def _pick(self, sampled: tf.Tensor) -> tf.Tensor:
        """Indices of what was sampled, int32 `[n, ROI_SAMPLES]`, filled up with others."""
        most = tf.minimum(ROI_SAMPLES, tf.shape(sampled)[1])
        return tf.math.top_k(tf.cast(sampled, tf.int32), most)[1]

    def _proposals(self, outputs: Any, height: Any, width: Any) -> tf.Tensor:
        boxes = self.coder.decode(outputs["boxes"], self.anchors(height, width))
        limit = tf.cast(tf.stack([width, height, width, height]), tf.float32)
        boxes, scores = top_proposals(tf.clip_by_value(boxes, 0.0, limit), tf.sigmoid(outputs["objectness"]))
        return suppress(boxes, scores, MAX_PROPOSAL_IOU, PROPOSALS).boxes

    def _head(self, maps: dict[str, tf.Tensor], boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits `[n, k, classes + 1]` and deltas `[n, k, classes or 1, 4]` of boxes `[n, k, 4]`."""
        features = pyramid_roi_align({int(stride): each for stride, each in maps.items()}, boxes, BINS)
        shape = tf.shape(features)[:2]
        logits, deltas = self.box_head(tf.reshape(features, [-1, *features.shape[2:]]))
        return (
            tf.reshape(logits, [shape[0], shape[1], self.classes + 1]),
            tf.reshape(deltas, [shape[0], shape[1], deltas.shape[-1] // 4, 4]),
        )

    def propose(self, outputs: Any, height: tf.Tensor, width: tf.Tensor) -> Proposals:
        proposals = self._proposals(outputs, height, width)
        logits, deltas = self._head(outputs["maps"], proposals)
        scores = tf.nn.softmax(logits)[..., :-1]
        has_area = tf.reduce_all(proposals[..., 2:] > proposals[..., :2], axis=-1, keepdims=True)
        scores = tf.where(has_area, scores, 0.0)
        if self.options.class_agnostic:
            return Proposals(self.coder.decode(deltas[:, :, 0], proposals), scores)
        n, k = tf.unstack(tf.shape(scores)[:2])
        each = tf.repeat(proposals, self.classes, axis=1)  # a box of its own for every class
        boxes = self.coder.decode(tf.reshape(deltas, [n, k * self.classes, 4]), each)
        alone = scores[..., tf.newaxis] * tf.eye(self.classes)
        return Proposals(boxes, tf.reshape(alone, [n, k * self.classes, self.classes]))


def _box_head(channels: int, classes: int, class_agnostic: bool) -> keras.Model:
    features = keras.Input((BINS, BINS, channels))
    x = layers.Flatten(name="box_flat")(features)
    for name in ("box_1", "box_2"):
        x = layers.Dense(UNITS, activation="relu", kernel_initializer="he_normal", name=name)(x)
    small = keras.initializers.RandomNormal(stddev=0.01)
    logits = layers.Dense(classes + 1, kernel_initializer=small, name="logits", dtype="float32")(x)
    values = 4 if class_agnostic else 4 * classes
    deltas = layers.Dense(
        values,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        name="logits_of_boxes" if values > 4 else "box_deltas",
        dtype="float32",
    )(x)
    return keras.Model(features, [logits, deltas], name="box_head")


def _lowest(mask: tf.Tensor, chance: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """Of what `mask` has in each row those with the lowest `chance`, at most `most` of them."""
    order = tf.argsort(tf.where(mask, chance, 2.0), axis=1)
    rank = tf.argsort(order, axis=1)
    return mask & (rank < tf.reshape(most, [-1, 1]))
