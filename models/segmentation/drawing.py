"""Results and truth as people look at them: in words, in colours, as files; free of TensorFlow."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from skimage.segmentation import find_boundaries

from ..errors import InputError
from ..inputs.image.options import IGNORE
from ..metrics.panels import Entry, beside, legend, palette
from ..metrics.plots import MAX_HEIGHT, MIN_WIDTH
from .metrics import count_pixels, iou, margins, mean_of_defined
from .options import SegmentationResults

MISSED, EXCESS, CONFUSED = (255, 255, 255), (255, 40, 80), (140, 110, 255)
"""Of a pixel where the answer is background and truth is not, the other way round, and another class: no
class has these."""


MAX_NAMED = 5  # classes in a short line


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
    class_names: Sequence[str], results: Mapping[str, np.ndarray], options: SegmentationResults
) -> dict[str, float | int]:
    """What belongs on a line of text: `share/NAME`, the share of the image that each class has, 0..1, and with
    `results.instances` how many `objects` there are."""
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
        values: `mask` as an array or as lists; 255, which is beside an image in a batch, is left out.
    """
    found = shares(class_names, values["mask"])
    there = sorted(np.flatnonzero(found), key=lambda i: (i == 0, -found[i]))
    if not there:
        return "no pixel that counts"
    named = there if len(there) <= MAX_NAMED else [*there[: MAX_NAMED - 1], *(i for i in there if i == 0)]
    told = [f"{class_names[i]} {percent(found[i])}" for i in named]
    return ", ".join([*told, f"and {len(there) - len(named)} more"] if len(named) < len(there) else told)


OPACITY = 0.55  # of a colour over the image
HATCH = 8  # pixels of the drawing from one stripe to the next


def draw(
    class_names: Sequence[str],
    image: np.ndarray,
    results: Mapping[str, np.ndarray] | None,
    truth: Mapping[str, np.ndarray] | None,
) -> np.ndarray:
    """Draws what is known of one image: `image`, then `truth`, `prediction`, and of both together `errors`.

    Colours of classes lie over the image, the first class, the background, is left as it is, and stripes are pixels
    that do not count. Among the errors what is right is dim. A small image is enlarged by a whole factor, one with a
    side of more than 1024 pixels is reduced by one.

    Args:
        class_names: in the order of the class ids.
        image: uint8 `[h, w, 3]`.
        results: with `mask`, class ids `[h, w]`.
        truth: likewise; 255 does not count.

    Returns:
        uint8 `[height, width, 3]`.
    """
    view = _View(image)
    said = None if results is None else np.asarray(results["mask"])
    known = None if truth is None else np.asarray(truth["mask"])
    panels = [("image", view.image)]
    panels += [("truth", view.classes(known))] if known is not None else []
    panels += [("prediction", view.classes(said))] if said is not None else []
    if said is not None and known is not None:
        panels.append(("errors", view.errors(known, said)))
        entries = _compared(class_names, known, said)
    else:
        entries = [entry for mask in (said, known) if mask is not None for entry in _shown(class_names, mask)]
    return legend(beside(panels), entries)


