"""Sets in the layout of Pascal VOC: masks, objects, boxes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.exports import LABELMAP, mask_keys, read_labelmap
from ....models.inputs.file_tree import open_tree
from ....models.inputs.image.options import IGNORE
from ....models.options import RecipePath
from ..source import ClassNames, DataOptions, check_truth
from .file_source import FileSource
from .mask_image import read_mask
from .mask_pixels import BACKGROUND, class_ids, read_pixels
from .voc_boxes import read_boxes
from .voc_layout import BOXES, MASKS, OBJECTS, PICTURES, read_layout

CLASSES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor"
).split()
"""Of VOC itself, in the order of its masks' values, from 1."""

OFFERED = {
    "mask": Truth("uint8", (None, None)),
    "instances": Truth("uint16", (None, None)),
    "boxes": Truth("float32", (None, 4)),
    "classes": Truth("int32", (None,)),
}
_FOLDER_OF = {"mask": MASKS, "instances": OBJECTS, "boxes": BOXES, "classes": BOXES}


class VocOptions(DataOptions):
    """The recipe's `data` section of a set in the layout of Pascal VOC."""

    path: RecipePath
    """`VOCdevkit/VOC2012`, or a folder or zip file of the same layout: `JPEGImages` with `SegmentationClass` for masks,
    `Annotations` for boxes, and lists of the splits in `ImageSets`, if there are any."""
    classes: Annotated[ClassNames, Field(max_length=IGNORE - 1)] | None = None
    """The classes without the background, in the order of the masks' values from 1; VOC's own 20 unless given."""

    @field_validator("classes")
    @classmethod
    def _without_background(cls, value: list[str] | None) -> list[str] | None:
        if BACKGROUND in (value or []):
            raise ValueError("leave the background out: it is 0 in every mask")
        return value


class Voc(FileSource):
    """The samples of `ImageSets/Segmentation` where masks are wanted, of `ImageSets/Main` for boxes alone.

    A key is the picture's path in the set. Masks have the class 0 for the background; for boxes alone there is none.
    """

    Options = VocOptions

    def __init__(self, options: VocOptions, truth: Mapping[str, Truth] | None):
        check_truth("voc", truth, OFFERED)
        self._truth = truth or {}
        self._has_masks = not self._truth.keys().isdisjoint(("mask", "instances"))
        self.tree = open_tree(options.path)
        wanted = list(dict.fromkeys(_FOLDER_OF[name] for name in self._truth))
        layout = read_layout(self.tree, wanted, "Segmentation" if self._has_masks else "Main")
        self._files = layout.files
        self.class_names = [BACKGROUND] * self._has_masks + (options.classes or CLASSES) if truth else []
        self.keys, self.splits = layout.files[PICTURES], layout.splits
        if "mask" in self._truth:
            self._refuse_colors()
        self.groups = self.keys

    def truth(self, position: int) -> dict[str, np.ndarray]:
        values = {}
        if "mask" in self._truth:
            pixels = read_pixels(self._read(MASKS, position))
            values["mask"] = class_ids(pixels, range(len(self.class_names)))
        if "instances" in self._truth:
            pixels = read_pixels(self._read(OBJECTS, position))
            values["instances"] = np.where(pixels == IGNORE, 0, pixels) if pixels.dtype == np.uint8 else pixels
        if "boxes" in self._truth or "classes" in self._truth:
            values["boxes"], values["classes"] = read_boxes(self._read(BOXES, position), self.class_names)
        return {name: values[name].astype(wanted.dtype, copy=False) for name, wanted in self._truth.items()}

    def stamp(self, position: int) -> str | None:
        stamps = [self.tree.stamp(files[position]) for files in self._files.values()]
        return None if None in stamps else " ".join(stamps)

    def _refuse_colors(self) -> None:
        """Refuses CVAT's exports, which have VOC's layout with colours of their own for masks."""
        kind = ""
        with suppress(InputError, OSError):  # the check of all samples tells of such a mask
            kind = read_mask(self._read(MASKS, 0)).kind if read_labelmap(self.tree) else ""
        if kind == "colors":
            told = f"masks in the colours of {LABELMAP}, not in VOC's class ids: {mask_keys(self.tree)}"
            raise InputError(f"data.path={self.tree.root}: {told}")

    def _read(self, folder: str, position: int) -> bytes:
        return self.tree.read(self._files[folder][position])
