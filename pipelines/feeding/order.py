"""The order of training: which sample comes when depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from ...augment import stable_seed

Sampler = Callable[[np.random.Generator], np.ndarray]
"""From a generator to one epoch: indices, int64, equally many each epoch."""


class Order:
    """Positions, epoch by epoch, from any step on.

    A training dataset that begins with `draws()` gives another epoch each time it is iterated: whoever iterates it says
    which one, and after how many samples of it to begin, with `start`. Only positions are shuffled, never decoded
    images, so a shuffle over the whole data costs nothing and resuming in mid-epoch skips no work.
    """

    def __init__(
        self,
        positions: np.ndarray,
        seed: int,
        sampler: Sampler | None = None,
        companions: int = 0,
        keys: Sequence[str] = (),
    ):
        """Takes what is to be ordered.

        Args:
            positions: int64 `[n]`.
            seed: the recipe's.
            sampler: which indices into `positions` make up an epoch; all of them once, shuffled, unless given.
            companions: how many other samples each draw takes along.
            keys: of all samples, by position; they decide the companions.
        """
        self._positions = np.asarray(positions, np.int64)
        self._seed, self._companions, self._keys = seed, companions, keys
        self._sampler = sampler or (lambda generator: generator.permutation(len(self._positions)))
        self.start(0)

    def __len__(self) -> int:
        """How many samples an epoch has."""
        return len(self._drawn(0))

    def start(self, epoch: int, skip: int = 0) -> None:
        """The next iteration gives `epoch`, without its first `skip` samples."""
        self._epoch, self._skip = epoch, skip

    def epoch(self) -> np.ndarray:
        """Positions of the chosen epoch, int64."""
        return self._drawn(self._epoch)[self._skip :]

    def draws(self) -> tf.data.Dataset:
        """A dataset of int64 `position`, `epoch`, `n` (how often it was drawn before in this epoch) and, where
        there are any, `companions`, positions `[k]`."""
        return self._whole_epoch().unbatch()

    def batches(self, size: int) -> tf.data.Dataset:
        """The same as vectors of `size`, the last one shorter."""
        return self._whole_epoch().rebatch(size)

    def _drawn(self, epoch: int) -> np.ndarray:
        return self._positions[self._sampler(np.random.default_rng((self._seed, epoch)))]

    def _whole_epoch(self) -> tf.data.Dataset:
        def in_one():
            drawn = self._drawn(self._epoch)
            n = earlier_draws(drawn)
            draw = {"position": drawn, "epoch": np.full_like(drawn, self._epoch), "n": n}
            if self._companions:  # TensorFlow 2.21 crashes where it takes apart what has no columns
                draw["companions"] = self._companions_of(drawn, n)
            yield {name: values[self._skip :] for name, values in draw.items()}

        vector = tf.TensorSpec((None,), tf.int64)
        spec = {"position": vector, "epoch": vector, "n": vector}
        if self._companions:
            spec["companions"] = tf.TensorSpec((None, self._companions), tf.int64)
        return tf.data.Dataset.from_generator(in_one, output_signature=spec)

    def _companions_of(self, drawn: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Other training samples, drawn by (seed, epoch, key, n)."""
        found = np.zeros((len(drawn), self._companions), np.int64)
        for row in range(len(drawn)):
            seed = stable_seed(self._seed, self._epoch, f"companions of {self._keys[drawn[row]]}", int(n[row]))
            found[row] = np.random.default_rng(seed).choice(self._positions, self._companions)
        return found


def earlier_draws(drawn: np.ndarray) -> np.ndarray:
    """For each entry how often the same value stands before it, int64."""
    order = np.argsort(drawn, kind="stable")
    ordered = drawn[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(drawn) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(drawn)])
    n = np.empty(len(drawn), np.int64)
    n[order] = np.arange(len(drawn)) - np.repeat(starts, lengths)
    return n
