"""Objects in the XML annotations of Pascal VOC."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

from ....models.errors import InputError, nearest


def read_boxes(data: bytes, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The objects of one picture, without those marked as difficult, which VOC does not count either.

    VOC numbers pixels from 1 and means the last one, too (as its devkit says): an object on the first pixel alone is
    1, 1, 1, 1 there and 0, 0, 1, 1 here. Boxes of other tools, which number from 0, still stay within the picture.

    Args:
        data: the XML file; expat, which reads it, limits how far entities may grow.
        class_names: class ids are positions in it.

    Returns:
        boxes: float32 `[n, 4]`, x_min, y_min, x_max, y_max in pixels.
        classes: int32 `[n]`.

    Raises:
        InputError: no XML, an object without name or box, a class that is not among the names; in a phrase.
    """
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter two for its encoding
        raise InputError(f"its annotation is not XML: {error}") from None
    boxes, classes = [], []
    for entry in root.iter("object"):
        name = (entry.findtext("name") or "").strip()
        if name not in class_names:
            raise InputError(f"object '{name}' is not in data.classes: {nearest(name, class_names)}")
        corners = [_number(entry, name, key) for key in ("xmin", "ymin", "xmax", "ymax")]
        if (entry.findtext("difficult") or "0").strip() in ("0", ""):
            x_min, y_min, x_max, y_max = corners
            boxes.append((max(x_min - 1, 0), max(y_min - 1, 0), x_max, y_max))
            classes.append(list(class_names).index(name))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32)


def _number(entry: ElementTree.Element, name: str, key: str) -> float:
    text = entry.findtext(f"bndbox/{key}")
    try:
        number = float(text or "")
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        found = f"'{text.strip()}'" if text and text.strip() else "missing"
        raise InputError(f"object '{name}': bndbox/{key} is {found}, and it takes a number")
    return number
