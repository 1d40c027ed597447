"""COCO annotations: masks, objects and boxes, against pycocotools and by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from saccade.models.contract import Truth
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.coco import Annotation, Coco, CocoOptions, paint
from saccade.pipelines.data.formats.run_lengths import covered, run_lengths

# pycocotools 2.0.11 gives its masks to NumPy 2 by the older protocol; only the tests let it decode.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept a copy:DeprecationWarning")

MASK = {"mask": Truth("uint8", (None, None))}
MASKS = MASK | {"instances": Truth("uint16", (None, None), trains=False)}
BOXES = {"boxes": Truth("float32", (None, 4)), "classes": Truth("int32", (None,))}
HEIGHT, WIDTH = 12, 16
CATEGORIES = [{"id": 7, "name": "table"}, {"id": 3, "name": "cat"}, {"id": 90, "name": "cup"}]


def square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def entry(number: int, image: int, category: int, segmentation, crowd: int = 0) -> dict:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": [number, 2, 3.5, 4],
        "iscrowd": crowd,
    }


def document(annotations: list[dict], names=("a.png", "b.png", "c.png"), categories=CATEGORIES) -> dict:
    images = [{"id": at, "file_name": name, "height": HEIGHT, "width": WIDTH} for at, name in enumerate(names, 1)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def write(draw, tmp_path) -> Callable[..., str]:
    """`write(annotations, name, names)`: a JSON file, and its images in the folder `images`."""

    def written(annotations, name="all.json", names=("a.png", "b.png", "c.png"), categories=CATEGORIES) -> str:
        draw(*(f"images/{each}" for each in names))
        (tmp_path / name).write_text(json.dumps(document(annotations, names, categories)))
        return str(tmp_path / name)

    return written


def source(file, truth=MASK, **options) -> Coco:
    images = options.pop("images", None) or str(Path(file).parent / "images")
    return Coco(CocoOptions(source="coco", annotations=file, images=images, **options), truth)


def rle(mask: np.ndarray) -> dict:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def uncompressed(mask: np.ndarray) -> dict:
    pixels = mask.T.ravel()
    changes = np.flatnonzero(np.diff(pixels)) + 1
    lengths = np.diff([0, *changes, len(pixels)]).tolist()
    return {"size": list(mask.shape), "counts": [0] * bool(pixels[0]) + lengths}


def test_by_hand(write):
    """A cat at (2, 3), 4 pixels wide; a cup as run lengths; the third image has nothing."""
    cup = np.zeros((HEIGHT, WIDTH), bool)
    cup[10:, 14:] = True
    file = write([entry(1, 1, 3, square(2, 3, 4)), entry(2, 1, 90, rle(cup)), entry(3, 2, 7, uncompressed(cup))])
    read = source(file)
    assert read.class_names == ["background", "cat", "table", "cup"]
    assert read.keys == ["a.png", "b.png", "c.png"] == read.groups and read.splits == {}
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[3:7, 2:6] = 1
    expected[10:, 14:] = 3
    assert read.truth(0)["mask"].dtype == np.uint8 and (read.truth(0)["mask"] == expected).all()
    assert (read.truth(1)["mask"] == 2 * cup).all() and not read.truth(2)["mask"].any()
    assert read.read(1) == {"bytes": (Path(file).parent / "images/b.png").read_bytes()}
    assert read.where(1) == str(Path(file).parent / "images/b.png")
    assert find_source("coco") is Coco


def test_the_smaller_object_lies_on_the_larger_one(write):
    """In whichever order the file has them; of two as large the later one."""
    large, small = entry(1, 1, 7, square(0, 0, 10)), entry(2, 1, 90, square(2, 2, 3))
    one = source(write([large, small]), MASKS).truth(0)
    other = source(write([small, large]), MASKS).truth(0)
    assert (one["mask"] == other["mask"]).all() and one["mask"][3, 3] == 3 and one["mask"][0, 0] == 2
    assert one["instances"].dtype == np.uint16 and one["instances"][3, 3] == 2 and one["instances"][0, 0] == 1
    assert np.unique(other["instances"]).tolist() == [0, 1, 2] and other["instances"][3, 3] == 1
    twins = [entry(1, 1, 7, square(0, 0, 4)), entry(2, 1, 90, square(0, 0, 4))]
    assert source(write(twins)).truth(0)["mask"][0, 0] == 3


def test_crowds_do_not_count_where_no_object_is(write):
    everywhere = uncompressed(np.ones((HEIGHT, WIDTH), bool))
    file = write([entry(1, 1, 3, square(0, 0, 4)), entry(2, 1, 3, everywhere, crowd=1)])
    truth = source(file, MASKS | BOXES).truth(0)
    assert (truth["mask"][:4, :4] == 1).all() and (truth["mask"][4:] == 255).all()
    assert np.unique(truth["instances"][:4, :4]).tolist() == [1] and not truth["instances"][4:].any()
    assert truth["boxes"].tolist() == [[1, 2, 4.5, 6]] and truth["classes"].tolist() == [1]
    small = uncompressed(np.eye(HEIGHT, WIDTH, dtype=bool))
    under = write([entry(1, 1, 3, square(0, 0, 12)), entry(2, 1, 3, small, crowd=1)])
    assert not (source(under).truth(0)["mask"] == 255).any()


def test_crowds_are_boxes_where_the_task_is_told_which_they_are(write):
    """Area is the file's own, and of a box that has none its own."""
    whole = uncompressed(np.ones((HEIGHT, WIDTH), bool))
    entries = [entry(1, 1, 3, whole, crowd=1), entry(2, 1, 7, square(0, 0, 4)) | {"area": 12.5}]
    file = write(entries)
    fields = {
        name: Truth(dtype, (None,), moves="box_field") for name, dtype in (("crowd", "int32"), ("area", "float32"))
    }
    truth = source(file, BOXES | fields).truth(0)
    assert truth["boxes"].tolist() == [[1, 2, 4.5, 6], [2, 2, 5.5, 6]] and truth["classes"].tolist() == [0, 1]
    assert truth["crowd"].tolist() == [1, 0] and truth["crowd"].dtype == np.int32
    assert truth["area"].tolist() == [14, 12.5] and truth["area"].dtype == np.float32
    without = source(file, BOXES | {"area": fields["area"]}).truth(0)
    assert without["boxes"].tolist() == [[2, 2, 5.5, 6]] and without["area"].tolist() == [12.5]
    empty = source(file, BOXES | fields).truth(1)
    assert [empty[name].shape for name in ("boxes", "crowd", "area")] == [(0, 4), (0,), (0,)]


