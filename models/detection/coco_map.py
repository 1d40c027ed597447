"""COCO's average precision by pycocotools itself, and its intervals."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..contract import Value

MAX_DETECTIONS = (1, 10, 100)
"""Of one image, for the three average recalls; precision counts the most."""
AREAS = ("all", "small", "medium", "large")
"""By pycocotools: below 32 x 32 pixels, below 96 x 96, and above."""
MAX_DRAWN = 5 * 10**8
"""Detections times thresholds times resamples: about ten seconds; with more detections there are fewer resamples."""


class CocoMap:
    """Gathers truth and detections, and has pycocotools compare them.

    Args:
        class_count: category ids are class ids + 1.

    Example:
        >>> coco = CocoMap(1)
        >>> box = np.array([[0, 0, 10, 10]], np.float32)
        >>> coco.add("image", box, np.array([0]), np.array([0]), np.array([100.0]), box, np.array([0.9]), np.array([0]))
        >>> round(coco.values(["cell"])["map"].value, 6)
        1.0
    """

    def __init__(self, class_count: int):
        self._categories = [{"id": number + 1, "name": str(number)} for number in range(class_count)]
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._detections: list[dict[str, Any]] = []

    def add(
        self,
        key: str,
        boxes: np.ndarray,
        classes: np.ndarray,
        ignored: np.ndarray,
        areas: np.ndarray,
        found: np.ndarray,
        scores: np.ndarray,
        found_classes: np.ndarray,
    ) -> None:
        """Takes in one image.

        Args:
            key: its name.
            boxes, classes, areas: of the truth; `[n, 4]`, `[n]`, `[n]`.
            ignored: `[n]`, above 0 for what neither counts nor is wrong to find; pycocotools' `iscrowd`.
            found, scores, found_classes: detections, by falling score.
        """
        number = len(self._images) + 1
        self._images.append({"id": number, "file_name": key})
        for box, kind, crowd, area in zip(_with_sides(boxes), classes, ignored, areas, strict=True):
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": int(kind) + 1,
                    "bbox": box,
                    "area": float(area),
                    "iscrowd": int(crowd > 0),
                }
            )
        for box, score, kind in zip(_with_sides(found), scores, found_classes, strict=True):
            self._detections.append(
                {"image_id": number, "category_id": int(kind) + 1, "bbox": box, "score": float(score)}
            )

    def truth(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The truth as a COCO file holds it."""
        categories = [each | {"name": name} for each, name in zip(self._categories, class_names, strict=True)]
        return {"images": self._images, "annotations": self._annotations, "categories": categories}

    @property
    def detections(self) -> list[dict[str, Any]]:
        """The detections as COCO's results format has them, for `COCO.loadRes`."""
        return self._detections

    def values(self, class_names: Sequence[str], intervals: bool = False, whole: bool = True) -> dict[str, Value]:
        """COCO's metrics: `map` (mean over IoU .50 to .95), `map_50`, `map_75`, then, where `whole`, those by area and
        average recalls, and `ap/NAME`, `ap_50/NAME` of each class.

        A class without truth is left out of the means, and of the rest; without any truth there is no metric.
        """
        if not any(not each["iscrowd"] for each in self._annotations):
            return {}
        compared = self.compare(AREAS if whole else AREAS[:1])
        precision, recall = compared.eval["precision"], compared.eval["recall"]  # T, R, K, A, M and T, K, A, M
        found = {"map": precision[..., 0, -1], "map_50": precision[0, ..., 0, -1], "map_75": precision[5, ..., 0, -1]}
        if whole:
            found |= {f"map_{area}": precision[..., at, -1] for at, area in enumerate(AREAS) if at}
            found |= {f"ar_{most}": recall[..., 0, at] for at, most in enumerate(MAX_DETECTIONS)}
        bounds = self._bounds(compared) if intervals else {}
        values = {
            name: Value(mean, *bounds.get(name, (None, None)))
            for name, each in found.items()
            if (mean := _mean(each)) is not None
        }
        for metric, each in (("ap", precision[..., 0, -1]), ("ap_50", precision[0:1, ..., 0, -1])):
            for at, name in enumerate(class_names):
                if (mean := _mean(each[:, :, at])) is not None:
                    values[f"{metric}/{name}"] = Value(mean)
        return values

    def compare(self, areas: Sequence[str] = AREAS) -> COCOeval:
        """pycocotools' own comparison, accumulated."""
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how far it is
            truth = _index(self._annotations, self._images, self._categories)
            detections = (
                _index([]) if not self._detections else truth.loadRes([dict(each) for each in self._detections])
            )
            compared = COCOeval(truth, detections, "bbox")
            chosen = [AREAS.index(area) for area in areas]
            compared.params.areaRng = [compared.params.areaRng[at] for at in chosen]
            compared.params.areaRngLbl = list(areas)
            compared.params.maxDets = list(MAX_DETECTIONS)
            compared.evaluate()
            compared.accumulate()
        return compared

    def _bounds(self, compared: COCOeval) -> dict[str, tuple[float, float]]:
        """95 % percentile intervals of `map` and `map_50`, resampled over images (Efron 1979; a fixed seed)."""
        curves = Curves(compared)
        count = len(self._images)
        resamples = int(np.clip(MAX_DRAWN // max(1, 10 * len(self._detections)), 100, 1000))
        generator = np.random.default_rng(0)
        drawn = [np.bincount(generator.integers(0, count, count), minlength=count) for _ in range(resamples)]
        found = np.array([curves.precisions(weights) for weights in drawn])  # resamples, T
        of = {"map": found.mean(1), "map_50": found[:, 0]}
        bounds = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in of.items()}
        return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


class Curves:
    """What pycocotools matched, in a form that can be weighed anew image by image.

    Args:
        compared: of all areas together first.
    """

    def __init__(self, compared: COCOeval):
        params = compared.params
        self._recalls = params.recThrs
        images = len(params.imgIds)
        self._classes = []
        for kind in range(len(params.catIds)):
            start = kind * len(params.areaRng) * images  # of the first area
            rows = compared.evalImgs[start : start + images]
            there = [(at, row) for at, row in enumerate(rows) if row is not None]
            objects = np.zeros(images)
            for at, row in there:
                objects[at] = np.count_nonzero(np.asarray(row["gtIgnore"]) == 0)
            if not there or not objects.any():
                continue
            most = params.maxDets[-1]
            scores = np.concatenate([row["dtScores"][:most] for _, row in there])
            order = np.argsort(-scores, kind="mergesort")  # as pycocotools
            owner = np.concatenate([np.full(len(row["dtScores"][:most]), at) for at, row in there]).astype(int)[order]
            matched = np.concatenate([row["dtMatches"][:, :most] for _, row in there], axis=1)[:, order] > 0
            ignored = np.concatenate([row["dtIgnore"][:, :most] for _, row in there], axis=1)[:, order] > 0
            self._classes.append((objects, owner, matched & ~ignored, ~matched & ~ignored))

    def precisions(self, weights: np.ndarray) -> np.ndarray:
        """Average precision at each threshold, the mean over classes, `[T]`.

        Args:
            weights: how often each image counts.
        """
        means = []
        for objects, owner, right, wrong in self._classes:
            total = float(weights @ objects)
            if total == 0:
                continue
            own = weights[owner]
            hits, misses = np.cumsum(right * own, axis=1), np.cumsum(wrong * own, axis=1)
            precision = hits / np.maximum(hits + misses, np.spacing(1))
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            at = [np.searchsorted(row / total, self._recalls, side="left") for row in hits]
            padded = np.pad(precision, ((0, 0), (0, 1)))
            means.append([row[places].mean() for row, places in zip(padded, at, strict=True)])
        return np.mean(means, axis=0) if means else np.full(10, np.nan)


def _index(annotations: list, images: Sequence = (), categories: Sequence = ()) -> COCO:
    made = COCO()
    made.dataset = {"annotations": annotations, "images": list(images), "categories": list(categories)}
    made.createIndex()
    return made


def _with_sides(boxes: np.ndarray) -> list[list[float]]:
    """Corners to x, y, width, height."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def _mean(values: np.ndarray) -> float | None:
    """As pycocotools' `summarize`: -1 stands where there is nothing to measure."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None
