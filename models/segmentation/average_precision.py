"""How well objects were found: average precision over thresholds of overlap, as in the Data Science Bowl 2018."""

import numpy as np

from .confusion import divided, mean_of_defined

THRESHOLDS = tuple(step / 20 for step in range(10, 20))
"""Intersection over union from 0.50 to 0.95."""


def precisions(truth: np.ndarray, said: np.ndarray, excused: np.ndarray | None = None) -> np.ndarray:
    """TP / (TP + FP + FN) of the objects of one picture at each of `THRESHOLDS`, float64 `[10]`.

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
    """Means of `precisions` over pictures; one without any object, neither in truth nor said, takes no part."""

    def __init__(self) -> None:
        self._precisions: list[np.ndarray] = []

    def add(self, truth: np.ndarray, said: np.ndarray, excused: np.ndarray) -> None:
        """Takes in one picture."""
        self._precisions.append(precisions(truth, said, excused))

    def curve(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Threshold, as "0.50", to the mean precision, float64 `[resamples]`; NaN where no picture takes part.

        Args:
            weights: how often each picture counts, `[resamples, pictures]`.
        """
        rows = np.stack(self._precisions)
        defined = ~np.isnan(rows)
        means = divided(weights @ np.where(defined, rows, 0), weights @ defined)  # a picture takes part at all or none
        return {f"{threshold:.2f}": means[:, place] for place, threshold in enumerate(THRESHOLDS)}

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """`ap_50`, `ap_75`, and `mean_ap`, the mean over all thresholds; else as `curve`."""
        curve = self.curve(weights)
        mean = mean_of_defined(np.stack(list(curve.values()), axis=-1))
        return {"ap_50": curve["0.50"], "ap_75": curve["0.75"], "mean_ap": mean}
