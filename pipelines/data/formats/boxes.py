"""Boxes as every format that has them brings them, and the rules for those that are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.image.header import read_header

OFFERED = {
    "boxes": Truth("float32", (None, 4), moves="boxes"),
    "classes": Truth("int32", (None,), moves="box_field"),
    "crowd": Truth("int32", (None,), moves="box_field"),
    "difficult": Truth("int32", (None,), moves="box_field"),
    "area": Truth("float32", (None,), moves="box_field"),
}
"""What sources of boxes bring. `crowd` is 1 for a region of many objects that were not told apart, as COCO has them,
`difficult` is 1 for an object that VOC does not count, else 0; `area` is in pixels, of the box where the format says
no other."""
MAX_ROUNDING = 1.0
"""Pixels by which a box may reach out of its image, as the rounding of tools makes them, without a word."""


def check_size(said: tuple[int, int], encoded: bytes) -> None:
    """Refuses boxes that were drawn on an image of another size; an image that cannot be read is left to the check.

    Args:
        said: height and width in pixels as the annotation has them.
        encoded: the image itself.

    Raises:
        InputError: they differ from those of the upright image.
    """
    header = read_header(encoded)
    if header is None or said == header.upright:
        return
    told = f"annotated as {said[1]} x {said[0]} pixels (width x height), and the image is "
    told += f"{header.upright[1]} x {header.upright[0]}"
    if said == header[:2]:
        raise InputError(
            f"{told} once its EXIF orientation {header.orientation} turns it upright, as it is seen: turn the file "
            "itself, or annotate it upright"
        )
    raise InputError(
        "its boxes would lie elsewhere: bring the image that was annotated, or annotate this one", where=told
    )


class BoxTruth:
    """The objects of one image, gathered one by one; wrong ones are mended or dropped by rule, and counted.

    * A coordinate that is no finite number refuses the image: what else of it is right nobody knows.
    * Corners in the wrong order are put right.
    * What reaches out of the image is cut off; a box wholly outside is dropped.
    * A box without width or height is dropped.
    * The same box of the same class a second time is dropped.

    Args:
        size: height and width of the upright image in pixels; None where they are not known: nothing is cut off.
    """

    def __init__(self, size: tuple[int, int] | None):
        self._limit = None if size is None else np.array([size[1], size[0]] * 2, np.float64)
        self._rows: list[tuple[float, ...]] = []
        self._seen: set[tuple[float, ...]] = set()
        self._found: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(
        self,
        corners: Sequence[float],
        class_id: int,
        crowd: bool = False,
        difficult: bool = False,
        area: float | None = None,
        name: str = "",
    ) -> None:
        """Takes in one object.

        Args:
            corners: x_min, y_min, x_max, y_max in pixels.
            class_id: of the task.
            crowd, difficult, area: see `OFFERED`.
            name: what to call it in messages; its number unless given.

        Raises:
            InputError: a coordinate that is no finite number, in a phrase.
        """
        name = name or f"box {len(self._rows) + sum(self._found.values())}"
        box = np.array(corners, np.float64)
        if not np.isfinite(box).all():
            where = ("x_min", "y_min", "x_max", "y_max")[int(np.argmin(np.isfinite(box)))]
            raise InputError(f"{name}: {where} is {corners[int(np.argmin(np.isfinite(box)))]}, not a finite number")
        ordered = np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])
        if (ordered != box).any():
            self._note("with corners in the wrong order, put right", name)
        whole, box = ordered, ordered
        if self._limit is not None:
            box = np.clip(whole, 0, self._limit)
        if (whole[2:] <= whole[:2]).any():
            return self._note("without width or height, dropped", name)
        if (box[2:] <= box[:2]).any():
            return self._note("outside of the image, dropped", name)
        if np.abs(box - whole).max() > MAX_ROUNDING:
            self._note("reaching out of the image, cut off", name)
        identity = (*box.tolist(), class_id)
        if identity in self._seen:
            return self._note("that stand there twice, dropped once", name)
        self._seen.add(identity)
        own = float(np.prod(box[2:] - box[:2])) if area is None else area
        self._rows.append((*box.tolist(), class_id, crowd, difficult, own))

    def _note(self, what: str, name: str) -> None:
        self._found[what] += 1
        self._first.setdefault(what, name)

    @property
    def note(self) -> str:
        """What was mended or dropped, in a phrase; "" for nothing."""
        return "; ".join(
            f"{count} {'box' if count == 1 else 'boxes'} {what} (first: {self._first[what]})"
            for what, count in self._found.items()
        )

    def values(self, wanted: Mapping[str, Truth]) -> dict[str, np.ndarray]:
        """The truth that a task wants, in its types; without `crowd` or `difficult` such objects are left out, because
        who is not told which they are must not learn them."""
        table = np.array(self._rows, np.float64).reshape(-1, 8)
        for name, column in (("crowd", 5), ("difficult", 6)):
            if name not in wanted:
                table = table[table[:, column] == 0]
        columns = {
            "boxes": table[:, :4],
            "classes": table[:, 4],
            "crowd": table[:, 5],
            "difficult": table[:, 6],
            "area": table[:, 7],
        }
        return {name: columns[name].astype(each.dtype) for name, each in wanted.items() if name in columns}
