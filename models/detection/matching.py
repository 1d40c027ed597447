"""Which detections are right, and what is wrong about the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FOUND = 0.5
"""The intersection over union from which on an object is found."""
TOUCHED = 0.1
"""That from which on a wrong box is meant for an object (Bolya et al. 2020, "TIDE", section 2.2)."""
KINDS = ("right", "duplicate", "class", "place", "class and place", "background", "ignored")
"""What a detection may be."""
RIGHT, DUPLICATE, CLASS, PLACE, BOTH, BACKGROUND, IGNORED = range(len(KINDS))


class Judged(NamedTuple):
    """The detections of one image against its truth.

    Attributes:
        kinds: int `[k]`, positions in `KINDS`.
        objects: int `[k]`, the object that each is right about or meant for, -1 for none.
        missed: bool `[n]`, whether each object was not found; one that is ignored never is.
    """

    kinds: np.ndarray
    objects: np.ndarray
    missed: np.ndarray


def iou_matrix(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Intersection over union, float64 `[n, m]`, of boxes `[n, 4]` and `[m, 4]`."""
    left, right = (np.asarray(each, np.float64).reshape(-1, 4) for each in (left, right))
    low = np.maximum(left[:, np.newaxis, :2], right[np.newaxis, :, :2])
    high = np.minimum(left[:, np.newaxis, 2:], right[np.newaxis, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(each[:, 2:] - each[:, :2], 0, None).prod(-1) for each in (left, right)]
    return shared / np.maximum(areas[0][:, np.newaxis] + areas[1][np.newaxis] - shared, 1e-12)


def judge(
    found: np.ndarray,
    found_classes: np.ndarray,
    boxes: np.ndarray,
    classes: np.ndarray,
    ignored: np.ndarray,
    threshold: float = FOUND,
) -> Judged:
    """Matches greedily: detections by falling score, each with the free object of its class that it overlaps most.

    A detection of an ignored object (or that lies by half or more in one, as in a crowd) does not count. The wrong ones
    are told apart as TIDE does (Bolya et al. 2020, section 2.2). What comes later changes nothing about what came
    before, so the first k detections are judged as if they were all.

    Args:
        found, found_classes: detections by falling score, `[k, 4]` and `[k]`.
        boxes, classes: objects, `[n, 4]` and `[n]`.
        ignored: bool `[n]`.
        threshold: of intersection over union.
    """
    overlap = iou_matrix(found, boxes)
    ignored = np.asarray(ignored, bool)
    inside = _inside(found, boxes[ignored]) if ignored.any() else np.zeros((len(found), 0))
    kinds, objects = np.full(len(found), BACKGROUND), np.full(len(found), -1)
    free = ~ignored
    for at in range(len(found)):
        same = (classes == found_classes[at]) & ~ignored
        mine = np.where(same & free, overlap[at], -1.0)
        best = int(mine.argmax()) if len(mine) else -1
        if best >= 0 and mine[best] >= threshold:
            kinds[at], objects[at], free[best] = RIGHT, best, False
            continue
        if (inside[at] >= 0.5).any() and (classes[ignored][inside[at] >= 0.5] == found_classes[at]).any():
            kinds[at] = IGNORED
            continue
        alike, other = (np.where(mask, overlap[at], -1.0) for mask in (same, ~same & ~ignored))
        for kind, values, least in (
            (DUPLICATE, alike, threshold),
            (CLASS, other, threshold),
            (PLACE, alike, TOUCHED),
            (BOTH, other, TOUCHED),
        ):
            if len(values) and values.max() >= least:
                kinds[at], objects[at] = kind, int(values.argmax())
                break
    return Judged(kinds, objects, free)


def _inside(found: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The fraction of each detection that lies in each box."""
    low, high = np.maximum(found[:, None, :2], boxes[None, :, :2]), np.minimum(found[:, None, 2:], boxes[None, :, 2:])
    area = np.maximum((found[:, 2:] - found[:, :2]).prod(-1), 1e-12)
    return np.clip(high - low, 0, None).prod(-1) / area[:, None]
