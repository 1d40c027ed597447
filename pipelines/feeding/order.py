"""The order of training: which sample comes when depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Arrange = Callable[[np.random.Generator], np.ndarray]
"""From a generator to one epoch: indices, int64, equally many each epoch."""


class Order:
    """Shuffled positions, epoch by epoch, from any step on.

    A training dataset that begins with `positions()` gives another epoch each time it is iterated: whoever iterates
    it says which one, and after how many samples of it to begin, with `start`. Only positions are shuffled, never
    decoded pictures, so a shuffle over the whole data costs nothing and going on in mid-epoch skips no work.
    """

    def __init__(self, positions: np.ndarray, seed: int, arrange: Arrange | None = None):
        """Takes what is to be ordered.

        Args:
            positions: int64 `[n]`.
            seed: the recipe's.
            arrange: which indices into `positions` make up an epoch; all of them once, shuffled, unless given.
        """
        self._positions = np.asarray(positions, np.int64)
        self._seed = seed
        self._arrange = arrange or (lambda generator: generator.permutation(len(self._positions)))
        self.start(0)

    def __len__(self) -> int:
        """How many samples an epoch has."""
        return len(self._shuffled(0))

    def start(self, epoch: int, skip: int = 0) -> None:
        """The next iteration gives `epoch`, without its first `skip` samples."""
        self._epoch, self._skip = epoch, skip

    def epoch(self) -> np.ndarray:
        """Positions of the chosen epoch, int64."""
        return self._shuffled(self._epoch)[self._skip :]

    def positions(self) -> tf.data.Dataset:
        """A dataset of (position int64, epoch int64) scalars."""
        return self._whole_epoch().unbatch()

    def batches(self, size: int) -> tf.data.Dataset:
        """The same as vectors of `size`, the last one shorter."""
        return self._whole_epoch().rebatch(size)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return self._positions[self._arrange(np.random.default_rng((self._seed, epoch)))]

    def _whole_epoch(self) -> tf.data.Dataset:
        def in_one():
            positions = self.epoch()
            yield positions, np.full_like(positions, self._epoch)

        spec = tf.TensorSpec((None,), tf.int64)
        return tf.data.Dataset.from_generator(in_one, output_signature=(spec, spec))
