"""A folder of boxes in any of the layouts that can be told apart at a glance."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ....models.contract import Truth
from ....models.errors import InputError, advise
from ....models.inputs.exports import advice
from ....models.inputs.file_tree import open_tree
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, ClassNames, DataOptions, Source, Split
from .box_table import BoxTable, BoxTableOptions
from .coco import Coco, CocoOptions
from .voc import Voc, VocOptions
from .yolo import Yolo, YoloOptions

ROBOFLOW = "_annotations.coco.json"
"""What Roboflow calls the COCO file that lies beside the images of each split."""


class BoxFolderOptions(DataOptions):
    """The recipe's `data` section of boxes in a layout that is found out."""

    path: RecipePath
    """A folder with a `data.yaml` (YOLO), with `Annotations` and `JPEGImages` (Pascal VOC), with a COCO file for each
    split as Roboflow exports it, or with one COCO file; or such a `.yaml`, `.json` or `.csv` file itself."""
    classes: ClassNames | None = None
    """The class names in their order, where the format leaves it to the recipe."""


class BoxFolder(Source):
    """Reads what it finds by the source of that format: `yolo`, `voc`, `coco` or `box_table`, whose sections of the
    recipe have more to set."""

    Options = BoxFolderOptions

    def __init__(self, options: BoxFolderOptions, truth: Mapping[str, Truth] | None):
        self.inner = _opened(options, truth)
        self.class_names, self.keys = self.inner.class_names, self.inner.keys
        self.splits, self.groups = self.inner.splits, self.inner.groups

    def truth(self, position: int) -> dict[str, Any]:
        return self.inner.truth(position)

    def inspect_truth(self, position: int) -> tuple[dict[str, Any], str]:
        return self.inner.inspect_truth(position)

    def read(self, position: int) -> Mapping[str, Any]:
        return self.inner.read(position)

    def where(self, position: int) -> str:
        return self.inner.where(position)

    def stamp(self, position: int) -> str | None:
        return self.inner.stamp(position)

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        return self.inner.columns


def _opened(options: BoxFolderOptions, truth: Mapping[str, Truth] | None) -> Source:
    path = options.path
    shared = options.model_dump(exclude={"source", "path", "classes"})
    chosen = {} if options.classes is None else {"classes": options.classes}
    lower = path.lower()
    if not os.path.exists(path):
        raise InputError("no such file or folder", where=f"data.path={path}", field="data.path")
    if os.path.isfile(path):
        if lower.endswith((".yaml", ".yml")):
            return Yolo(YoloOptions(source="yolo", path=path, **shared), truth)
        if lower.endswith(".json"):
            return Coco(CocoOptions(source="coco", annotations=path, **chosen, **shared), truth)
        if lower.endswith(".csv"):
            return BoxTable(BoxTableOptions(source="box_table", path=path, **chosen, **shared), truth)
        raise InputError(
            "no data.yaml, COCO file (.json) or table of boxes (.csv), nor a folder",
            where=f"data.path={path}",
            field="data.path",
        )
    inside = {each.name: each.is_dir() for each in os.scandir(path)}
    if "data.yaml" in inside:
        return Yolo(YoloOptions(source="yolo", path=path, **shared), truth)
    if inside.get("Annotations") and inside.get("JPEGImages"):
        return Voc(VocOptions(source="voc", path=path, **chosen, **shared), truth)
    splits: dict[Split, str] = {
        split: os.path.join(path, name, ROBOFLOW)
        for name, split in SPLIT_NAMES.items()
        if os.path.isfile(os.path.join(path, name, ROBOFLOW))
    }
    if splits:
        return Coco(CocoOptions(source="coco", annotations=splits, **chosen, **shared), truth)
    files = sorted(name for name, is_folder in inside.items() if name.lower().endswith(".json") and not is_folder)
    told = advice(open_tree(path))
    if len(files) == 1 and not told:
        return Coco(CocoOptions(source="coco", annotations=os.path.join(path, files[0]), **chosen, **shared), truth)
    if told:
        raise InputError(f"{told}", where=f"data.path={path}", field="data.path")
    raise InputError(
        f"no layout of boxes that is known at a glance (a data.yaml, Annotations and JPEGImages, "
        f"{ROBOFLOW} in each split): name the format, as {advise('data.source', 'coco')} with data.annotations, "
        f"{advise('data.source', 'box_table')}, or {advise('data.source', 'masks')} for boxes round objects of masks",
        where=f"data.path={path}",
        field="data.path",
    )
