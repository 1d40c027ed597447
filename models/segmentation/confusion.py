"""Which pixels were taken for what: a confusion matrix that grows picture by picture, and the figures it gives."""

from collections.abc import Sequence

import numpy as np

from ..inputs.image.options import IGNORE


def count_pixels(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of one picture, int64 `[classes, classes]`: rows are the truth, columns what was said.

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
    """Confusion of the pixels of many pictures.

    Whole, it is one matrix; of each picture only the margins are kept, from which all figures follow, so that figures
    can be resampled over pictures: 24 bytes a class and picture, whatever its size.
    """

    def __init__(self, classes: int):
        self.matrix = np.zeros((classes, classes), np.int64)
        self._margins: list[np.ndarray] = []

    def add(self, truth: np.ndarray, said: np.ndarray) -> None:
        """Takes in one picture; see `count_pixels`."""
        matrix = count_pixels(truth, said, len(self.matrix))
        self.matrix += matrix
        self._margins.append(margins(matrix))

    @property
    def margins(self) -> np.ndarray:
        """Of each picture, int64 `[pictures, 3, classes]`; see the function."""
        return np.array(self._margins, np.int64).reshape(-1, 3, len(self.matrix))

    def figures(self, weights: np.ndarray, class_names: Sequence[str]) -> dict[str, np.ndarray]:
        """Figures of all pixels together, NaN where one is not defined.

        `mean_iou` and `mean_dice` are means over classes (macro) of the figures of each, in which a class that is in no
        picture and in no answer takes no part. `micro_iou` and `micro_dice` pool the counts of all classes before they
        divide. As every pixel has one class, `micro_dice` always equals `pixel_accuracy`.

        Args:
            weights: how often each picture counts, `[resamples, pictures]`.
            class_names: in the order of the class ids.

        Returns:
            Name to figure, float64 `[resamples]`: those named above, then `iou/NAME` and `dice/NAME`.
        """
        rows = self.margins
        counts = (weights @ rows.reshape(len(rows), -1).astype(np.float64)).reshape(-1, *rows.shape[1:])
        each_iou, each_dice = iou(counts), dice(counts)
        right, there, said = np.moveaxis(counts.sum(axis=-1), -1, 0)
        figures = {
            "mean_iou": mean_of_defined(each_iou),
            "mean_dice": mean_of_defined(each_dice),
            "micro_iou": divided(right, there + said - right),
            "micro_dice": divided(2 * right, there + said),
            "pixel_accuracy": divided(right, there),
        }
        figures |= {f"iou/{name}": each_iou[:, i] for i, name in enumerate(class_names)}
        return figures | {f"dice/{name}": each_dice[:, i] for i, name in enumerate(class_names)}
