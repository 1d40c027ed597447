"""Results and truth of one picture in words and numbers; free of TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.image.options import IGNORE
from .options import SegmentationOptions

NAMED = 5  # classes in a short line


def shares(class_names: Sequence[str], mask: Any) -> np.ndarray:
    """The share of each class in the pixels of a mask that are not 255, float64 `[classes]`; all 0 where none is."""
    counts = np.zeros(IGNORE + 1, np.int64)
    for row in np.atleast_2d(np.asarray(mask, np.uint8)):  # all at once, counting would take eight bytes a pixel
        counts += np.bincount(row, minlength=IGNORE + 1)
    counts = counts[: len(class_names)]
    return counts / max(counts.sum(), 1)


def percent(share: float) -> str:
    """0.2312 as "23.1 %"; what is there, but not a tenth of it, as "<0.1 %"."""
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def line(
    class_names: Sequence[str], results: Mapping[str, np.ndarray], options: SegmentationOptions
) -> dict[str, float | int]:
    """What belongs on a line of text: `share/NAME`, the share of the picture that each class has, 0..1, and with
    `model.instances` how many `objects` there are."""
    found = shares(class_names, results["mask"])
    told = {f"share/{name}": round(float(share), 6) for name, share in zip(class_names, found, strict=True)}
    if options.instances == "none":
        return told
    from .instances import objects

    return told | {"objects": int(objects(results["mask"], class_names, options).max(initial=0))}


def summary(class_names: Sequence[str], values: Mapping[str, Any]) -> str:
    """Results or truth as "cell 23.1 %, background 76.9 %": what is there, the largest first, and the first class,
    which is the background, last.

    Args:
        class_names: in the order of the class ids.
        values: `mask` as an array or as lists; 255, which is beside a picture in a batch, is left out.
    """
    found = shares(class_names, values["mask"])
    there = sorted(np.flatnonzero(found), key=lambda i: (i == 0, -found[i]))
    if not there:
        return "no pixel that counts"
    named = there if len(there) <= NAMED else [*there[: NAMED - 1], *(i for i in there if i == 0)]
    told = [f"{class_names[i]} {percent(found[i])}" for i in named]
    return ", ".join([*told, f"and {len(there) - len(named)} more"] if len(named) < len(there) else told)
