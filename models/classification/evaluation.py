"""How good a classifier is, whether each image has one label or several."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix

from ..contract import Case, Evaluation, Raw, Value, never_right
from ..errors import JobError
from ..metrics.bootstrap import measured
from ..metrics.plots import bars_figure, confusion_figure
from .metrics import (
    MIN_SAMPLES,
    Areas,
    CalibrationError,
    at_precision,
    best_f1,
    bins_of,
    fit_temperature,
    rescaled,
    suspected,
)
from .plots import Reliability, precision_recall_figure, reliability_figure, roc_figure

LOWER_IS_BETTER = ("log_loss", "calibration_error")

Headline = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], dict[str, np.ndarray]]
"""From how often each sample counts, `[r, n]`, and the weight of the samples that have each class, that are said to
have it, and that both holds for, `[r, classes]` each, to name and metric, `[r]`."""


class LabelEvaluation(Evaluation):
    """Gathers labels and probabilities; metrics that hold for one label an image as for several.

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
        """How to compute the metrics of all classes together, in the order in which they are told."""

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, what was said, and probabilities float32 `[n, classes]`, of all samples."""
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its images are unusable")
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

        def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
            return headline(weights, *(weights @ each for each in columns))

        whole = measured(metrics, len(labels), intervals, LOWER_IS_BETTER)
        return whole | self._per_class(*(each.sum(axis=0) for each in columns))

    def _per_class(self, there: np.ndarray, named: np.ndarray, hits: np.ndarray) -> dict[str, Value]:
        metrics = {
            "precision": hits / np.maximum(named, 1),
            "recall": hits / np.maximum(there, 1),
            "f1": 2 * hits / np.maximum(there + named, 1),
            "roc_auc": self._areas.roc,
            "average_precision": self._areas.average_precision,
        }
        return {
            f"{metric}/{name}": Value(float(values[i]))
            for metric, values in metrics.items()
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
            metrics = {"accuracy": weights @ right / total}
            if len(self.class_names) > TOP:
                metrics[f"top_{TOP}"] = weights @ among_best / total
            metrics["f1_macro"] = f1_macro(there, named, hits)
            metrics["roc_auc"], metrics["average_precision"] = self._areas.means(weights)
            metrics["log_loss"] = weights @ losses / total
            metrics["calibration_error"] = calibration_error(weights)
            return metrics

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
        if len(labels) < MIN_SAMPLES or self._right().all():
            why = "all are right" if self._right().all() else f"there are less than {MIN_SAMPLES}"
            log.info("the temperature stays %g: of %d validation samples %s", self._temperature, len(labels), why)
            return {}
        return {"temperature": fit_temperature(probabilities, labels, self._temperature)}


def _of(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Of each row the probability of one class."""
    return probabilities[np.arange(len(classes)), classes]


MIN_POSITIVES = (
    10  # validation samples that have a label: with less, its threshold is mostly chance, and the log says so
)


