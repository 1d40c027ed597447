"""The picture that a person looks at: picture, truth, prediction and errors side by side over what the colours mean."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from skimage.segmentation import find_boundaries

from ..captions import NARROWEST, TALLEST
from ..inputs.image.options import IGNORE
from .colors import CONFUSED, EXCESS, MISSED, palette
from .confusion import count_pixels, iou, margins, mean_of_defined
from .legend import Entry, beside, legend
from .words import percent, shares

OPACITY = 0.55  # of a colour over the picture
HATCH = 8  # pixels of the drawing from one stripe to the next


def draw(
    class_names: Sequence[str],
    image: np.ndarray,
    results: Mapping[str, np.ndarray] | None,
    truth: Mapping[str, np.ndarray] | None,
) -> np.ndarray:
    """Draws what is known of one picture: `picture`, then `truth`, `prediction`, and of both together `errors`.

    Colours of classes lie over the picture, the first class, the background, is left as it is, and stripes are pixels
    that do not count. Among the errors what is right is dim. A small picture is enlarged by a whole factor, one with a
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
    panels = [("picture", view.picture)]
    panels += [("truth", view.classes(known))] if known is not None else []
    panels += [("prediction", view.classes(said))] if said is not None else []
    if said is not None and known is not None:
        panels.append(("errors", view.errors(known, said)))
        entries = _compared(class_names, known, said)
    else:
        entries = [entry for mask in (said, known) if mask is not None for entry in _shown(class_names, mask)]
    return legend(beside(panels), entries)


class _View:
    """A picture, and maps of the same size over it, as large as they are shown."""

    def __init__(self, image: np.ndarray):
        height, width = image.shape[:2]
        self._enlarged = max(1, min(math.ceil(NARROWEST / width), TALLEST // height))
        self._reduced = max(1, math.ceil(max(height, width) / TALLEST))
        smaller = np.asarray(Image.fromarray(image).reduce(self._reduced)) if self._reduced > 1 else image
        self.picture = self._enlarge(smaller)

    def _enlarge(self, pixels: np.ndarray) -> np.ndarray:
        return pixels.repeat(self._enlarged, axis=0).repeat(self._enlarged, axis=1)

    def _fit(self, values: np.ndarray) -> np.ndarray:
        return self._enlarge(values[:: self._reduced, :: self._reduced])

    def classes(self, mask: np.ndarray) -> np.ndarray:
        """The classes of a mask as colours over the picture."""
        ids = self._fit(mask)
        mixed = (1 - OPACITY) * self.picture + OPACITY * palette()[ids]
        colored = (ids > 0) & (ids != IGNORE)
        drawn = np.where(colored[..., np.newaxis], mixed, self.picture)
        outlines = find_boundaries(ids, connectivity=1, mode="inner") & colored
        drawn[outlines] = palette()[ids[outlines]]
        return self._hatched(drawn, ids == IGNORE)

    def errors(self, known: np.ndarray, said: np.ndarray) -> np.ndarray:
        """The errors as colours over the dimmed picture in grey."""
        known, said = self._fit(known), self._fit(said)
        drawn = np.repeat(0.35 * self.picture.mean(axis=-1, keepdims=True), 3, axis=-1)
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
