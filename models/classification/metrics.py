"""Areas under curves, calibration, thresholds, and labels that are likely wrong."""

import numpy as np
from scipy.optimize import minimize_scalar

MAX_RESAMPLED = 25_000  # samples times classes, up to which the areas of every resample are computed anew


class Ranking:
    """The samples in the order of their scores for one class, sorted once for many weightings.

    Samples of equal score come in together, as in scikit-learn, whose `roc_auc_score` and `average_precision_score`
    with `sample_weight` give the same numbers, to 1e-15, and take 4 times (10,000 samples) to 58 times (1,000) as long
    for a hundred resamples, because they sort anew for each.

    Args:
        labels: bool `[n]`, whether the class holds.
        scores: `[n]`, higher where it is likelier.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        self._order = np.argsort(-scores, kind="stable")
        self._labels = labels[self._order].astype(np.float64)
        ordered = scores[self._order]
        self._ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The areas where samples count by weight.

        Args:
            weights: how often each sample counts, float64 `[r, n]`.

        Returns:
            ROC area and average precision (the mean of precision over the recalled), each float64 `[r]`; NaN where
            nothing is right, the ROC area also where everything is.
        """
        hits, seen = self._counts(weights)  # [r, distinct scores]
        new_hits, misses = np.diff(hits, prepend=0), seen - hits
        new_misses = np.diff(misses, prepend=0)
        positives, negatives = hits[:, -1], misses[:, -1]
        precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
        under_roc = (new_misses * (hits - new_hits / 2)).sum(axis=1)
        recalled = (new_hits * precision).sum(axis=1)
        return _ratio(under_roc, positives * negatives), _ratio(recalled, positives)

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """How fast both areas change with the weight of each sample, where all weights are 1; each float64 `[n]`.

        For the ROC area these are the placement values of DeLong et al. 1988; NaN as for `areas`.
        """
        ones = np.ones((1, len(self._order)))
        (roc,), (average,) = self.areas(ones)
        hits, seen = (each[0] for each in self._counts(ones))
        new_hits, misses = np.diff(hits, prepend=0), seen - hits
        positives, negatives, precision = hits[-1], misses[-1], hits / seen
        sizes = np.diff(self._ends, prepend=-1)

        def each(by_score: np.ndarray) -> np.ndarray:
            return np.repeat(by_score, sizes)

        beaten = _ratio(negatives - misses + np.diff(misses, prepend=0) / 2, negatives)
        losing = _ratio(hits - new_hits / 2, positives)
        of_roc = np.where(
            self._labels > 0, _ratio(each(beaten) - roc, positives), _ratio(each(losing) - roc, negatives)
        )
        # A sample raises the precision at its own score and at all below, or lowers it.
        below = np.cumsum((new_hits / seen)[::-1])[::-1]
        loss = np.cumsum((new_hits * precision / seen)[::-1])[::-1]
        of_average = _ratio(self._labels * (each(precision + below) - average) - each(loss), positives)
        back = np.empty_like(self._order)
        back[self._order] = np.arange(len(back))
        return of_roc[back], of_average[back]

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each distinct score, from the highest: the weight of right and of all samples from it upwards."""
        weights = weights[:, self._order]
        return (
            np.cumsum(weights * self._labels, axis=1)[:, self._ends],
            np.cumsum(weights, axis=1)[:, self._ends],
        )


class Areas:
    """ROC area and average precision of every class against the rest, and their means over classes.

    Attributes:
        roc, average_precision: float64 `[classes]`, NaN where a class has no samples, the ROC area also where it has
            all of them.

    Args:
        labels: bool `[n, classes]`.
        scores: float `[n, classes]`.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        count, classes = labels.shape
        self._kept: list[Ranking] | None = [] if count * classes <= MAX_RESAMPLED else None
        self._slopes = np.zeros((2, count))
        areas = []
        for i in np.flatnonzero(labels.any(axis=0)):
            ranking = Ranking(labels[:, i], scores[:, i])
            areas.append(np.array(ranking.areas(np.ones((1, count))))[:, 0])
            if self._kept is not None:
                self._kept.append(ranking)
            else:
                self._slopes += np.nan_to_num(ranking.slopes())
        self.roc, self.average_precision = np.full((2, classes), np.nan)
        for i, (roc, average) in zip(np.flatnonzero(labels.any(axis=0)), areas, strict=True):
            self.roc[i], self.average_precision[i] = roc, average
        self._means = np.array([_mean(self.roc[None]), _mean(self.average_precision[None])])  # [2, 1]
        defined = np.array([np.count_nonzero(~np.isnan(each)) for each in (self.roc, self.average_precision)])
        self._slopes /= np.maximum(defined, 1)[:, None]

    def means(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means over classes where samples count by weight.

        Up to 25,000 samples times classes each class is measured anew; with more the means follow their slopes from
        the samples as they are (the infinitesimal jackknife, Efron 1982, chapter 6), which takes one sort a class
        however many resamples there are.

        Args:
            weights: float64 `[r, n]`.

        Returns:
            Mean ROC area and mean average precision, each float64 `[r]`, NaN where no class has one.
        """
        if self._kept is None:
            along = np.clip(self._means + self._slopes @ (weights - 1).T, 0, 1)
            return along[0], along[1]
        if not self._kept:
            return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        areas = np.array([ranking.areas(weights) for ranking in self._kept])  # [classes, 2, r]
        return _mean(areas[:, 0].T), _mean(areas[:, 1].T)


def _mean(rows: np.ndarray) -> np.ndarray:
    """The mean of each row over what is no NaN; NaN where nothing else is."""
    there = ~np.isnan(rows)
    return _ratio(np.where(there, rows, 0).sum(axis=1), there.sum(axis=1))


def _ratio(part: np.ndarray, whole: np.ndarray | float) -> np.ndarray:
    """`part / whole`, NaN where `whole` is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


BINS = 15
COLDEST, HOTTEST = 0.1, 10.0
MIN_SAMPLES = 20  # samples: with less, and where all are right, the loss says nothing about how sure to be
MIN_PROBABILITY = 1e-38  # about the smallest float32; a probability of 0 has no logarithm


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
    return np.exp(_log_probabilities(np.log(np.maximum(probabilities, MIN_PROBABILITY, dtype=np.float64)) * power))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray, made_at: float = 1.0) -> float:
    """The temperature by which logits are divided for the smallest log loss (Guo et al. 2017, section 4.2).

    Args:
        probabilities: `[n, classes]`.
        labels: class ids, int `[n]`.
        made_at: the temperature that the probabilities were made at.

    Returns:
        From 0.1 to 10; what lies beyond comes from too few samples, not from a network.
    """
    logits = np.log(np.maximum(probabilities, MIN_PROBABILITY, dtype=np.float64)) * made_at
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -_log_probabilities(logits / np.exp(log_temperature))[rows, labels].mean()

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


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