class MultiLabelEvaluation(LabelEvaluation):
    """Exact match, mean average precision, macro and micro F1, mean ROC area; per label precision, recall, F1, ROC area
    and average precision.

    Areas and average precision need no threshold; all else is at the Predictor's.

    Args:
        class_names: in the order of the labels.
        thresholds: how `choose_settings` sets them, as in `ClassificationOptions`; a number leaves them alone.
    """

    def __init__(self, class_names: Sequence[str], thresholds: str | float | Mapping[str, float] = "best_f1"):
        super().__init__(class_names)
        self._thresholds = thresholds

    def _label_and_said(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray]) -> tuple:
        return np.asarray(truth["labels"]) > 0.5, np.asarray(results["present"], bool)

    def _as_columns(self, labels: np.ndarray) -> np.ndarray:
        return labels

    def _right(self) -> np.ndarray:
        labels, present, _ = self._arrays
        return (labels == present).all(axis=1)

    def _headline(self) -> Headline:
        exact = self._right()

        def headline(weights, there, named, hits):
            roc, average_precision = self._areas.means(weights)
            return {
                "exact_match": weights @ exact / weights.sum(axis=1),
                "mean_average_precision": average_precision,
                "f1_macro": f1_macro(there, named, hits),
                "f1_micro": _f1(*(each.sum(axis=1) for each in (there, named, hits))),
                "roc_auc": roc,
            }

        return headline

    def plots(self) -> dict[str, Figure]:
        """`average_precision` of each label as bars, `roc`, and `precision_recall` with the thresholds marked."""
        precisions = zip(self.class_names, self._areas.average_precision, strict=True)
        shown = {name: Value(float(value)) for name, value in precisions if not np.isnan(value)}
        return {"average_precision": bars_figure(shown, "average precision"), **super().plots()}

    def _points(self) -> np.ndarray:
        labels, present, _ = self._arrays
        hits = (labels & present).sum(axis=0)
        recall, precision = (hits / np.maximum(each.sum(axis=0), 1) for each in (labels, present))
        return np.stack([recall, np.where(present.any(axis=0), precision, 1)], axis=1)  # as scikit-learn's curve ends

    def worst(self, n: int) -> list[Case]:
        """The samples with the label that the model was surest of and wrong about."""
        labels, present, probabilities = self._arrays
        off = np.where(labels != present, np.abs(probabilities - labels), 0)
        label = off.argmax(axis=1)
        badness = off.max(axis=1)
        order = np.argsort(-badness, kind="stable")[:n]
        return [self._case(i, label[i], float(badness[i])) for i in order if badness[i] > 0]

    def _case(self, sample: int, label: int, badness: float) -> Case:
        labels, _, probabilities = self._arrays
        name, probability = self.class_names[label], probabilities[sample, label]
        note = f"missed {name} {probability:.2f}" if labels[sample, label] else f"said {name} {probability:.2f}, is not"
        return Case(self._keys[sample], badness, note)

    def label_issues(self, n: int) -> list[Case]:
        """Samples with a label that is likelier wrong than the model, each label judged on its own; a sample stands
        here once, for its most doubtful label."""
        labels, _, probabilities = self._arrays
        found: dict[int, tuple[float, int]] = {}
        for label, (given, scores) in enumerate(zip(labels.T, probabilities.T, strict=True)):
            for sample in suspected(given.astype(int), np.stack([1 - scores, scores], axis=1))[0]:
                doubt = (abs(float(given[sample]) - float(scores[sample])), label)
                found[sample] = max(found.get(sample, doubt), doubt)
        worst = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:n]
        return [
            Case(
                self._keys[sample],
                doubt,
                f"labelled {'' if labels[sample, label] else 'not '}{self.class_names[label]}, the model says "
                f"{probabilities[sample, label]:.2f}",
            )
            for sample, (doubt, label) in worst
        ]

    def choose_settings(self) -> dict[str, float]:
        """`threshold/NAME` for each label that a sample has; a label that none has keeps its threshold."""
        labels, _, probabilities = self._arrays
        if isinstance(self._thresholds, int | float):
            return {}
        counts = labels.sum(axis=0)
        self._warn("no validation sample has the label, its threshold stays as it is: %s", counts == 0)
        self._warn(
            f"less than {MIN_POSITIVES} validation samples have the label, its threshold is rough: %s",
            counts < MIN_POSITIVES,
        )
        chosen, failed = {}, []
        for i in np.flatnonzero(counts):
            name, threshold = self.class_names[i], None
            if isinstance(self._thresholds, str):
                threshold = best_f1(labels[:, i], probabilities[:, i])
            else:
                threshold, reached = at_precision(labels[:, i], probabilities[:, i], self._thresholds["precision"])
                if reached < self._thresholds["precision"]:
                    failed.append(f"{name} ({reached:.2f})")
            chosen[f"threshold/{name}"] = threshold
        if failed:
            wanted = self._thresholds["precision"]
            told = ", ".join(failed)
            log.warning("no threshold reaches precision %g on validation, the highest is taken: %s", wanted, told)
        return chosen

    def _warn(self, message: str, which: np.ndarray) -> None:
        if which.any():
            log.warning(message, ", ".join(self.class_names[i] for i in np.flatnonzero(which)))


def _f1(there: np.ndarray, named: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """F1 from weights `[r]`; NaN where nothing is there."""
    return np.divide(2 * hits, there + named, out=np.full(len(there), np.nan), where=there > 0)