def test_boxes_alone_have_no_background(write):
    file = write([entry(5, 1, 90, []), entry(6, 1, 3, [])])
    read = source(file, BOXES)
    truth = read.truth(0)
    assert read.class_names == ["cat", "table", "cup"]
    assert truth["boxes"].dtype == np.float32 and truth["boxes"].tolist() == [[5, 2, 8.5, 6], [6, 2, 9.5, 6]]
    assert truth["classes"].dtype == np.int32 and truth["classes"].tolist() == [2, 0]
    empty = read.truth(2)
    assert empty["boxes"].shape == (0, 4) and empty["classes"].shape == (0,)


def test_chosen_classes_in_their_order(write):
    file = write([entry(1, 1, 7, square(0, 0, 10)), entry(2, 1, 90, square(2, 2, 3)), entry(3, 1, 3, square(11, 5, 2))])
    read = source(file, MASK | BOXES, classes=["cup", "cat"])
    mask = read.truth(0)["mask"]
    assert read.class_names == ["background", "cup", "cat"]
    assert mask[3, 3] == 1 and mask[6, 12] == 2 and mask[0, 0] == 0
    assert read.truth(0)["classes"].tolist() == [1, 2]


def test_a_category_called_background_is_the_background(write):
    categories = [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}]
    file = write([entry(1, 1, 0, square(0, 0, 3)), entry(2, 1, 1, square(5, 5, 3))], categories=categories)
    read = source(file, MASKS)
    assert read.class_names == ["background", "cat"]
    assert np.unique(read.truth(0)["mask"]).tolist() == [0, 1]
    assert np.unique(read.truth(0)["instances"]).tolist() == [0, 2]


def test_one_file_for_each_split(write, tmp_path):
    """Class ids go by name, whatever numbers the second file gives to its categories."""
    one = write([entry(1, 1, 3, square(0, 0, 4))], "train.json")
    renamed = [{"id": 1, "name": "cup"}, {"id": 2, "name": "cat"}]
    two = write([entry(1, 1, 2, square(0, 0, 4))], "val.json", ("a.png", "z.png"), renamed)
    read = source({"validation": two, "train": one}, images=str(tmp_path / "images"))
    assert read.keys == ["train/a.png", "train/b.png", "train/c.png", "validation/a.png", "validation/z.png"]
    assert {name: list(positions) for name, positions in read.splits.items()} == {
        "train": [0, 1, 2],
        "validation": [3, 4],
    }
    assert read.truth(3)["mask"][0, 0] == read.truth(0)["mask"][0, 0] == 1


