"""Whether a probability is what it says: calibration error, and the temperature that mends it."""

import numpy as np
from scipy.optimize import minimize_scalar

BINS = 15
COLDEST, HOTTEST = 0.1, 10.0
FEWEST = 20  # samples: with less, and where all are right, the loss says nothing about how sure to be
TINIEST = 1e-38  # about the smallest float32; a probability of 0 has no logarithm


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """In which of 15 bins of equal width, `((m - 1) / 15, m / 15]`, each confidence lies; int `[n]` from 0."""
    return np.digitize(confidence, np.linspace(0, 1, BINS + 1)[1:-1], right=True)


class CalibrationError:
    """The expected calibration error: how far confidence is from accuracy, a mean over bins (Guo et al. 2017, eq. 3).

    Args:
        confidence: the probability of what was said, 0..1, `[n]`.
        right: bool `[n]`.
    """

    def __init__(self, confidence: np.ndarray, right: np.ndarray):
        self._gaps = np.zeros((len(confidence), BINS))
        self._gaps[np.arange(len(confidence)), bins_of(confidence)] = right - confidence.astype(np.float64)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The error, 0..1, float64 `[r]`, where samples count by weight, `[r, n]`."""
        return np.abs(weights @ self._gaps).sum(axis=1) / weights.sum(axis=1)


def rescaled(probabilities: np.ndarray, power: float) -> np.ndarray:
    """`p ** power`, made to sum to 1: what a softmax at another temperature gives.

    Args:
        probabilities: `[n, classes]`, made at temperature a.
        power: a / b, for the probabilities at temperature b.

    Returns:
        float64 `[n, classes]`.
    """
    return np.exp(_log_probabilities(np.log(np.maximum(probabilities, TINIEST, dtype=np.float64)) * power))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray, made_at: float = 1.0) -> float:
    """The temperature by which logits are divided for the smallest log loss (Guo et al. 2017, section 4.2).

    Args:
        probabilities: `[n, classes]`.
        labels: class ids, int `[n]`.
        made_at: the temperature that the probabilities were made at.

    Returns:
        From 0.1 to 10; what lies beyond comes from too few samples, not from a network.
    """
    logits = np.log(np.maximum(probabilities, TINIEST, dtype=np.float64)) * made_at
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -_log_probabilities(logits / np.exp(log_temperature))[rows, labels].mean()

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
