"""COCO annotations, wrong on purpose: one line says what, where and what to do."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.coco import Coco, CocoOptions

MASK = {"mask": Truth("uint8", (None, None))}
BOXES = {"boxes": Truth("float32", (None, 4)), "classes": Truth("int32", (None,))}
SQUARE = [[0, 0, 4, 0, 4, 4, 0, 4]]


@pytest.fixture
def refused(draw, tmp_path):
    """`refused(change)`: what is said when a good file was changed, and opened; or read, if that goes well."""

    def told(change=lambda document: None, truth=MASK, text=None, **options) -> str:
        root = draw("images/a.png", "images/b.png")
        images = [{"id": at, "file_name": name, "height": 12, "width": 16} for at, name in ((1, "a.png"), (2, "b.png"))]
        annotation = {"id": 41, "image_id": 1, "category_id": 3, "segmentation": SQUARE, "bbox": [0, 0, 4, 4]}
        document = {"images": images, "annotations": [annotation], "categories": [{"id": 3, "name": "cat"}]}
        replaced = change(document)
        file = root / "all.json"
        file.write_text(json.dumps(document if replaced is None else replaced) if text is None else text)
        with pytest.raises(InputError) as caught:
            keys = {"annotations": str(file), "images": str(root / "images")} | options
            Coco(CocoOptions(source="coco", **keys), truth).truth(0)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(tmp_path), "ROOT")

    return told


def at(*path, value):
    """A change of one value of the document."""

    def change(document) -> None:
        for key in path[:-1]:
            document = document[key]
        if value is ...:
            del document[path[-1]]
        else:
            document[path[-1]] = value

    return change


def annotation(key: str, value):
    return at("annotations", 0, key, value=value)


def test_files_that_are_none(refused, tmp_path):
    assert refused(annotations=str(tmp_path / "no.json")) == "data.annotations=ROOT/no.json: no such file"
    assert refused(annotations=str(tmp_path)).startswith("data.annotations=ROOT: a folder, not a JSON file")
    assert refused(text="{]").startswith("data.annotations=ROOT/all.json: not JSON: Expecting property name")
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    assert "latin.json: not JSON: 'utf-8' codec can't decode" in refused(annotations=str(tmp_path / "latin.json"))
    assert "not JSON: maximum recursion depth" in refused(text="[" * 100_000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: [], "not a COCO file, which is a mapping with 'images', 'annotations', 'categories': it is a list"),
        (at("categories", value=...), "not a COCO file: no 'categories' in it, which has 'images', 'annotations'"),
        (at("images", value={}), "not a COCO file: 'images' is no list"),
        (at("images", value=[]), "no images in it: 'images' is empty"),
        (at("images", 1, "height", value=...), "not a COCO file: images[1] has no 'height'"),
        (at("images", 1, "height", value="12"), "images[1]: 'height' is '12'"),
        (at("images", 1, "height", value=0), "'b.png' is 0 x 16 pixels: no size of an image"),
        (at("images", 1, "width", value=10**9), "'b.png' is 12 x 1000000000 pixels: no size of an image"),
        (at("images", 1, "id", value=1), "two images have the id 1"),
        (at("images", 1, "file_name", value="a.png"), "two images have the file_name 'a.png'"),
        (at("categories", 0, "name", value=...), "not a COCO file: categories[0] has no 'name'"),
        (
            lambda document: document["categories"].append({"id": 9, "name": "cat"}),
            "two categories have the name 'cat'",
        ),
        (annotation("image_id", ...), "not a COCO file: annotations[0] has no 'image_id'"),
        (
            annotation("category_id", 8),
            "annotation 41: its category_id 8 is not among the categories: 3 (cat)",
        ),
        (annotation("segmentation", []), "none of its 1 annotations has a 'segmentation', and the task needs it"),
    ],
)
def test_a_file_that_is_not_coco(refused, change, told):
    assert refused(change) == f"data.annotations=ROOT/all.json: {told}"


def test_missing_images(refused):
    assert refused(at("images", 1, "file_name", value="c.png")) == (
        "data.annotations=ROOT/all.json: 1 of 2 images are missing in ROOT/images (first c.png): data.images is the "
        "folder that file names start from"
    )


@pytest.mark.parametrize(
    ("segmentation", "told"),
    [
        ([[1, 1, 5, 5]], "a polygon of 2 points; it takes three or more"),
        ([SQUARE[0], [1, 1]], "a polygon of 1 points; it takes three or more"),
        ([[1, 1, 5, 5, 9]], "a polygon of 5 numbers, which are no pairs of x and y"),
        ([[1, 1, 5, 5, 9, 3e8]], "a polygon with the coordinate 3e+08, in an image of 12 x 16"),
        ([[1, 1, 5, 5, 9, float("nan")]], "a polygon with the coordinate nan, in an image of 12 x 16"),
        ([0, 0, 4, 0, 4, 4], "a polygon that is no list of numbers"),
        ([[0, 0, 4, 0, 4, "4"]], "a polygon that is no list of numbers"),
        ("abc", "neither polygons nor run lengths with 'size' and 'counts'"),
        ({"counts": [192]}, "neither polygons nor run lengths with 'size' and 'counts'"),
        ({"size": [16, 12], "counts": [192]}, "run lengths of 16 x 12, and the image is 12 x 16"),
        ({"size": "big", "counts": [192]}, "run lengths of 'big', and the image is 12 x 16"),
        ({"size": [12, 16], "counts": [190]}, "run lengths that do not fill the 12 x 16 pixels: they sum up to 190"),
        ({"size": [12, 16], "counts": [200, -8]}, "run lengths that do not fill the 12 x 16 pixels: some are negative"),
        ({"size": [12, 16], "counts": "d0"}, "run lengths that do not fill the 12 x 16 pixels: they sum up to 20"),
        ({"size": [12, 16], "counts": ""}, "run lengths that do not fill the 12 x 16 pixels: they sum up to 0"),
        ({"size": [12, 16], "counts": "dé"}, "compressed run lengths that are broken"),
        ({"size": [12, 16], "counts": "0`"}, "compressed run lengths that are broken"),
        ({"size": [12, 16], "counts": "ooooooooo0"}, "compressed run lengths that are broken"),
        ({"size": [12, 16], "counts": [191.5]}, "run lengths that are neither whole numbers nor a compressed text"),
        ({"size": [12, 16], "counts": None}, "run lengths that are neither whole numbers nor a compressed text"),
    ],
)
def test_a_segmentation_that_cannot_be_drawn(refused, segmentation, told):
    """A phrase that stands behind the sample's name."""
    assert refused(annotation("segmentation", segmentation)) == f"annotation 41: {told}"


