"""How good a classifier is where each picture has any number of labels."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from ..errors import JobError
from ..task import Case, Evaluation, Value
from .bootstrap import measured
from .figures import bars_figure


class MultiLabelEvaluation(Evaluation):
    """Mean average precision, macro and micro F1, exact match; per label precision, recall, F1, average precision.

    Average precision needs no threshold; all else is at the Predictor's. A label that no sample has is left out: it has
    no recall, and it does not count in the means over labels; micro F1 and exact match count all.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = tuple(class_names)
        self._keys: list[str] = []
        self._labels: list[np.ndarray] = []
        self._present: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []

    def update(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str) -> None:
        """Truth: `labels` `[classes]`, 1 for those that are there. Results: `present`, `probabilities` `[classes]`."""
        self._keys.append(key)
        self._labels.append(np.asarray(truth["labels"]) > 0.5)
        self._present.append(np.asarray(results["present"], bool))
        self._probabilities.append(np.asarray(results["probabilities"], np.float32))
        self.__dict__.pop("_arrays", None)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its pictures are unusable")
        return np.stack(self._labels), np.stack(self._present), np.stack(self._probabilities)

    def values(self, intervals: bool = True) -> dict[str, Value]:
        labels, present, probabilities = self._arrays
        right = labels & present
        exact = (labels == present).all(axis=1)
        curves = [_Curve(labels[:, i], probabilities[:, i]) for i in range(labels.shape[1])]

        def headline(weights: np.ndarray) -> dict[str, float]:
            there, said, hits = weights @ labels, weights @ present, weights @ right
            held = there > 0
            figures = {"exact_match": weights @ exact / weights.sum()}
            if held.any():
                precisions = [curves[i].average_precision(weights) for i in np.flatnonzero(held)]
                figures["mean_average_precision"] = np.mean(precisions)
                figures["f1_macro"] = np.mean(2 * hits[held] / (there + said)[held])
                figures["f1_micro"] = 2 * hits.sum() / (there + said).sum()
            return figures

        per_label = self._per_label(labels, present)
        ones = np.ones(len(labels))
        for name, curve, there in zip(self.class_names, curves, labels.any(axis=0), strict=True):
            if there:
                per_label[f"average_precision/{name}"] = Value(float(curve.average_precision(ones)))
        return measured(headline, len(labels), intervals) | per_label

    def _per_label(self, labels: np.ndarray, present: np.ndarray) -> dict[str, Value]:
        columns = [  # one label at a time: scikit-learn takes a single column for the two classes 0 and 1
            precision_recall_fscore_support(labels[:, i], present[:, i], average="binary", zero_division=0)[:3]
            if labels[:, i].any()
            else None
            for i in range(labels.shape[1])
        ]
        return {
            f"{figure}/{name}": Value(float(column[place]))
            for place, figure in enumerate(("precision", "recall", "f1"))
            for name, column in zip(self.class_names, columns, strict=True)
            if column is not None
        }

    def figures(self) -> dict[str, Figure]:
        values = self.values(intervals=False)
        precisions = {name: values.get(f"average_precision/{name}") for name in self.class_names}
        shown = {name: value.value for name, value in precisions.items() if value is not None}
        return {"average_precision": bars_figure(shown, "average precision")}

    def worst(self, n: int) -> list[Case]:
        """The samples with the label that the model was surest of and wrong about."""
        labels, present, probabilities = self._arrays
        off = np.where(labels != present, np.abs(probabilities - labels), 0)
        label = off.argmax(axis=1)
        badness = off.max(axis=1)
        order = np.argsort(-badness, kind="stable")[:n]
        return [self._case(i, label[i], float(badness[i])) for i in order if badness[i] > 0]

    def _case(self, sample: int, label: int, badness: float) -> Case:
        name, probability = self.class_names[label], self._probabilities[sample][label]
        missed = self._labels[sample][label]
        note = f"missed {name} {probability:.2f}" if missed else f"said {name} {probability:.2f}, is not"
        return Case(self._keys[sample], badness, note)


class _Curve:
    """Precision and recall of one label, sorted once for many weightings of the samples."""

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        self._order = np.argsort(-scores, kind="stable")
        self._labels = labels[self._order].astype(np.float64)
        ordered = scores[self._order]
        # Samples of equal score come in together: each takes the precision behind the last of its equals.
        self._last = np.searchsorted(-ordered, -ordered, side="right") - 1

    def average_precision(self, weights: np.ndarray) -> float:
        """The mean of precision over the recalled, as in `sklearn.metrics.average_precision_score`."""
        weights = weights[self._order]
        hits = weights * self._labels
        seen = np.cumsum(weights)[self._last]
        precision = np.cumsum(hits)[self._last] / np.maximum(seen, 1)
        return hits @ precision / hits.sum()
