"""From a map of classes to single objects."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects
from skimage.feature import peak_local_max
from skimage.measure import label
from skimage.segmentation import relabel_sequential, watershed

from .options import SegmentationOptions

BOUNDARY = "boundary"
"""The name of the class that parts objects: its pixels belong to the object that they surround."""


def objects(mask: np.ndarray, class_names: Sequence[str], options: SegmentationOptions) -> np.ndarray:
    """Parts the pixels of the second class, and of each after it, into objects; two classes share none.

    A class named "boundary" has no objects of its own: those of the others grow over its pixels, each over what is
    nearest to it, as far as these are connected.

    Args:
        mask: class ids, uint8 `[height, width]`; 255 is no object.
        class_names: in the order of the class ids.
        options: `instances`, `instance_distance` and `instance_pixels` count.

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
    sizes = np.bincount(found.ravel())
    found[sizes[found] < options.instance_pixels] = 0
    return relabel_sequential(found)[0].astype(np.int32)


def _components(there: np.ndarray, options: SegmentationOptions) -> np.ndarray:
    """Pixels that touch by a side."""
    return label(there, connectivity=1)


def _watershed(there: np.ndarray, options: SegmentationOptions) -> np.ndarray:
    """Components, parted where the distance to what is outside has several peaks, along the valleys between them.

    The classic on binary maps (Vincent and Soille 1991). What reaches the picture's edge is taken to go on beyond it.
    """
    components = label(there, connectivity=1)
    distance = distance_transform_edt(there)
    # Too small for two peaks: looking for them would take long, and there may be hundreds early in a training.
    small = [
        number
        for number, box in enumerate(find_objects(components), 1)
        if max(side.stop - side.start for side in box) <= options.instance_distance
    ]
    searched = np.where(np.isin(components, small), 0, components)
    peaks = peak_local_max(
        distance, min_distance=options.instance_distance, labels=searched, exclude_border=False
    )  # of each component on its own, so that a small one near a large one keeps its peak
    markers = np.zeros(there.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    without = np.setdiff1d(np.arange(1, components.max() + 1), components[tuple(peaks.T)])
    flat = np.isin(components, without)  # as high everywhere, so that it has no peak
    markers[flat] = components[flat] + len(peaks)
    return watershed(-distance, markers, mask=there)
