"""The order of training: which sample comes when depends on seed and epoch alone."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class Order:
    """Shuffled positions, epoch by epoch, from any step on.

    A training dataset that begins with `positions()` gives another epoch each time it is iterated: whoever iterates
    it says which one, and after how many samples of it to begin, with `start`. Only positions are shuffled, never
    decoded pictures, so a shuffle over the whole data costs nothing and going on in mid-epoch skips no work.
    """

    def __init__(self, positions: np.ndarray, seed: int):
        self._positions = np.asarray(positions, np.int64)
        self._seed = seed
        self.start(0)

    def __len__(self) -> int:
        return len(self._positions)

    def start(self, epoch: int, skip: int = 0) -> None:
        """The next iteration gives `epoch`, without its first `skip` samples."""
        self._epoch, self._skip = epoch, skip

    def epoch(self) -> np.ndarray:
        """Positions of the chosen epoch, int64."""
        shuffled = np.random.default_rng((self._seed, self._epoch)).permutation(self._positions)
        return shuffled[self._skip :]

    def positions(self) -> tf.data.Dataset:
        """A dataset of (position int64, epoch int64) scalars."""
        return self._whole_epoch().unbatch()

    def batches(self, size: int) -> tf.data.Dataset:
        """The same as vectors of `size`, the last one shorter."""
        return self._whole_epoch().rebatch(size)

    def _whole_epoch(self) -> tf.data.Dataset:
        def in_one():
            positions = self.epoch()
            yield positions, np.full_like(positions, self._epoch)

        spec = tf.TensorSpec((None,), tf.int64)
        return tf.data.Dataset.from_generator(in_one, output_signature=(spec, spec))
