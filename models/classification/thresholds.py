"""The probability from which on a label counts as present, chosen on samples that are not trained on."""

import numpy as np


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """The threshold of the highest F1; of equally good ones the highest.

    Args:
        labels: bool `[n]`, at least one is true.
        scores: probabilities `[n]`, float32.

    Returns:
        A probability halfway between the lowest score that it lets in and the next one.
    """
    cuts, hits, said = _counts(labels, scores)
    return _between(cuts, int(np.argmax(2 * hits / (said + labels.sum()))))


def at_precision(labels: np.ndarray, scores: np.ndarray, wanted: float) -> tuple[float, float]:
    """The lowest threshold whose precision is at least `wanted`, or where none is, that of the highest precision.

    Args:
        labels: bool `[n]`, at least one is true.
        scores: probabilities `[n]`, float32.
        wanted: 0..1.

    Returns:
        The threshold, as for `best_f1`, and its precision on these samples.
    """
    cuts, hits, said = _counts(labels, scores)
    precision = hits / said
    place = int(np.flatnonzero(precision >= min(wanted, precision.max()))[-1])
    return _between(cuts, place), float(precision[place])


def _counts(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct scores from the highest on; how many samples from each upwards are right, and how many there are."""
    order = np.argsort(-scores, kind="stable")
    ordered = np.asarray(scores, np.float32)[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    return ordered[ends], np.cumsum(labels[order])[ends], ends + 1


def _between(cuts: np.ndarray, place: int) -> float:
    lowest, next_one = cuts[place], cuts[place + 1] if place + 1 < len(cuts) else np.float32(0)
    halfway = np.float32((lowest + next_one) / 2)
    return float(halfway if halfway > next_one else lowest)  # neighbouring floats have nothing between them