def test_images_beside_the_json_file_need_no_folder(draw, tmp_path):
    root = draw("train/a.png", "valid/b.png")
    files = {}
    for folder, split, name in (("train", "train", "a.png"), ("valid", "validation", "b.png")):
        files[split] = str(root / folder / "_annotations.coco.json")
        Path(files[split]).write_text(json.dumps(document([entry(1, 1, 3, square(0, 0, 4))], (name,))))
    read = Coco(CocoOptions(source="coco", annotations=files), MASK)
    assert [read.where(at) for at in (0, 1)] == [str(root / "train/a.png"), str(root / "valid/b.png")]


def test_prediction_needs_neither_annotations_nor_categories(draw, tmp_path):
    draw("images/a.png")
    (tmp_path / "info.json").write_text(json.dumps({"images": document([], ("a.png",))["images"]}))
    read = source(str(tmp_path / "info.json"), None)
    assert read.keys == ["a.png"] and read.truth(0) == {} and list(read.class_names) == []


def test_the_stamp_changes_with_the_image_and_with_its_own_annotations(write, tmp_path):
    first = entry(1, 1, 3, square(0, 0, 4))
    file = write([first])
    before = [source(file).stamp(at) for at in (0, 1)]
    Path(file).write_text(json.dumps(document([first, entry(2, 2, 3, square(0, 0, 4))])))
    after = [source(file).stamp(at) for at in (0, 1)]
    assert before[0] == after[0] and before[1] != after[1]
    (tmp_path / "images/a.png").write_bytes(b"another")
    assert source(file).stamp(0) != after[0]
    read = source(file)
    (tmp_path / "images/a.png").unlink()
    assert read.stamp(0) is None


def test_annotations_of_unlisted_images_are_counted(write, caplog):
    source(write([entry(1, 1, 3, square(0, 0, 4)), entry(2, 77, 3, square(0, 0, 4))]))
    assert "annotations of images that it does not list are left out: 1" in caplog.text


def test_every_form_draws_what_pycocotools_draws(write, tmp_path, capsys):
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH)) > 0.6
    forms = [[[1.3, 0.7, 14.9, 3.2, 8.1, 11.5], *square(0.5, 8.5, 2.2)], rle(noise), uncompressed(noise)]
    file = write([entry(at, at, 3, form) for at, form in enumerate(forms, 1)])
    reference, read = COCO(file), source(file)
    for at in range(3):
        expected = reference.annToMask(reference.anns[at + 1])
        assert expected.any() and (read.truth(at)["mask"] == expected).all()
    capsys.readouterr()  # COCO prints


sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
coordinates = st.floats(-30, 50, allow_nan=False, width=32)
polygons = st.lists(coordinates, min_size=6, max_size=20).map(lambda flat: flat[: len(flat) // 2 * 2])


@given(sizes, st.lists(polygons, min_size=1, max_size=3))
def test_any_polygons(size, shape):
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(shape, *size)))
    assert (covered(run_lengths(shape, *size), *size) == expected).all()


@given(sizes, st.data())
def test_any_run_lengths(size, data):
    bits = data.draw(st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]))
    mask = np.array(bits).reshape(size)
    for form in (rle(mask), uncompressed(mask)):
        assert (covered(run_lengths(form, *size), *size) == mask).all()
        assert run_lengths(form, *size)[1::2].sum() == coco_mask.area(rle(mask))


def test_long_runs():
    """Numbers of several characters, and steps down, which are negative differences."""
    mask = np.zeros((3000, 40), bool)
    mask[5:, 3:9] = mask[100:140, 20:] = mask[::2, 39] = True
    assert (covered(run_lengths(rle(mask), 3000, 40), 3000, 40) == mask).all()


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), polygons), max_size=5))
def test_any_objects_paint_as_they_do_one_after_the_other(objects):
    """The painter's algorithm in NumPy: crowds, then from the largest to the smallest."""
    annotations = [Annotation(at, each, crowd, [shape], None) for at, (each, crowd, shape) in enumerate(objects)]
    mask, instances = paint(annotations, HEIGHT, WIDTH)
    masks = [coco_mask.decode(coco_mask.frPyObjects([shape], HEIGHT, WIDTH))[..., 0] > 0 for _, _, shape in objects]
    order = sorted(range(len(objects)), key=lambda at: (not objects[at][1], -masks[at].sum(), at))
    expected = np.zeros((HEIGHT, WIDTH), int)
    numbers = np.zeros((HEIGHT, WIDTH), int)
    for at in order:
        expected[masks[at]] = 255 if objects[at][1] else objects[at][0]
        numbers[masks[at]] = 0 if objects[at][1] else at + 1
    assert (mask == expected).all() and (instances == numbers).all()
