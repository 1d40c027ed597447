"""MixUp and CutMix: of which batches how much is kept. The one place that knows their names; TensorFlow comes late."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import tensorflow as tf


class Mix(BaseModel):
    """A way to mix every sample of a batch with another one.

    Attributes:
        alpha: of Beta(alpha, alpha), from which each sample draws the share that it keeps; above 0. 1 is uniform, less
            leaves most samples almost whole.
        p: the share of batches that are mixed in this way, 0..1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    alpha: float = Field(gt=0, allow_inf_nan=False)
    p: float = Field(ge=0, le=1)

    @abstractmethod
    def kept(self, count: tf.Tensor, height: tf.Tensor, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """How much of each pixel is kept, 0..1: float32 `[count, height or 1, width or 1, 1]`, by `seed` `[2]`."""


class MixUp(Mix):
    """All pixels keep the same share (Zhang et al. 2018, "mixup", section 2)."""

    alpha: float = Field(0.2, gt=0, allow_inf_nan=False)
    p: float = Field(1.0, ge=0, le=1)

    def kept(self, count: tf.Tensor, height: tf.Tensor, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return _beta(self.alpha, count, seed)[:, None, None, None]


class CutMix(Mix):
    """A box is not kept (Yun et al. 2019, "CutMix", section 3.1).

    Its sides are sqrt(1 - share) of the image's, its centre lies anywhere, and what hangs over the border is cut off.
    """

    alpha: float = Field(1.0, gt=0, allow_inf_nan=False)
    p: float = Field(0.5, ge=0, le=1)

    def kept(self, count: tf.Tensor, height: tf.Tensor, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        of_share, of_place = tf.unstack(tf.random.split(seed, 2))
        half = tf.sqrt(1 - _beta(self.alpha, count, of_share)) / 2
        centre = tf.random.stateless_uniform([2, count], of_place)

        def covered(centre: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
            """1 where a line of pixels is covered: float32 [count, length]."""
            pixels = tf.range(tf.cast(length, tf.float32))
            start, stop = (tf.round(each * tf.cast(length, tf.float32)) for each in (centre - half, centre + half))
            return tf.cast((pixels >= start[:, None]) & (pixels < stop[:, None]), tf.float32)

        return 1 - covered(centre[0], height)[:, :, None, None] * covered(centre[1], width)[:, None, :, None]


MIXES: dict[str, type[Mix]] = {"MixUp": MixUp, "CutMix": CutMix}


def _beta(alpha: float, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Beta(alpha, alpha), float32 `[count]`: the share of one of two gamma variables in their sum.

    By their logarithms, because those of a small alpha are too small for numbers: a variable of alpha is one of
    alpha + 1 times a uniform one to the power of 1 / alpha (Marsaglia and Tsang 2000, section 6).
    """
    import tensorflow as tf

    of_gamma, of_uniform = tf.unstack(tf.random.split(seed, 2))
    gamma = tf.random.stateless_gamma([2, count], of_gamma, alpha + 1, dtype=tf.float64)
    uniform = 1 - tf.random.stateless_uniform([2, count], of_uniform, dtype=tf.float64)  # above 0
    logarithm = tf.math.log(gamma) + tf.math.log(uniform) / alpha
    return tf.cast(tf.sigmoid(logarithm[0] - logarithm[1]), tf.float32)
