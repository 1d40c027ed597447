"""What the evaluations of classifiers have in common, whether a picture has one label or several."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import csr_array

from ..bootstrap import measured
from ..contract import Evaluation, Raw, Value, never_right
from ..errors import JobError
from .curve_figures import precision_recall_figure, roc_figure
from .ranking import Areas

LOWER_IS_BETTER = ("log_loss", "calibration_error")

Headline = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], dict[str, np.ndarray]]
"""From how often each sample counts, `[r, n]`, and the weight of the samples that have each class, that are said to
have it, and that both holds for, `[r, classes]` each, to name and figure, `[r]`."""


class LabelEvaluation(Evaluation):
    """Gathers labels and probabilities; figures that hold for one label a picture as for several.

    A class that no sample has is left out: it has no recall, and it does not count in the means over classes. A class
    that is never said has precision 0. The ROC area needs samples with and without the class.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = tuple(class_names)
        self._keys: list[str] = []
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def update(
        self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str, raw: Callable[[], Raw]
    ) -> None:
        label, said = self._label_and_said(truth, results)
        self._keys.append(key)
        self._rows.append((np.asarray(label), np.asarray(said), np.asarray(results["probabilities"], np.float32)))
        for name in ("_arrays", "_areas"):
            self.__dict__.pop(name, None)

    @abstractmethod
    def _label_and_said(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]) -> tuple:
        """What is true of one sample and what was said of it, in the same form."""

    @abstractmethod
    def _as_columns(self, labels: np.ndarray) -> np.ndarray:
        """Labels of all samples as bool `[n, classes]`."""

    @abstractmethod
    def _right(self) -> np.ndarray:
        """Which samples were answered right in full, bool `[n]`."""

    @abstractmethod
    def _headline(self) -> Headline:
        """How to compute the figures of all classes together, in the order in which they are told."""

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, what was said, and probabilities float32 `[n, classes]`, of all samples."""
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its pictures are unusable")
        labels, said, probabilities = (np.stack(each) for each in zip(*self._rows, strict=True))
        return labels, said, probabilities

    @cached_property
    def _areas(self) -> Areas:
        labels, _, probabilities = self._arrays
        return Areas(self._as_columns(labels), probabilities)

    def values(self, intervals: bool = True) -> dict[str, Value]:
        labels, said, _ = self._arrays
        there, named = self._as_columns(labels), self._as_columns(said)
        columns = [csr_array(each.astype(np.float64)) for each in (there, named, there & named)]

        headline = self._headline()

        def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
            return headline(weights, *(weights @ each for each in columns))

        whole = measured(figures, len(labels), intervals, LOWER_IS_BETTER)
        return whole | self._per_class(*(each.sum(axis=0) for each in columns))

    def _per_class(self, there: np.ndarray, named: np.ndarray, hits: np.ndarray) -> dict[str, Value]:
        figures = {
            "precision": hits / np.maximum(named, 1),
            "recall": hits / np.maximum(there, 1),
            "f1": 2 * hits / np.maximum(there + named, 1),
            "roc_auc": self._areas.roc,
            "average_precision": self._areas.average_precision,
        }
        return {
            f"{figure}/{name}": Value(float(values[i]))
            for figure, values in figures.items()
            for i, name in enumerate(self.class_names)
            if there[i] and not np.isnan(values[i])
        }

    def plots(self) -> dict[str, Figure]:
        """`roc` and `precision_recall`: a curve for each class against the rest."""
        labels, said, probabilities = self._arrays
        there = self._as_columns(labels)
        return {
            "roc": roc_figure(there, probabilities, self._areas.roc, self.class_names),
            "precision_recall": precision_recall_figure(
                there, probabilities, self._areas.average_precision, self.class_names, self._points()
            ),
        }

    def _points(self) -> np.ndarray | None:
        """Where on its precision-recall curve each class is used: recall and precision `[classes, 2]`, if it is."""
        return None

    def notes(self) -> list[str]:
        """The classes that are never predicted, or never rightly."""
        labels, said, _ = self._arrays
        there, named = self._as_columns(labels), self._as_columns(said)
        return never_right(self.class_names, *(each.sum(axis=0) for each in (there, named, there & named)))

    def scores(self) -> dict[str, float]:
        """1 for a sample that was answered right in full, else 0."""
        return dict(zip(self._keys, self._right().astype(float).tolist(), strict=True))


def f1_macro(there: np.ndarray, named: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """The mean of F1 over the classes that occur; float64 `[r]`, NaN where none does.

    Args:
        there: the weight of the samples that have each class, `[r, classes]`.
        named: of those that are said to have it.
        hits: of those that both holds for.
    """
    held = there > 0
    f1 = np.where(held, 2 * hits / np.maximum(there + named, 1), 0)
    return np.divide(f1.sum(axis=1), held.sum(axis=1), out=np.full(len(held), np.nan), where=held.any(axis=1))
