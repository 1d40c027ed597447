"""How good a classifier is where each picture has exactly one label."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from ..class_figures import confusion_figure
from ..contract import Case
from .calibration import FEWEST, CalibrationError, bins_of, fit_temperature, rescaled
from .label_evaluation import Headline, LabelEvaluation, f1_macro
from .reliability_figure import Reliability, reliability_figure
from .suspects import suspected

log = logging.getLogger("saccade")

TOP = 5


class SingleLabelEvaluation(LabelEvaluation):
    """Accuracy, top-5 (with more than 5 classes), macro F1, mean ROC area and average precision over classes, log loss,
    calibration error; per class precision, recall, F1, ROC area and average precision.

    Args:
        class_names: in the order of the class ids.
        temperature: what logits were divided by for the probabilities that it is fed with.
        calibrate: whether `choose_settings` fits the temperature.
    """

    def __init__(self, class_names: Sequence[str], temperature: float = 1.0, calibrate: bool = True):
        super().__init__(class_names)
        self._temperature, self._calibrate = temperature, calibrate

    def _label_and_said(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]) -> tuple:
        return int(truth["label"]), int(results["class_id"])

    def _as_columns(self, labels: np.ndarray) -> np.ndarray:
        return labels[:, np.newaxis] == np.arange(len(self.class_names))

    def _right(self) -> np.ndarray:
        labels, said, _ = self._arrays
        return labels == said

    def _headline(self) -> Headline:
        labels, said, probabilities = self._arrays
        losses = -np.log(np.clip(_of(probabilities, labels).astype(np.float64), np.finfo(np.float32).eps, 1))
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        among_best = (best == labels[:, np.newaxis]).any(axis=1)
        right, calibration_error = self._right(), CalibrationError(_of(probabilities, said), self._right())

        def headline(weights, there, named, hits):
            total = weights.sum(axis=1)
            figures = {"accuracy": weights @ right / total}
            if len(self.class_names) > TOP:
                figures[f"top_{TOP}"] = weights @ among_best / total
            figures["f1_macro"] = f1_macro(there, named, hits)
            figures["roc_auc"], figures["average_precision"] = self._areas.means(weights)
            figures["log_loss"] = weights @ losses / total
            figures["calibration_error"] = calibration_error(weights)
            return figures

        return headline

    def plots(self) -> dict[str, Figure]:
        """`confusion`, `roc`, `precision_recall`, and `reliability` before and after temperature scaling."""
        labels, said, probabilities = self._arrays
        matrix = confusion_matrix(labels, said, labels=range(len(self.class_names)))
        shown = [self._reliability(probabilities)]
        if self._temperature != 1:
            shown.insert(0, self._reliability(rescaled(probabilities, self._temperature)))
        return {
            "confusion": confusion_figure(matrix, self.class_names),
            **super().plots(),
            "reliability": reliability_figure(shown, self._temperature),
        }

    def _reliability(self, probabilities: np.ndarray) -> Reliability:
        right, confidence = self._right(), _of(probabilities, self._arrays[1])
        (error,) = CalibrationError(confidence, right)(np.ones((1, len(right))))
        return Reliability.of(bins_of(confidence), confidence, right, float(error))

    def worst(self, n: int) -> list[Case]:
        """The mistakes that the model was surest of."""
        labels, said, probabilities = self._arrays
        scores = _of(probabilities, said)
        mistakes = np.flatnonzero(labels != said)
        mistakes = mistakes[np.argsort(-scores[mistakes], kind="stable")][:n]
        names = self.class_names
        return [
            Case(self._keys[i], float(scores[i]), f"said {names[said[i]]} {scores[i]:.2f}, is {names[labels[i]]}")
            for i in mistakes
        ]

    def label_issues(self, n: int) -> list[Case]:
        """Samples whose label is likelier wrong than the model; meaningful where it was not trained on them."""
        labels, _, probabilities = self._arrays
        own = _of(probabilities, labels)
        return [
            Case(
                self._keys[i],
                1 - float(own[i]),
                f"labelled {self.class_names[labels[i]]} {own[i]:.2f}, looks like "
                f"{self.class_names[other]} {probabilities[i, other]:.2f}",
            )
            for i, other in zip(*(each[:n] for each in suspected(labels, probabilities)), strict=True)
        ]

    def choose_settings(self) -> dict[str, float]:
        """The temperature of the smallest log loss. It stays as it is with less than 20 samples, or all of them right:
        the loss would then only say that one can never be too sure."""
        labels, _, probabilities = self._arrays
        if not self._calibrate:
            return {}
        if len(labels) < FEWEST or self._right().all():
            why = "all are right" if self._right().all() else f"there are less than {FEWEST}"
            log.info("the temperature stays %g: of %d validation samples %s", self._temperature, len(labels), why)
            return {}
        return {"temperature": fit_temperature(probabilities, labels, self._temperature)}


def _of(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Of each row the probability of one class."""
    return probabilities[np.arange(len(classes)), classes]
