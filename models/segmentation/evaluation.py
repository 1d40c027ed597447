"""How good a segmentation is."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..contract import Case, Evaluation, Raw, Value, never_right
from ..errors import InputError, JobError
from ..inputs.image.options import IGNORE
from ..metrics.bootstrap import measured
from ..metrics.plots import bars_figure, confusion_figure
from .class_weights import check_mask
from .drawing import percent
from .instances import excused, objects
from .metrics import AveragePrecision, Confusion, DiceThreshold, iou, margins, mean_of_defined
from .options import SegmentationResults


def precision_figure(curve: Mapping[str, Value], mean: Value) -> Figure:
    """Average precision of objects over the threshold of overlap, with its intervals as a band.

    Args:
        curve: threshold to average precision.
        mean: over all thresholds.
    """
    thresholds = np.array([float(threshold) for threshold in curve])
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    low, high = (np.array([getattr(value, end) for value in curve.values()]) for end in ("low", "high"))
    axes.fill_between(thresholds, low, high, alpha=0.2, linewidth=0, label="95 % interval")
    axes.plot(thresholds, [value.value for value in curve.values()], marker="o", label=f"mean {mean.value:.3f}")
    axes.set(
        xlabel="an object is found above this intersection over union",
        ylabel="found / (found + missed + too many)",
        ylim=(0, 1.02),
        xticks=thresholds,
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return figure


log = logging.getLogger("saccade")


class SegmentationEvaluation(Evaluation):
    """IoU and Dice of each class, of all pixels of the split pooled, and their means; pixel accuracy; see `Confusion`.
    With `instances` the average precision of objects, too; see `average_precision.precisions`.

    All metrics have 95 % intervals, resampled over images. Pixels of 255 in truth do not count, and no object of
    truth or of a result has any there; an object that mostly lay on them is never too many (`instances.excused`).

    Args:
        class_names: in the order of the class ids.
        options: the recipe's `results` section.
    """

    def __init__(self, class_names: Sequence[str], options: SegmentationResults):
        self.class_names, self._options = tuple(class_names), options
        self._keys: list[str] = []
        self._confusion = Confusion(len(self.class_names))
        self._is_binary = len(self.class_names) == 2
        self._threshold = DiceThreshold() if self._is_binary and options.threshold is None else None
        self._objects = AveragePrecision() if options.instances != "none" else None
        self.needs = ("mask", "size", "probabilities") if self._threshold else ("mask", "size")

    def update(
        self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str, raw: Callable[[], Raw]
    ) -> None:
        """See the base.

        Raises:
            InputError: truth that does not belong to the image; see `masks.check_mask`.
            JobError: probabilities that are no numbers.
        """
        known, said = np.asarray(truth["mask"]), np.asarray(results["mask"])
        check_mask("mask", known, said.shape, self.class_names)
        if self._objects:
            instances = np.asarray(truth["instances"])
            check_mask("instances", instances, said.shape, None)
            found, counted = objects(said, self.class_names, self._options), known != IGNORE
            free = excused(found, counted, self._options)
            self._objects.add(np.where(counted, instances, 0), np.where(counted, found, 0), free)
        if self._threshold:
            probability = np.asarray(results["probabilities"], np.float32)[..., 1]
            if not np.isfinite(probability).all():
                raise JobError(
                    f"{key}: the network's answer is no number: lower train.optimizer.learning_rate, or train with "
                    "train.precision=float32"
                )
            self._threshold.add(known, probability)
        self._confusion.add(known, said)
        self._keys.append(key)

    def values(self, intervals: bool = True) -> dict[str, Value]:
        """With two classes first `dice` and `iou` of the second; then means, precision of objects, each class."""
        self._refuse_nothing()

        def metrics(weights: np.ndarray) -> dict[str, np.ndarray]:
            pixels = self._confusion.metrics(weights, self.class_names)
            first = {}
            if self._is_binary:  # where the class is neither there nor said, nothing is wrong: 1
                each = {metric: pixels[f"{metric}/{self.class_names[1]}"] for metric in ("dice", "iou")}
                first = {metric: np.where(np.isnan(values), 1.0, values) for metric, values in each.items()}
            of_objects = self._objects.metrics(weights) if self._objects else {}
            whole = {name: values for name, values in pixels.items() if "/" not in name}
            return first | whole | of_objects | pixels

        return measured(metrics, len(self._keys), intervals)

    def _refuse_nothing(self) -> None:
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its images are unusable")
        if not self._confusion.matrix.any():
            raise InputError(f"no pixel of these {len(self._keys)} images counts: their masks are all {IGNORE}")

    def plots(self) -> dict[str, Figure]:
        """`iou` of each class as bars, `confusion` of pixels, and with objects `average_precision` by threshold."""
        values = self.values()
        shown = {name.removeprefix("iou/"): value for name, value in values.items() if name.startswith("iou/")}
        plots = {
            "iou": bars_figure(shown, "intersection over union, with 95 % intervals"),
            "confusion": confusion_figure(self._confusion.matrix, self.class_names, in_percent=True),
        }
        if self._objects and "mean_ap" in values:
            curve = measured(self._objects.curve, len(self._keys), True)
            plots["average_precision"] = precision_figure(curve, values["mean_ap"])
        return plots

    def notes(self) -> list[str]:
        """The classes that no pixel is predicted to be, or none rightly."""
        right, there, said = margins(self._confusion.matrix)
        return never_right(self.class_names, there, said, right)

    def scores(self) -> dict[str, float]:
        """Mean IoU over the classes that are in truth or in the result of each image.

        An image of which no pixel counts is left out.
        """
        scores = mean_of_defined(iou(self._confusion.margins))
        return {key: float(score) for key, score in zip(self._keys, scores, strict=True) if not np.isnan(score)}

    def worst(self, n: int) -> list[Case]:
        """The images of the lowest score that are not all right, with the class that was answered worst."""
        scores = self.scores()
        places = [place for place, key in enumerate(self._keys) if scores.get(key, 1) < 1]
        places = sorted(places, key=lambda place: scores[self._keys[place]])[:n]
        counts = self._confusion.margins
        return [self._case(self._keys[place], scores[self._keys[place]], counts[place]) for place in places]

    def _case(self, key: str, score: float, counts: np.ndarray) -> Case:
        each, (right, there, said) = iou(counts), counts
        wrong = there + said - 2 * right
        worst = min(np.flatnonzero(~np.isnan(each)), key=lambda i: (each[i], -wrong[i]))
        missed, excess = ((area[worst] - right[worst]) / there.sum() for area in (there, said))
        note = (
            f"mean IoU {score:.2f}; {self.class_names[worst]} {each[worst]:.2f}: {percent(missed)} of the image "
            f"missed, {percent(excess)} too much"
        )
        return Case(key, 1 - score, note)

    def choose_settings(self) -> dict[str, float]:
        """With two classes and no fixed threshold the one of the best Dice; see `DiceThreshold`."""
        if not self._threshold:
            return {}
        if not self._threshold.is_seen:
            log.info("the threshold stays as it is: no validation mask has a pixel of '%s'", self.class_names[1])
            return {}
        return {"threshold": self._threshold.best()}
