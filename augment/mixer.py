"""Mixing the samples of a batch with each other, inside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .mixes import Mix

if TYPE_CHECKING:
    import tensorflow as tf


class Mixing(NamedTuple):
    """What happens to one batch of `n` samples.

    Attributes:
        kept: how much of each pixel is kept, 0..1; float32 `[n, height or 1, width or 1, 1]`.
        share: how much of a sample's own targets is kept, the mean of `kept`; float32 `[n]`.
        partner: which sample of the batch gives the rest; int32 `[n]`.
    """

    kept: tf.Tensor
    share: tf.Tensor
    partner: tf.Tensor

    def apply(self, images: tf.Tensor) -> tf.Tensor:
        """Float `[n, height, width, channels]`, mixed."""
        import tensorflow as tf

        return self.kept * images + (1 - self.kept) * tf.gather(images, self.partner)

    def values(self, values: tf.Tensor) -> tf.Tensor:
        """Targets or sample weights, float `[n, ...]`, mixed."""
        import tensorflow as tf

        share = tf.reshape(self.share, [-1] + [1] * (values.shape.rank - 1))
        return share * values + (1 - share) * tf.gather(values, self.partner)

    def targets(self, x: tf.Tensor, *rest: Any) -> tuple:
        """Keras' `(x, y)` or `(x, y, sample_weight)`, mixed; `y` may be a structure of tensors."""
        import tensorflow as tf

        return self.apply(x), *tf.nest.map_structure(self.values, rest)


class Mixer:
    """Chooses for each batch whether and how it is mixed.

    Each batch gets at most one mix. Where the `p` of all add up to 1 or less, each is the probability of its mix, and
    the rest of the batches stay as they are; where they add up to more, every batch is mixed, by the mixes in
    proportion to their `p`.
    """

    def __init__(self, mixes: Sequence[Mix]):
        self._mixes = tuple(mixes)
        total = max(1.0, sum(mix.p for mix in mixes))
        self._bounds = [sum(mix.p for mix in mixes[: place + 1]) / total for place in range(len(mixes))]

    @property
    def names(self) -> str:
        """For messages: "MixUp, CutMix"."""
        return ", ".join(type(mix).__name__ for mix in self._mixes)

    def __call__(
        self, keys: tf.Tensor, epoch: tf.Tensor, seed: int, height: tf.Tensor | int, width: tf.Tensor | int
    ) -> Mixing:
        """Draws everything for one batch, from (seed, epoch, keys) alone: graph operations without state.

        Args:
            keys: of the samples, string `[n]`.
            epoch: int64 scalar.
            seed: the seed of the run.
            height: of the images, in pixels.
            width: likewise.
        """
        import tensorflow as tf

        text = tf.strings.join([str(seed), tf.as_string(epoch), tf.strings.reduce_join(keys, separator="/")], "/")
        root = tf.stack([tf.strings.to_hash_bucket_fast(text, 2**63 - 1), tf.constant(0, tf.int64)])
        of_choice, of_partner, of_mix = tf.unstack(tf.random.split(root, 3))
        count = tf.size(keys)
        choice = tf.reduce_sum(tf.cast(tf.random.stateless_uniform([], of_choice) >= self._bounds, tf.int32))
        kept = tf.switch_case(
            choice,
            [lambda mix=mix: mix.kept(count, height, width, of_mix) for mix in self._mixes],
            default=lambda: tf.ones([count, 1, 1, 1]),
        )
        partner = tf.argsort(tf.random.stateless_uniform([count], of_partner))
        return Mixing(kept, tf.reduce_mean(kept, axis=[1, 2, 3]), partner)
