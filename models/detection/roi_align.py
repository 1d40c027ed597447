"""ROI align: the same number of features for every box, whatever its size (He et al. 2017, "Mask R-CNN", section 3)."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

SAMPLES = 2
"""Points along each side of a bin, whose mean it is."""
CELLS = 14
"""Cells of a level along the side of the boxes that are looked up in it: 224 pixels at stride 16 (Lin et al. 2017,
"Feature pyramid networks", equation 1)."""


def roi_align(features: tf.Tensor, boxes: tf.Tensor, owners: tf.Tensor, stride: int, bins: int) -> tf.Tensor:
    """Bilinear samples of one level in each box; beyond the map its edge goes on.

    Args:
        features: float `[n, h, w, channels]`.
        boxes: float32 `[k, 4]`, x_min, y_min, x_max, y_max in pixels of the image.
        owners: int32 `[k]`, the image of each box.
        stride: of the level, in pixels.
        bins: along each side of the result.

    Returns:
        float32 `[k, bins, bins, channels]`.
    """
    features = tf.cast(features, tf.float32)
    points = bins * SAMPLES
    low, high = boxes[:, 1::-1] / stride, boxes[:, 3:1:-1] / stride  # (y, x), in cells
    step = (high - low) / points
    # the middle of cell i lies at i + 0.5; one more cell stands on every side
    first, last = low + step / 2 - 0.5 + 1, high - step / 2 - 0.5 + 1
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    extent = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)
    places = tf.concat([first / extent, last / extent], axis=1)
    sampled = tf.image.crop_and_resize(padded, places, owners, [points, points])
    return tf.nn.avg_pool2d(sampled, SAMPLES, SAMPLES, "VALID")


def pyramid_roi_align(maps: Mapping[int, tf.Tensor], boxes: tf.Tensor, bins: int) -> tf.Tensor:
    """Each box from the level that suits its size.

    Args:
        maps: stride to features `[n, h, w, channels]`.
        boxes: float32 `[n, k, 4]`.
        bins: along each side of the result.

    Returns:
        float32 `[n, k, bins, bins, channels]`.
    """
    count = tf.shape(boxes)[:2]
    flat = tf.reshape(boxes, [-1, 4])
    owners = tf.repeat(tf.range(count[0]), count[1])
    level = level_of(flat, list(maps))
    rows = [tf.cast(tf.where(level == place)[:, 0], tf.int32) for place in range(len(maps))]
    parts = [
        roi_align(features, tf.gather(flat, row), tf.gather(owners, row), stride, bins)
        for row, (stride, features) in zip(rows, maps.items(), strict=True)
    ]
    channels = next(iter(maps.values())).shape[-1]
    whole = tf.dynamic_stitch([*rows, tf.zeros([0], tf.int32)], [*parts, tf.zeros([0, bins, bins, channels])])
    return tf.reshape(whole, [count[0], count[1], bins, bins, channels])


def level_of(boxes: tf.Tensor, strides: list[int]) -> tf.Tensor:
    """Which of the levels each box `[k, 4]` is looked up in, int32 `[k]`: boxes twice as large one level coarser."""
    area = tf.reduce_prod(tf.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3), axis=1)
    place = tf.math.log(tf.sqrt(area) / (CELLS * strides[0])) / tf.math.log(2.0)
    return tf.clip_by_value(tf.cast(tf.floor(place), tf.int32), 0, len(strides) - 1)
