"""Objects in Pascal VOC's XML, by hand and wrong on purpose."""

import pytest

from saccade.models.errors import InputError
from saccade.pipelines.data.formats.voc import CLASSES, read_boxes


def objects(*entries: tuple) -> bytes:
    """An XML file of (name, xmin, ymin, xmax, ymax, more) each."""
    parts = [
        f"<object><name>{name}</name>{more}<bndbox><xmax>{x_max}</xmax><xmin>{x_min}</xmin><ymax>{y_max}</ymax>"
        f"<ymin>{y_min}</ymin></bndbox></object>"
        for name, x_min, y_min, x_max, y_max, more in entries
    ]
    return f"<annotation>{''.join(parts)}</annotation>".encode()


def test_difficult_objects_and_parts_are_no_boxes():
    part = "<part><name>head</name><bndbox><xmin>9</xmin></bndbox></part>"
    boxes, classes = read_boxes(
        objects(("cow", 2, 2, 4, 4, "<difficult>1</difficult>"), ("cow", 0, 0.5, 4.5, 8, part)), CLASSES
    )
    assert boxes.tolist() == [[0, 0, 4.5, 8]] and classes.tolist() == [CLASSES.index("cow")]


def test_a_picture_without_objects():
    boxes, classes = read_boxes(objects(), CLASSES)
    assert boxes.shape == (0, 4) and classes.shape == (0,)


def test_entities_that_grow_without_end():
    """A few hundred bytes that would unfold to gigabytes: expat stops them."""
    entities = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 12))
    data = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 100}">{entities}]><annotation>&e11;</annotation>'.encode()
    with pytest.raises(InputError, match="its annotation is not XML: limit on input amplification factor"):
        read_boxes(data, CLASSES)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<annotation>", "its annotation is not XML: no element found: line 1, column 12"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "its annotation is not XML: unknown encoding: nonsense"),
        (objects(("cart", 1, 1, 2, 2, "")), "object 'cart' is not in data.classes: did you mean cat or car or chair?"),
        (objects(("cat", "", 1, 2, 2, "")), "object 'cat': bndbox/xmin is missing, and it takes a number"),
        (objects(("cat", 1, 1, "wide", 2, "")), "object 'cat': bndbox/xmax is 'wide', and it takes a number"),
        (objects(("cat", 1, "nan", 2, 2, "")), "object 'cat': bndbox/ymin is 'nan', and it takes a number"),
        (b"<a><object><name>dog</name></object></a>", "object 'dog': bndbox/xmin is missing, and it takes a number"),
        (b"<a><object/></a>", "object '' is not in data.classes: known: aeroplane, bicycle, bird"),
    ],
)
def test_annotations_that_are_none(content, told):
    """In phrases that stand behind the sample's name."""
    with pytest.raises(InputError) as caught:
        read_boxes(content, CLASSES)
    assert str(caught.value).startswith(told) and "\n" not in str(caught.value)