def test_one_object_without_a_mask(refused):
    def change(document) -> None:
        document["annotations"].append(document["annotations"][0] | {"id": 42, "segmentation": None})

    assert refused(change) == "annotation 42 has no segmentation"


@pytest.mark.parametrize("box", [[1, 2, 3], "box", [1, 2, 3, None]])
def test_a_box_of_something_else(refused, box):
    told = refused(annotation("bbox", box), truth=BOXES)
    assert told == f"annotation 41: its bbox is {box!r}, not [x, y, width, height]"


@pytest.mark.parametrize("area", ["big", -1, float("nan"), [4]])
def test_an_area_of_something_else(refused, area):
    assert (
        refused(annotation("area", area), truth=BOXES) == f"annotation 41: its area is {area!r}, not a number of pixels"
    )


def test_classes_that_are_not_there(refused):
    assert refused(classes=["cart"]) == "data.classes: no category 'cart' in ROOT/all.json: did you mean cat?"


def test_too_many_classes_for_a_mask(refused):
    many = [{"id": at, "name": f"class {at}"} for at in range(300)]
    assert refused(at("categories", value=many)) == (
        "data.annotations=ROOT/all.json: 300 categories, and a mask tells at most 254 apart: choose some by "
        "data.classes"
    )


def test_splits_with_other_categories(refused, tmp_path):
    document = {"images": [{"id": 1, "file_name": "a.png", "height": 12, "width": 16}], "annotations": []}
    (tmp_path / "val.json").write_text(json.dumps(document | {"categories": [{"id": 1, "name": "dog"}]}))
    files = {"train": str(tmp_path / "all.json"), "validation": str(tmp_path / "val.json")}
    assert refused(annotations=files) == (
        "data.annotations=ROOT/val.json: category 'dog' is not in the first file, which has background, cat: "
        "data.classes chooses those to learn"
    )


def test_what_it_does_not_bring(refused):
    assert refused(truth={"label": Truth("int32")}).startswith(
        "data.source=coco brings mask, instances, boxes, classes, crowd, difficult, area, and the task wants 'label' "
        "of shape ()"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"annotations": "a.json", "images": {"train": "x"}}, "images of train, and one JSON file: give both for the"),
        ({"annotations": {"test": "a"}, "images": {"train": "x"}}, "images of train, and annotations of test: give"),
        ({"annotations": {}}, "at least 1 item"),
        ({"annotations": "a.json", "classes": ["a", "a"]}, "class 'a' is given twice"),
    ],
)
def test_options_that_contradict_each_other(options, told):
    with pytest.raises(ValidationError, match=told):
        CocoOptions(source="coco", **options)


def test_a_missing_folder_of_images(refused, tmp_path):
    told = refused(images=str(tmp_path / "nowhere"))
    assert "2 of 2 images are missing in ROOT/nowhere (first a.png)" in told
    assert not Path(tmp_path / "nowhere").exists()
