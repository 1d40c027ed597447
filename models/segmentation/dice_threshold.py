"""From which probability on a pixel should belong to the second of two classes."""

import numpy as np

BINS = 1024
"""Steps of the probability. A power of two: multiplying by it rounds nothing, so a bin's edge is as exact as the
comparison that the Predictor makes."""


class DiceThreshold:
    """The threshold with the best Dice of the second class, all pixels of all pictures pooled.

    Dice looks only at how many pixels of each class lie from a threshold on, so a histogram for each class is enough.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, BINS), np.int64)

    def add(self, truth: np.ndarray, probability: np.ndarray) -> None:
        """Takes in one picture.

        Args:
            truth: class ids 0 and 1 `[height, width]`; 255 does not count.
            probability: of the second class, float32 0..1, of the same shape.
        """
        bins = np.minimum((probability * np.float32(BINS)).astype(np.int64), BINS - 1)
        for known in (0, 1):
            self._counts[known] += np.bincount(bins[truth == known], minlength=BINS)

    @property
    def is_seen(self) -> bool:
        """Whether any pixel is of the second class."""
        return bool(self._counts[1].any())

    def dice(self) -> np.ndarray:
        """Dice at the thresholds 1/1024, 2/1024 and so on, float64 `[1023]`, of truth that has the second class."""
        false, true = np.cumsum(self._counts[:, ::-1], axis=1)[:, ::-1][:, 1:]  # said to be it, from each bin on
        return 2 * true / (self._counts[1].sum() + true + false)

    def best(self) -> float:
        """The threshold, in the middle of those that are equally good."""
        dice = self.dice()
        best = np.flatnonzero(dice == dice.max())
        return (int(best[len(best) // 2]) + 1) / BINS
