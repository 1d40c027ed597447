"""Boxes as what a network predicts: corrections of anchors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from keras.utils import bounding_boxes

MAX_LOG_SIDE = math.log(1000 / 16)
"""A box grows to 62.5 times its anchor at most (Girshick's Detectron clips there): an exponential must not overflow."""


@dataclass(frozen=True)
class BoxCoder:
    """Offsets of the centre in the anchor's sides, and logarithms of the sides (Girshick et al. 2014, appendix C).

    Attributes:
        variances: what (x, y, width, height) are divided by, so that they spread about as wide as other targets.
    """

    variances: Sequence[float] = (0.1, 0.1, 0.2, 0.2)

    def encode(self, boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
        """Boxes float32 `[n, k, 4]`, for anchors `[k, 4]` or `[n, k, 4]`, to deltas `[n, k, 4]`."""
        return bounding_boxes.encode_box_to_deltas(
            anchors, boxes, "xyxy", "xyxy", encoding_format="center_xywh", variance=list(self.variances)
        )

    def decode(self, deltas: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
        """Deltas float32 `[n, k, 4]` to boxes `[n, k, 4]`: x_min, y_min, x_max, y_max in pixels."""
        most = MAX_LOG_SIDE / tf.constant(self.variances[2:], deltas.dtype)
        deltas = tf.concat([deltas[..., :2], tf.minimum(deltas[..., 2:], most)], axis=-1)
        return bounding_boxes.decode_deltas_to_boxes(
            anchors, deltas, "xyxy", "xyxy", encoded_format="center_xywh", variance=list(self.variances)
        )
