"""Anchors: the boxes that a dense detector corrects, at every place of every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class AnchorGenerator:
    """Boxes of several sizes and shapes round the centre of every cell of every level (Ren et al. 2015, section 3.1.1).

    Example:
        >>> AnchorGenerator([8, 16], [32, 64], [1.0], [0.5, 1.0, 2.0])(64, 96).shape
        TensorShape([408, 4])

    Attributes:
        strides: of the levels, in pixels; a level has ceil(side / stride) rows and columns.
        sizes: the side of a square anchor of each level, in pixels.
        scales: what each size is multiplied by.
        ratios: height divided by width; all anchors of one size and scale have equal area.
    """

    strides: Sequence[int]
    sizes: Sequence[float]
    scales: Sequence[float]
    ratios: Sequence[float]

    @property
    def per_cell(self) -> int:
        """Anchors at each place of a level."""
        return len(self.scales) * len(self.ratios)

    def shapes(self, level: int) -> np.ndarray:
        """Width and height of the anchors of a level, float32 `[per_cell, 2]`, scales first."""
        sides = [
            (self.sizes[level] * scale / ratio**0.5, self.sizes[level] * scale * ratio**0.5)
            for scale in self.scales
            for ratio in self.ratios
        ]
        return np.array(sides, np.float32)

    def __call__(self, height: int | tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
        """All anchors of an input, float32 `[anchors, 4]`: level by level, row by row, cell by cell; they may reach
        beyond the image."""
        levels = []
        for level, stride in enumerate(self.strides):
            y, x = (
                (tf.cast(tf.range(-(-side // stride)), tf.float32) + 0.5) * float(stride) for side in (height, width)
            )
            centres = tf.stack(tf.meshgrid(x, y), axis=-1)[..., tf.newaxis, :]  # rows, columns, 1, (x, y)
            half = self.shapes(level) / 2
            boxes = tf.concat([centres - half, centres + half], axis=-1)  # rows, columns, per_cell, 4
            levels.append(tf.reshape(boxes, [-1, 4]))
        return tf.concat(levels, axis=0)
