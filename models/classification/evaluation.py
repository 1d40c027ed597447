"""How good a classifier is where each picture has exactly one label."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ..errors import JobError
from ..task import Case, Evaluation, Value
from .bootstrap import measured
from .figures import confusion_figure

TOP = 5


class SingleLabelEvaluation(Evaluation):
    """Accuracy, top-5 (with more than 5 classes), macro F1, log loss; per class precision, recall and F1.

    A class that no sample has is left out: it has no recall, and it does not count in the macro mean. A class that is
    never said has precision 0.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = tuple(class_names)
        self._keys: list[str] = []
        self._labels: list[int] = []
        self._said: list[int] = []
        self._probabilities: list[np.ndarray] = []

    def update(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str) -> None:
        """Truth: `label`, a class id. Results: `class_id` and `probabilities` `[classes]`."""
        self._keys.append(key)
        self._labels.append(int(truth["label"]))
        self._said.append(int(results["class_id"]))
        self._probabilities.append(np.asarray(results["probabilities"], np.float32))
        self.__dict__.pop("_arrays", None)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its pictures are unusable")
        return np.array(self._labels), np.array(self._said), np.stack(self._probabilities)

    def values(self, intervals: bool = True) -> dict[str, Value]:
        labels, said, probabilities = self._arrays
        right = labels == said
        own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        losses = -np.log(np.clip(own, np.finfo(np.float32).eps, 1))
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        among_best = (best == labels[:, np.newaxis]).any(axis=1)
        classes = len(self.class_names)

        def headline(weights: np.ndarray) -> dict[str, float]:
            total = weights.sum()
            there, named, hits = (
                np.bincount(each, chosen, classes)
                for each, chosen in ((labels, weights), (said, weights), (labels, weights * right))
            )
            figures = {"accuracy": weights @ right / total}
            if classes > TOP:
                figures[f"top_{TOP}"] = weights @ among_best / total
            figures["f1_macro"] = np.mean((2 * hits / np.maximum(there + named, 1))[there > 0])
            figures["log_loss"] = weights @ losses / total
            return figures

        return measured(headline, len(labels), intervals) | self._per_class(labels, said)

    def _per_class(self, labels: np.ndarray, said: np.ndarray) -> dict[str, Value]:
        *figures, support = precision_recall_fscore_support(
            labels, said, labels=range(len(self.class_names)), zero_division=0
        )
        return {
            f"{figure}/{name}": Value(float(values[i]))
            for figure, values in zip(("precision", "recall", "f1"), figures, strict=True)
            for i, name in enumerate(self.class_names)
            if support[i]
        }

    def figures(self) -> dict[str, Figure]:
        labels, said, _ = self._arrays
        matrix = confusion_matrix(labels, said, labels=range(len(self.class_names)))
        return {"confusion": confusion_figure(matrix, self.class_names)}

    def worst(self, n: int) -> list[Case]:
        """The mistakes that the model was surest of."""
        labels, said, probabilities = self._arrays
        scores = probabilities[np.arange(len(said)), said]
        mistakes = np.flatnonzero(labels != said)
        mistakes = mistakes[np.argsort(-scores[mistakes], kind="stable")][:n]
        names = self.class_names
        return [
            Case(self._keys[i], float(scores[i]), f"said {names[said[i]]} {scores[i]:.2f}, is {names[labels[i]]}")
            for i in mistakes
        ]
