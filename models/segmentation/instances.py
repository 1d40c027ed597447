"""From a map of classes to single objects."""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import label
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from .options import SegmentationResults

BOUNDARY = "boundary"
"""The name of the class that parts objects: its pixels belong to the object that they surround."""

SMOOTHING = 1.0
"""Standard deviation, in pixels, of what smooths the distance: without it a slanted edge's steps look like necks."""


def objects(mask: np.ndarray, class_names: Sequence[str], options: SegmentationResults) -> np.ndarray:
    """Parts the pixels of the second class, and of each after it, into objects; two classes share none.

    A class named "boundary" has no objects of its own: those of the others grow over its pixels, each over what is
    nearest to it, as far as these are connected.

    Args:
        mask: class ids, uint8 `[height, width]`; 255 is no object.
        class_names: in the order of the class ids.
        options: `instances`, `instance_neck` and `instance_pixels` count.

    Returns:
        int32 `[height, width]`: 0 for no object, and 1, 2, ... for each.
    """
    part = {"components": _components, "watershed": _watershed}[options.instances]
    found = np.zeros(mask.shape, np.int32)
    for class_id, name in enumerate(class_names):
        if class_id and name != BOUNDARY:
            parts = part(mask == class_id, options)
            found += np.where(parts > 0, parts + found.max(), 0)
    if BOUNDARY in class_names:
        around = mask == list(class_names).index(BOUNDARY)
        found = watershed(np.zeros(mask.shape, np.uint8), found, mask=around | (found > 0))
    kept = np.bincount(found.ravel()) >= options.instance_pixels
    kept[0] = False
    return (np.cumsum(kept) * kept).astype(np.int32)[found]


def _components(there: np.ndarray, options: SegmentationResults) -> np.ndarray:
    """Pixels that touch by a side."""
    return label(there, connectivity=1)


def _watershed(there: np.ndarray, options: SegmentationResults) -> np.ndarray:
    """Components, parted at necks where the distance to what is outside has several peaks that stand out.

    The classic on binary maps (Vincent and Soille 1991): basins round the peaks of the distance, which is smoothed a
    little. Of two that touch, the one with the lower peak joins the other where that peak rises less than
    `instance_neck` above the pass between them, so that the h-maxima remain (Soille, Morphological Image Analysis,
    2003, chapter 6). (`skimage.morphology.h_maxima` finds the same seeds but for ties, and takes 4.7 times as long on
    masks of nuclei, as it reconstructs the whole map.) What reaches the image's edge is taken to go on beyond it.
    """
    if there.all() or not there.any():
        return _components(there, options)
    distance = cv2.distanceTransform(there.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)  # float32, in pixels
    distance = gaussian_filter(distance, SMOOTHING) * there
    peaks = label(local_maxima(distance, connectivity=1) & there, connectivity=1)
    basins = watershed(-distance, peaks, mask=there)
    heights = np.zeros(peaks.max() + 1, np.float32)
    heights[peaks] = distance
    return _joined(heights, _passes(basins, distance), options.instance_neck)[basins]


def _passes(basins: np.ndarray, distance: np.ndarray) -> list[tuple[int, int, float]]:
    """Where two basins touch by a side, the highest such place first: one, the other, and how high the way is there."""
    found = []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        meet = (basins[one] != basins[other]) & (basins[one] > 0) & (basins[other] > 0)
        height = np.minimum(distance[one][meet], distance[other][meet])
        found += zip(basins[one][meet].tolist(), basins[other][meet].tolist(), height.tolist(), strict=True)
    return sorted(found, key=lambda way: -way[2])


def _joined(heights: np.ndarray, passes: list[tuple[int, int, float]], depth: float) -> np.ndarray:
    """The number of the basin that each belongs to, int32, once those whose peaks stand out too little have joined."""
    into = list(range(len(heights)))

    def last(basin: int) -> int:
        while into[basin] != basin:
            into[basin] = into[into[basin]]
            basin = into[basin]
        return basin

    for one, other, height in passes:
        low, high = sorted((last(one), last(other)), key=lambda basin: heights[basin])
        if heights[low] - height < depth:
            into[low] = high
    return np.array([last(basin) for basin in into], np.int32)


def excused(found: np.ndarray, counted: np.ndarray, options: SegmentationResults) -> np.ndarray:
    """Which objects are not wrong where truth has none of them, as too little is known about where they are.

    Those of which more than half lies on pixels that do not count, as COCO does with crowds, and those of which fewer
    than `instance_pixels` are left without such pixels.

    Args:
        found: as `objects` gives them.
        counted: bool `[height, width]`, where pixels count.

    Returns:
        bool `[objects + 1]`, by number.
    """
    whole = np.bincount(found.ravel())
    left = np.bincount(found[counted], minlength=len(whole))
    return (2 * left < whole) | (left < options.instance_pixels)
