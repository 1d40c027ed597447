"""How good detections are."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..contract import Case, Evaluation, Raw, Value, never_right
from ..errors import JobError
from ..metrics.plots import bars_figure, confusion_figure, shortened
from .coco_map import CocoMap
from .matching import BACKGROUND, BOTH, CLASS, DUPLICATE, IGNORED, KINDS, PLACE, RIGHT, Judged, judge
from .options import DetectionEvaluationOptions, DetectionResults
from .voc_ap import Scene, voc_ap

log = logging.getLogger("saccade")

MIN_OBJECTS = 10
"""Validation objects of a class: with less, a threshold of its own would be chance, and it has that of all classes."""
MAX_CURVES = 10
"""Classes in one plot."""
MIN_SURE = 0.5
"""A detection from this score on where truth has nothing may be an object that was not annotated."""


class DetectionEvaluation(Evaluation):
    """COCO's average precision and recall by pycocotools, or VOC's average precision; precision, recall and F1 of the
    boxes that are answered; what is wrong about them.

    Objects that are difficult are treated as crowds are: they need not be found, and finding them is no mistake. (VOC's
    own protocol has that rule for them; COCO has no difficult objects.)

    Args:
        class_names: in the order of the class ids.
        results: the recipe's `results` section, for how thresholds are chosen.
        options: the recipe's `evaluate` section.
        settings: of the Predictor.
    """

    needs = (
        "candidate_boxes",
        "candidate_scores",
        "candidate_classes",
        "candidate_count",
        "boxes",
        "scores",
        "classes",
        "count",
    )

    def __init__(
        self,
        class_names: Sequence[str],
        results: DetectionResults,
        options: DetectionEvaluationOptions,
        settings: Mapping[str, float],
    ):
        self.class_names = tuple(class_names)
        self._results, self._options = results, options
        self._thresholds = np.array([settings[f"threshold/{name}"] for name in class_names])
        self._coco = CocoMap(len(self.class_names))
        self._keys: list[str] = []
        self._scenes: list[Scene] = []
        self._ignored: list[np.ndarray] = []
        self._served: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def update(
        self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str, raw: Callable[[], Raw]
    ) -> None:
        """See the base.

        Raises:
            JobError: scores that are no numbers.
        """
        values = {name: np.asarray(each) for name, each in {**truth, **results}.items() if name != "boxes"}
        scores = values["candidate_scores"]
        if not np.isfinite(scores).all() or not np.isfinite(values["candidate_boxes"]).all():
            raise JobError(
                f"{key}: the network's answer is no number: lower train.optimizer.learning_rate, or train with "
                "train.precision=float32"
            )
        boxes, kinds = np.asarray(truth["boxes"]), np.asarray(truth["classes"])
        ignored = (values["crowd"] > 0) | (values["difficult"] > 0)
        found = values["candidate_boxes"], scores, values["candidate_classes"]
        self._coco.add(key, boxes, kinds, ignored, values["area"], *found)
        self._keys.append(key)
        self._scenes.append(Scene(boxes, kinds, values["difficult"], *found))
        self._ignored.append(ignored)
        self._served.append(tuple(np.asarray(results[name]) for name in ("boxes", "scores", "classes")))

    def values(self, intervals: bool = True) -> dict[str, Value]:
        """See `CocoMap.values`; then `f1`, `precision` and `recall` of what is answered, at an intersection over union
        of one half. Without intervals, as during training, the metrics by area and recalls are left out."""
        if not self._keys:
            raise JobError("no sample was evaluated: the split is empty, or all its images are unusable")
        if self._options.protocol == "coco":
            values = self._coco.values(self.class_names, intervals, whole=intervals)
        else:
            values = self._voc_values()
        whole = {name: value for name, value in values.items() if "/" not in name}
        right, said, there = (each.sum() for each in self._counts())
        answered = {
            "f1": 2 * right / max(said + there, 1),
            "precision": right / max(said, 1),
            "recall": right / max(there, 1),
        }
        return whole | {name: Value(float(value)) for name, value in answered.items()} | values

    def _voc_values(self) -> dict[str, Value]:
        points = self._options.protocol == "voc07"
        each = {name: voc_ap(self._scenes, kind, points) for kind, name in enumerate(self.class_names)}
        defined = {name: value for name, value in each.items() if not np.isnan(value)}
        if not defined:
            return {}
        of_classes = {f"voc_ap/{name}": Value(value) for name, value in defined.items()}
        return {"voc_map": Value(float(np.mean(list(defined.values()))))} | of_classes

    def _judged(self) -> list[Judged]:
        """What is answered, against the truth."""
        return [
            judge(boxes, classes, scene.boxes, scene.classes, ignored)
            for (boxes, _, classes), scene, ignored in zip(self._served, self._scenes, self._ignored, strict=True)
        ]

    def _counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each class: answers that are right, all that count, and objects."""
        right, said, there = (np.zeros(len(self.class_names), int) for _ in range(3))
        for judged, (_, _, classes), scene, ignored in zip(
            self._judged(), self._served, self._scenes, self._ignored, strict=True
        ):
            np.add.at(right, classes[judged.kinds == RIGHT], 1)
            np.add.at(said, classes[judged.kinds != IGNORED], 1)
            np.add.at(there, scene.classes[~ignored], 1)
        return right, said, there

    def _candidates(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each class the scores of all candidates that count, falling, and whether each is right."""
        rows: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in self.class_names]
        for scene, ignored in zip(self._scenes, self._ignored, strict=True):
            judged = judge(scene.found, scene.found_classes, scene.boxes, scene.classes, ignored)
            for kind in range(len(self.class_names)):
                mine = (scene.found_classes == kind) & (judged.kinds != IGNORED)
                rows[kind].append((scene.scores[mine], judged.kinds[mine] == RIGHT))
        found = []
        for each in rows:
            scores, right = (np.concatenate(part) for part in zip(*each, strict=True))
            order = np.argsort(-scores, kind="stable")
            found.append((scores[order], right[order]))
        return found

    def choose_settings(self) -> dict[str, float]:
        """`threshold/NAME` of each class as `results.threshold` says; of few objects that of all classes together."""
        wanted = self._results.threshold
        if not isinstance(wanted, str | dict):
            return {}
        candidates, (_, _, there) = self._candidates(), self._counts()
        if not there.sum():
            log.info("the thresholds stay as they are: no validation image has an object")
            return {}
        scores, right = (np.concatenate(part) for part in zip(*candidates, strict=True))
        order = np.argsort(-scores, kind="stable")
        common = _threshold(scores[order], right[order], int(there.sum()), wanted)
        rare = [name for name, count in zip(self.class_names, there, strict=True) if count < MIN_OBJECTS]
        if rare and len(self.class_names) > 1:
            told = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
            log.info("less than %d validation objects: the common threshold is taken for %s", MIN_OBJECTS, told)
        return {
            f"threshold/{name}": common if count < MIN_OBJECTS else _threshold(*each, int(count), wanted)
            for name, each, count in zip(self.class_names, candidates, there, strict=True)
        }

    def plots(self) -> dict[str, Figure]:
        """`average_precision` of each class as bars, `precision_recall`, `confusion` with the background, `errors`."""
        prefix = "ap/" if self._options.protocol == "coco" else "voc_ap/"
        values = {
            name.removeprefix(prefix): value
            for name, value in self.values(intervals=False).items()
            if name.startswith(prefix)
        }
        plots = {"average_precision": bars_figure(values, "average precision")} if values else {}
        plots["precision_recall"] = self._curves_plot()
        plots["confusion"] = confusion_figure(self.confusion(), [*self.class_names, "background"])
        plots["errors"] = self._errors_plot()
        return plots

    def confusion(self) -> np.ndarray:
        """Objects (rows) against answers (columns), int `[classes + 1, classes + 1]`; the last is the background: an
        object that nothing was said of, an answer that is meant for no object or for one that was found already."""
        count = len(self.class_names)
        matrix = np.zeros((count + 1, count + 1), int)
        for judged, (_, _, said), scene in zip(self._judged(), self._served, self._scenes, strict=True):
            confused = np.zeros(len(scene.classes), bool)
            for kind, at, answer in zip(judged.kinds, judged.objects, said, strict=True):
                if kind in (RIGHT, CLASS) and (kind == RIGHT or (judged.missed[at] and not confused[at])):
                    matrix[scene.classes[at], answer] += 1
                    confused[at] = True
                elif kind != IGNORED:
                    matrix[count, answer] += 1
            np.add.at(matrix, (scene.classes[judged.missed & ~confused], count), 1)
        return matrix

    def errors(self) -> dict[str, int]:
        """How many answers are wrong in which way, and objects missed (Bolya et al. 2020, section 2.2)."""
        counts = np.zeros(len(KINDS), int)
        missed = 0
        for judged in self._judged():
            np.add.at(counts, judged.kinds, 1)
            meant = set(judged.objects[np.isin(judged.kinds, (CLASS, PLACE))].tolist())
            missed += sum(at not in meant for at in np.flatnonzero(judged.missed))
        wrong = {KINDS[kind]: int(counts[kind]) for kind in (CLASS, PLACE, BOTH, DUPLICATE, BACKGROUND)}
        return wrong | {"missed": missed}

    def _curves_plot(self) -> Figure:
        figure = Figure(figsize=(7, 4.9), layout="constrained")
        axes = figure.add_subplot()
        _, _, there = self._counts()
        shown = [kind for kind in np.argsort(-there, kind="stable") if there[kind]][:MAX_CURVES]
        candidates = self._candidates()
        for kind in shown:
            scores, right = candidates[kind]
            hits = np.cumsum(right)
            precision, recall = hits / np.arange(1, len(hits) + 1), hits / there[kind]
            name = shortened(self.class_names[kind])
            (drawn,) = axes.plot(recall, precision, label=name if not name.startswith("_") else f" {name}")
            served = int(np.count_nonzero(scores >= self._thresholds[kind]))
            if served:
                axes.plot(recall[served - 1], precision[served - 1], "o", color=drawn.get_color())
        axes.set(
            xlabel="recall: objects that are found",
            ylabel="precision: boxes that are right",
            xlim=(0, 1.02),
            ylim=(0, 1.02),
            title="at an intersection over union of 0.5; a dot where the threshold is",
        )
        axes.grid(alpha=0.3)
        if shown:
            legend = figure.legend(loc="outside right upper", title="class", fontsize=9, frameon=False)
            for text in legend.get_texts():
                text.set_parse_math(False)
        return figure

    def _errors_plot(self) -> Figure:
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.add_subplot()
        errors = self.errors()
        bars = axes.barh(range(len(errors)), list(errors.values()))
        axes.bar_label(bars, padding=3)
        names = {"class": "wrong class", "place": "wrong place", "class and place": "wrong class and place"}
        axes.set_yticks(range(len(errors)), [names.get(name, name) for name in errors])
        axes.invert_yaxis()
        axes.set(xlabel="boxes that are answered, or objects that are missed")
        axes.margins(x=0.12)
        return figure

    def notes(self) -> list[str]:
        """The classes that are never right; no object at all."""
        right, said, there = self._counts()
        if not there.sum():
            return ["no image has an object that counts: there is no average precision"]
        return never_right(self.class_names, there, said, right)

    def scores(self) -> dict[str, float]:
        """The F1 of what is answered in each image; 1 where nothing is there and nothing is said."""
        found = {}
        for key, judged, ignored in zip(self._keys, self._judged(), self._ignored, strict=True):
            right, said = (judged.kinds == RIGHT).sum(), (judged.kinds != IGNORED).sum()
            everything = said + (~ignored).sum()
            found[key] = float(2 * right / everything) if everything else 1.0
        return found

    def worst(self, n: int) -> list[Case]:
        """The images of the lowest score that are not all right, those with more mistakes first."""
        scores, cases = self.scores(), []
        for key, judged in zip(self._keys, self._judged(), strict=True):
            wrong = {KINDS[kind]: int((judged.kinds == kind).sum()) for kind in range(1, IGNORED)}
            wrong = {"missed": int(judged.missed.sum())} | wrong
            total = sum(wrong.values())
            if total:
                names = {"class": "of another class", "place": "out of place", "background": "of the background"}
                names |= {"duplicate": "twice", "class and place": "of another class and out of place"}
                note = ", ".join(f"{count} {names.get(name, name)}" for name, count in wrong.items() if count)
                cases.append((Case(key, 1 - scores[key], note), total))
        cases.sort(key=lambda pair: (-pair[0].badness, -pair[1]))
        return [case for case, _ in cases[:n]]

    def label_issues(self, n: int) -> list[Case]:
        """The images with the surest boxes where truth has nothing."""
        cases = []
        for key, judged, (_, scores, classes) in zip(self._keys, self._judged(), self._served, strict=True):
            sure = (judged.kinds == BACKGROUND) & (scores >= MIN_SURE)
            if sure.any():
                at = int(np.argmax(np.where(sure, scores, 0)))
                note = f"{self.class_names[classes[at]]} {scores[at]:.2f} where truth has nothing"
                cases.append(Case(key, float(scores[at]), note))
        return sorted(cases, key=lambda case: -case.badness)[:n]

    def files(self) -> dict[str, bytes]:
        """Detections and truth as COCO has them: pycocotools on these two gives the same metrics."""
        contents = {
            "coco_detections.json": self._coco.detections,
            "coco_truth.json": self._coco.truth(self.class_names),
        }
        return {name: json.dumps(content).encode() for name, content in contents.items()}


def _threshold(scores: np.ndarray, right: np.ndarray, there: int, wanted: str | Mapping[str, float]) -> float:
    """Halfway between the last score that is answered and the next; 0.5 where there is none to choose by.

    Args:
        scores: falling.
        right: whether each is.
        there: objects.
        wanted: "best_f1" or `{"precision": least}`.
    """
    if not right.any():
        return 0.5
    hits, said = np.cumsum(right), np.arange(1, len(right) + 1)
    if isinstance(wanted, str):
        last = int(np.argmax(2 * hits / (said + there)))
    else:
        enough = np.flatnonzero(hits / said >= wanted["precision"])
        last = int(enough[-1]) if len(enough) else 0
    below = scores[last + 1] if last + 1 < len(scores) else 0.0
    return float((scores[last] + below) / 2)
