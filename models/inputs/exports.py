"""What programs for labelling export, and by which keys of the recipe it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from .file_tree import FileTree, open_tree

LABELMAP = "labelmap.txt"
"""CVAT's table of classes and their colours, beside the folders of the masks."""
_MASKS, _IMAGES = "SegmentationClass", "JPEGImages"

LABELME = (
    "these JSON files are Labelme's, whose polygons are not read as they are: its labelme2coco.py converts them: "
    "data.source=coco data.annotations='CONVERTED/annotations.json'"
)
CVAT_XML = (
    "this is an export as 'CVAT for images', which is not read: export as 'COCO 1.0' (data.source=coco "
    "data.annotations='EXPORT/annotations/instances_default.json' data.images='EXPORT/images') or as "
    "'Segmentation mask 1.1' (data.source=masks data.path='IMAGES' data.masks='EXPORT/SegmentationClass')"
)


def advice(tree: FileTree) -> str:
    """What the root of a tree is, if it is a known export that needs other keys, and which; else ""."""
    try:
        entries = dict(tree.inside(""))
    except OSError:
        return ""
    if LABELMAP in entries and entries.get(_MASKS):
        return mask_keys(tree)
    if "annotations.xml" in entries:
        return CVAT_XML
    files = [name for name, is_folder in entries.items() if name.lower().endswith(".json") and not is_folder]
    return LABELME if files and _is_labelme(tree, files[0]) else ""


def mask_keys(tree: FileTree) -> str:
    """How to read CVAT's export of masks at the root of a tree."""
    has_images = dict(tree.inside("")).get(_IMAGES)
    images = os.path.join(tree.root, _IMAGES) if has_images else "FOLDER_OF_THE_IMAGES"
    colors = f" data.colors='{colors_value(found)}'" if (found := read_labelmap(tree)) else ""
    return (
        f"this is CVAT's export of masks: data.source=masks data.path='{images}' "
        f"data.masks='{os.path.join(tree.root, _MASKS)}'{colors}"
    )


def is_labelme(document: object) -> bool:
    """Whether a JSON document is the annotation of one image by Labelme."""
    return isinstance(document, dict) and {"shapes", "imagePath"} <= document.keys()


def labelmap_beside(tree: FileTree) -> dict[str, Sequence[int]]:
    """Class name to colour by the table in a folder of masks or in the one around it; empty where there is none."""
    return read_labelmap(tree) or read_labelmap(open_tree(os.path.dirname(tree.root) or os.curdir))


def read_labelmap(tree: FileTree) -> dict[str, Sequence[int]]:
    """Class name to colour, the background first, by the table at the root of a tree; empty where there is none."""
    try:
        text = tree.read(LABELMAP).decode("utf-8-sig")
    except (OSError, KeyError, UnicodeDecodeError):  # KeyError: a zip file without it
        return {}
    colors: dict[str, Sequence[int]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        numbers = rest.partition(":")[0].split(",")
        if not name.startswith("#") and len(numbers) == 3 and all(each.strip().isdecimal() for each in numbers):
            colors[name.strip()] = tuple(map(int, numbers))
    return dict(sorted(colors.items(), key=lambda item: item[0] != "background"))


def colors_value(colors: Mapping[str, Sequence[int]]) -> str:
    """`data.colors` as YAML in one line."""
    return json.dumps({name: list(color) for name, color in colors.items()}, ensure_ascii=False)


def _is_labelme(tree: FileTree, file: str) -> bool:
    try:
        return is_labelme(json.loads(tree.read(file)))
    except (OSError, ValueError, RecursionError):
        return False