class _View:
    """An image, and maps of the same size over it, as large as they are shown."""

    def __init__(self, image: np.ndarray):
        height, width = image.shape[:2]
        self._enlarged = max(1, min(math.ceil(MIN_WIDTH / width), MAX_HEIGHT // height))
        self._reduced = max(1, math.ceil(max(height, width) / MAX_HEIGHT))
        smaller = np.asarray(Image.fromarray(image).reduce(self._reduced)) if self._reduced > 1 else image
        self.image = self._enlarge(smaller)

    def _enlarge(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.repeat(self._enlarged, axis=0).repeat(self._enlarged, axis=1)

    def _fit(self, values: np.ndarray) -> np.ndarray:
        return self._enlarge(values[:: self._reduced, :: self._reduced])

    def classes(self, mask: np.ndarray) -> np.ndarray:
        """The classes of a mask as colours over the image."""
        ids = self._fit(mask)
        mixed = (1 - OPACITY) * self.image + OPACITY * palette()[ids]
        colored = (ids > 0) & (ids != IGNORE)
        drawn = np.where(colored[..., np.newaxis], mixed, self.image)
        outlines = find_boundaries(ids, connectivity=1, mode="inner") & colored
        drawn[outlines] = palette()[ids[outlines]]
        return self._hatched(drawn, ids == IGNORE)

    def errors(self, known: np.ndarray, said: np.ndarray) -> np.ndarray:
        """The errors as colours over the dimmed image in grey."""
        known, said = self._fit(known), self._fit(said)
        drawn = np.repeat(0.35 * self.image.mean(axis=-1, keepdims=True), 3, axis=-1)
        for color, where in _errors(known, said):
            drawn[where] = color
        return self._hatched(drawn, known == IGNORE)

    def _hatched(self, drawn: np.ndarray, where: np.ndarray) -> np.ndarray:
        rows, columns = np.indices(where.shape, sparse=True)
        stripes = where & ((rows + columns) % HATCH < 2)
        drawn[stripes] = 128
        return np.round(drawn).astype(np.uint8)


def _errors(known: np.ndarray, said: np.ndarray) -> list[tuple[tuple[int, int, int], np.ndarray]]:
    """Colour and pixels of each kind of error: missed, too much, another class."""
    wrong = (known != said) & (known != IGNORE)
    missed, excess = wrong & (said == 0), wrong & (known == 0)
    return [(MISSED, missed), (EXCESS, excess), (CONFUSED, wrong & ~missed & ~excess)]


def _shown(class_names: Sequence[str], mask: np.ndarray) -> list[Entry]:
    found = shares(class_names, mask)
    there = sorted(np.flatnonzero(found), key=lambda i: -found[i])
    entries = [_entry(int(i), f"{class_names[i]} {percent(found[i])}") for i in there]
    return entries + _not_counted(mask)


def _compared(class_names: Sequence[str], known: np.ndarray, said: np.ndarray) -> list[Entry]:
    """IoU of the classes that are there, the largest first, and the share of each error."""
    counts = margins(count_pixels(known, said, len(class_names)))
    each, total = iou(counts), max(int(counts[1].sum()), 1)
    there = sorted(np.flatnonzero(~np.isnan(each)), key=lambda i: -counts[1:, i].sum())
    entries = [Entry(f"IoU: mean {mean_of_defined(each):.2f}")] if there else []
    entries += [_entry(int(i), f"{class_names[i]}: {each[i]:.2f}") for i in there]
    names = ("missed", "too much", "other class")
    kinds = zip(names, _errors(known, said), strict=True)
    entries += [Entry(f"{name} {percent(where.sum() / total)}", color) for name, (color, where) in kinds if where.any()]
    return entries + _not_counted(known)


def _entry(class_id: int, text: str) -> Entry:
    return Entry(text, tuple(palette()[class_id].tolist()) if class_id else None)


def _not_counted(mask: np.ndarray) -> list[Entry]:
    return [Entry("striped: does not count")] if (mask == IGNORE).any() else []


MAX_OBJECTS = 65535  # that 16 bits number


def files(
    class_names: Sequence[str], results: Mapping[str, np.ndarray], options: SegmentationResults
) -> dict[str, bytes]:
    """The mask as a PNG in the size of the image, and with `results.instances` the objects as another.

    `.mask.png` has a palette, so a viewer shows colours; Pillow reads the class ids, `numpy.asarray(Image.open(path))`,
    where OpenCV and TensorFlow would turn them into colours (`mask_png_bytes` is the same mask without a palette).
    `.instances.png` is grey with 16 bits, 0 for no object and 1, 2, ... for each; Pillow reads it likewise, OpenCV with
    `cv2.IMREAD_UNCHANGED`.

    Raises:
        InputError: more objects than 16 bits number.
    """
    mask = Image.fromarray(np.asarray(results["mask"], np.uint8))
    mask.putpalette(palette().tobytes())
    written = {".mask.png": _png(mask)}
    if options.instances == "none":
        return written
    from .instances import objects

    found = objects(results["mask"], class_names, options)
    if found.max(initial=0) > MAX_OBJECTS:
        raise InputError(
            f"{found.max()} objects are more than a PNG of 16 bits can number ({MAX_OBJECTS}): raise "
            "results.instance_pixels"
        )
    return written | {".instances.png": _png(Image.fromarray(found.astype(np.uint16)))}


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
