"""Labels that are likelier wrong than the model: confident learning (Northcutt et al. 2021, section 3)."""

import numpy as np


def suspected(given: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples whose given label the model doubts more than is usual for that class, and which look like another class.

    The self-confidence of a class is the mean probability of it over the samples that are given it. A sample is
    suspected where its given label is below its self-confidence while another class, likelier than the given one, is
    at or above its own. The given label's probability ranks them, the lowest first (section 4, "self-confidence").

    Args:
        given: class ids, int `[n]`.
        probabilities: `[n, classes]`, of a model that was not trained on these samples.

    Returns:
        Indices of the suspected samples, the likeliest first, and for each the class that it looks like.
    """
    count, classes = probabilities.shape
    own = probabilities[np.arange(count), given].astype(np.float64)
    held = np.bincount(given, minlength=classes)
    usual = np.where(held > 0, np.bincount(given, own, classes) / np.maximum(held, 1), np.inf)
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    confident[np.arange(count), given] = -1.0
    other = confident.argmax(axis=1)
    doubted = np.flatnonzero((own < usual[given]) & (confident.max(axis=1) > own))
    doubted = doubted[np.argsort(own[doubted], kind="stable")]
    return doubted, other[doubted]
