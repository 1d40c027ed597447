"""How good a classifier is where each picture has any number of labels."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..class_figures import bars_figure
from ..contract import Case, Value
from .label_evaluation import Headline, LabelEvaluation, f1_macro
from .suspects import suspected
from .thresholds import at_precision, best_f1

log = logging.getLogger("saccade")

FEW = 10  # validation samples that have a label: with less, its threshold is mostly chance, and the log says so


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
        self._warn(f"less than {FEW} validation samples have the label, its threshold is rough: %s", counts < FEW)
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
