"""IoU and Dice from confusion counts, the threshold of the best Dice, average precision of objects."""

from collections.abc import Sequence

import numpy as np

from ..inputs.image.options import IGNORE


def count_pixels(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of one image, int64 `[classes, classes]`: rows are the truth, columns what was said.

    Args:
        truth: class ids `[height, width]`; 255 does not count.
        said: class ids of the same shape.
        classes: how many there are.
    """
    counted = truth != IGNORE
    pairs = truth[counted].astype(np.int64) * classes + said[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def margins(matrix: np.ndarray) -> np.ndarray:
    """Of each class the pixels that are right, that are it, and that are said to be it: `[3, classes]`."""
    return np.stack([np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)])


def iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union of each class (Jaccard 1901), `[..., classes]` from `[..., 3, classes]` of `margins`.

    NaN where a class is neither there nor said.
    """
    right, there, said = np.moveaxis(np.asarray(counts, np.float64), -2, 0)
    return divided(right, there + said - right)


def dice(counts: np.ndarray) -> np.ndarray:
    """Twice the intersection over the sum of both areas (Dice 1945); else as `iou`."""
    right, there, said = np.moveaxis(np.asarray(counts, np.float64), -2, 0)
    return divided(2 * right, there + said)


def divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN where the divisor is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return divided(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


class Confusion:
    """Confusion of the pixels of many images.

    Whole, it is one matrix; of each image only the margins are kept, from which all metrics follow, so that metrics
    can be resampled over images: 24 bytes a class and image, whatever its size.
    """

    def __init__(self, classes: int):
        self.matrix = np.zeros((classes, classes), np.int64)
        self._margins: list[np.ndarray] = []

    def add(self, truth: np.ndarray, said: np.ndarray) -> None:
        """Takes in one image; see `count_pixels`."""
        matrix = count_pixels(truth, said, len(self.matrix))
        self.matrix += matrix
        self._margins.append(margins(matrix))

    @property
    def margins(self) -> np.ndarray:
        """Of each image, int64 `[images, 3, classes]`; see the function."""
        return np.array(self._margins, np.int64).reshape(-1, 3, len(self.matrix))

    def metrics(self, weights: np.ndarray, class_names: Sequence[str]) -> dict[str, np.ndarray]:
        """Metrics of all pixels together, NaN where one is not defined.

        `mean_iou` and `mean_dice` are means over classes (macro) of the metrics of each, in which a class that is in no
        image and in no answer takes no part. `micro_iou` and `micro_dice` pool the counts of all classes before they
        divide. As every pixel has one class, `micro_dice` always equals `pixel_accuracy`.

        Args:
            weights: how often each image counts, `[resamples, images]`.
            class_names: in the order of the class ids.

        Returns:
            Name to metric, float64 `[resamples]`: those named above, then `iou/NAME` and `dice/NAME`.
        """
        rows = self.margins
        counts = (weights @ rows.reshape(len(rows), -1).astype(np.float64)).reshape(-1, *rows.shape[1:])
        each_iou, each_dice = iou(counts), dice(counts)
        right, there, said = np.moveaxis(counts.sum(axis=-1), -1, 0)
        metrics = {
            "mean_iou": mean_of_defined(each_iou),
            "mean_dice": mean_of_defined(each_dice),
            "micro_iou": divided(right, there + said - right),
            "micro_dice": divided(2 * right, there + said),
            "pixel_accuracy": divided(right, there),
        }
        metrics |= {f"iou/{name}": each_iou[:, i] for i, name in enumerate(class_names)}
        return metrics | {f"dice/{name}": each_dice[:, i] for i, name in enumerate(class_names)}


BINS = 1024
"""Steps of the probability. A power of two: multiplying by it rounds nothing, so a bin's edge is as exact as the
comparison that the Predictor makes."""


class DiceThreshold:
    """The threshold with the best Dice of the second class, all pixels of all images pooled.

    Dice looks only at how many pixels of each class lie from a threshold on, so a histogram for each class is enough.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, BINS), np.int64)

    def add(self, truth: np.ndarray, probability: np.ndarray) -> None:
        """Takes in one image.

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


THRESHOLDS = tuple(step / 20 for step in range(10, 20))
"""Intersection over union from 0.50 to 0.95."""


def precisions(truth: np.ndarray, said: np.ndarray, excused: np.ndarray | None = None) -> np.ndarray:
    """TP / (TP + FP + FN) of the objects of one image at each of `THRESHOLDS`, float64 `[10]`.

    An object is found where the intersection over union with one of truth lies above the threshold. As that is more
    than one half, no object can be found twice. This is what the Data Science Bowl 2018 (Caicedo et al. 2019, Nature
    Methods 16) and Cellpose (Stringer et al. 2021) call average precision; it is not the area under a curve that COCO
    means by it. Cellpose counts an overlap that equals the threshold, too; the Bowl, and this, does not.

    Args:
        truth: a number for each object, 0 for none, integers `[height, width]`.
        said: likewise.
        excused: bool, by number of `said`, which objects do not count where they match none of truth, as COCO treats
            what lies in a crowd; none unless given.

    Returns:
        NaN where there is no object, neither in truth nor said.
    """
    overlaps, of_said, there, found = _overlaps(truth, said)
    hit = overlaps[:, np.newaxis] > THRESHOLDS
    free = np.zeros(len(found), bool) if excused is None else excused[: len(found)]
    too_many = np.count_nonzero(found & ~free) - hit[~free[of_said]].sum(axis=0)
    return divided(hit.sum(axis=0), there + too_many)  # of truth each is found or missed


def _overlaps(truth: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Intersection over union of each pair of objects that share pixels, and the number of the one that was said; how
    many objects truth has; bool, by number, whether an object was said."""
    truth, said = truth.ravel().astype(np.int64), said.ravel().astype(np.int64)
    sizes, found = np.bincount(truth), np.bincount(said)
    both = (truth > 0) & (said > 0)
    pairs, common = np.unique(truth[both] * len(found) + said[both], return_counts=True)
    of_truth, of_said = np.divmod(pairs, len(found))
    overlaps = common / (sizes[of_truth] + found[of_said] - common)
    return overlaps, of_said, int(np.count_nonzero(sizes[1:])), (found > 0) & (np.arange(len(found)) > 0)


class AveragePrecision:
    """Means of `precisions` over images; one without any object, neither in truth nor said, takes no part."""

    def __init__(self) -> None:
        self._precisions: list[np.ndarray] = []

    def add(self, truth: np.ndarray, said: np.ndarray, excused: np.ndarray) -> None:
        """Takes in one image."""
        self._precisions.append(precisions(truth, said, excused))

    def curve(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Threshold, as "0.50", to the mean precision, float64 `[resamples]`; NaN where no image takes part.

        Args:
            weights: how often each image counts, `[resamples, images]`.
        """
        rows = np.stack(self._precisions)
        defined = ~np.isnan(rows)
        means = divided(weights @ np.where(defined, rows, 0), weights @ defined)  # an image takes part at all or none
        return {f"{threshold:.2f}": means[:, place] for place, threshold in enumerate(THRESHOLDS)}

    def metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """`ap_50`, `ap_75`, and `mean_ap`, the mean over all thresholds; else as `curve`."""
        curve = self.curve(weights)
        mean = mean_of_defined(np.stack(list(curve.values()), axis=-1))
        return {"ap_50": curve["0.50"], "ap_75": curve["0.75"], "mean_ap": mean}
