"""A COCO JSON file, read once and kept small: for each picture its annotations as text of their own."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ....models.errors import InputError
from ....models.inputs.exports import CVAT_XML, LABELME, is_labelme

LARGEST = 100_000
"""Pixels of a side: a number beyond is a mistake, and no mask of it would fit into memory."""

_log = logging.getLogger(__name__)


class Annotation(NamedTuple):
    """One object of a picture.

    Attributes:
        id: as the file has it, for messages.
        class_id: of the task, not the file's category.
        is_crowd: a region of many objects that were not told apart.
        segmentation: polygons or run lengths, None where it has none or none is wanted.
        bbox: x, y, width, height in pixels, None where it has none or none is wanted.
    """

    id: Any
    class_id: int
    is_crowd: bool
    segmentation: Any
    bbox: Any


@dataclass(frozen=True)
class CocoPicture:
    """A picture and what is known of it.

    Attributes:
        file: its path as the file has it.
        height: in pixels, as the file says.
        width: likewise.
        text: its annotations as JSON: lists of numbers would take several times the room.
    """

    file: str
    height: int
    width: int
    text: bytes

    @property
    def annotations(self) -> list[Annotation]:
        return [Annotation(*each) for each in json.loads(self.text)]


class CocoFile:
    """What a COCO file holds (https://cocodataset.org/#format-data).

    Args:
        file: the JSON file.
        has_truth: whether annotations and categories must be there.

    Raises:
        InputError: no such file, no JSON, or not a COCO file; a value that is missing or stands there twice.
    """

    def __init__(self, file: str, has_truth: bool):
        self._place = f"data.annotations={file}"
        self._document = _load(file, self._place)
        self._check_keys(("images", "annotations", "categories") if has_truth else ("images",))
        categories = self._entries("categories", {"id": int, "name": str}) if has_truth else []
        self._refuse_twice("categories", "name", categories)
        self._refuse_twice("categories", "id", categories)
        self.categories = {each["id"]: each["name"] for each in sorted(categories, key=lambda each: each["id"])}
        """Id to name, in the order of the ids."""

    def take_pictures(self, class_ids: Mapping[int, int], fields: Sequence[str]) -> list[CocoPicture]:
        """The pictures in the file's order; the file itself is let go, so this works once.

        Args:
            class_ids: category id to class id; annotations of other categories are left out.
            fields: what annotations are needed for: `segmentation`, `bbox`; empty: they are not looked at.

        Raises:
            InputError: see the class; an unknown category, or annotations of which none has a wanted field.
        """
        images = self._entries("images", {"id": (int, str), "file_name": str, "height": int, "width": int})
        self._refuse_twice("images", "id", images)
        self._refuse_twice("images", "file_name", images)
        if not images:
            raise InputError(f"{self._place}: no pictures in it: 'images' is empty")
        for each in images:
            if not 0 < min(each["height"], each["width"]) <= max(each["height"], each["width"]) <= LARGEST:
                size = f"{each['height']} x {each['width']}"
                raise InputError(f"{self._place}: '{each['file_name']}' is {size} pixels: no size of a picture")
        of_picture: dict[int | str, list[Annotation]] = {each["id"]: [] for each in images}
        if fields:
            self._sort_annotations(of_picture, class_ids, fields)
        self._document = {}
        return [
            CocoPicture(
                each["file_name"],
                each["height"],
                each["width"],
                json.dumps(of_picture.pop(each["id"]), separators=(",", ":")).encode(),
            )
            for each in images
        ]

    def _sort_annotations(
        self, of_picture: dict[int | str, list[Annotation]], class_ids: Mapping[int, int], fields: Sequence[str]
    ) -> None:
        annotations = self._entries("annotations", {"image_id": (int, str), "category_id": int})
        strange, without = 0, dict.fromkeys(fields, 0)
        for at, each in enumerate(annotations):
            category, number = each["category_id"], each.get("id", at)
            if category not in self.categories:
                known = ", ".join(f"{key} ({name})" for key, name in list(self.categories.items())[:12])
                raise InputError(
                    f"{self._place}: annotation {number}: its category_id {category} is not among the categories: "
                    f"{known or 'there are none'}"
                )
            if each["image_id"] not in of_picture:
                strange += 1
            elif category in class_ids:
                values = {name: each.get(name) or None for name in fields}
                of_picture[each["image_id"]].append(
                    Annotation(
                        number,
                        class_ids[category],
                        bool(each.get("iscrowd", 0)),
                        values.get("segmentation"),
                        values.get("bbox"),
                    )
                )
            for name in fields:
                without[name] += not each.get(name)
        if strange:
            _log.warning("%s: annotations of pictures that it does not list are left out: %d", self._place, strange)
        for name, count in without.items():
            if count and count == len(annotations):
                raise InputError(
                    f"{self._place}: none of its {count} annotations has a '{name}', and the task needs it"
                )

    def _check_keys(self, keys: Sequence[str]) -> None:
        if not isinstance(self._document, dict):
            kind = type(self._document).__name__
            raise InputError(f"{self._place}: not a COCO file, which is a mapping with {_listed(keys)}: it is a {kind}")
        if is_labelme(self._document):
            raise InputError(f"{self._place}: not a COCO file: {LABELME}")
        for key in keys:
            if key not in self._document:
                has = _listed(list(self._document)[:8]) if self._document else "nothing"
                raise InputError(f"{self._place}: not a COCO file: no '{key}' in it, which has {has}")

    def _entries(self, key: str, fields: Mapping[str, type | tuple[type, ...]]) -> list[dict[str, Any]]:
        """The list under a key, whose entries have all the fields."""
        entries = self._document[key]
        if not isinstance(entries, list):
            raise InputError(f"{self._place}: not a COCO file: '{key}' is no list")
        for at, entry in enumerate(entries):
            for name, kinds in fields.items():
                if not isinstance(entry, dict) or name not in entry:
                    raise InputError(f"{self._place}: not a COCO file: {key}[{at}] has no '{name}'")
                if not isinstance(entry[name], kinds) or isinstance(entry[name], bool):
                    raise InputError(f"{self._place}: {key}[{at}]: '{name}' is {entry[name]!r}")
        return entries

    def _refuse_twice(self, key: str, field: str, entries: Sequence[Mapping[str, Any]]) -> None:
        seen = set()
        for entry in entries:
            if entry[field] in seen:
                raise InputError(f"{self._place}: two {key} have the {field} {entry[field]!r}")
            seen.add(entry[field])


def _load(file: str, place: str) -> Any:
    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        raise InputError(f"{place}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{place}: a folder, not a JSON file: data.images names the folder of the pictures") from None
    except OSError as error:
        raise InputError(f"{place}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
        if file.lower().endswith(".xml"):
            raise InputError(f"{place}: not JSON: {CVAT_XML}") from None
        raise InputError(f"{place}: not JSON: {error}") from None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
