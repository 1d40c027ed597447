"""Sets in the layout of Pascal VOC: masks and boxes by hand, splits by lists, and what is wrong on purpose."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats import boxes, find_source
from saccade.pipelines.data.formats.voc import CLASSES, Voc, VocOptions, read_boxes

MASK = {"mask": Truth("uint8", (None, None))}
MASKS = MASK | {"instances": Truth("uint16", (None, None), trains=False)}
BOXES = {"boxes": Truth("float32", (None, 4)), "classes": Truth("int32", (None,))}
HEIGHT, WIDTH = 12, 16


def palette_image(file: Path, pixels: np.ndarray) -> None:
    """As VOC writes masks: indices, and colours that have nothing to do with them."""
    image = Image.fromarray(pixels)
    image.putpalette(np.random.default_rng(0).permutation(768).astype(np.uint8).tolist())
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def mask(seed: int) -> np.ndarray:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[2:6, 3:9], pixels[8:, :4], pixels[5] = 15, 1 + seed % 20, 255
    return pixels


def objects(*entries: tuple) -> str:
    """An XML file of (name, xmin, ymin, xmax, ymax, more) each."""
    parts = [
        f"<object><name>{name}</name>{more}<bndbox><xmax>{x_max}</xmax><xmin>{x_min}</xmin><ymax>{y_max}</ymax>"
        f"<ymin>{y_min}</ymin></bndbox></object>"
        for name, x_min, y_min, x_max, y_max, more in entries
    ]
    return f"<annotation><size><width>{WIDTH}</width></size>{''.join(parts)}</annotation>"


@pytest.fixture
def voc(draw, tmp_path) -> Callable[..., Path]:
    """`voc(list=names, ...)`: a set of five images; each list of ImageSets/Segmentation and Main with its names."""

    def made(**lists: str) -> Path:
        names = [f"2007_{number:06d}" for number in range(5)]
        root = draw(*(f"VOC/JPEGImages/{name}.jpg" for name in names)) / "VOC"
        (root / "Annotations").mkdir(exist_ok=True)
        for number, name in enumerate(names):
            palette_image(root / f"SegmentationClass/{name}.png", mask(number))
            palette_image(root / f"SegmentationObject/{name}.png", np.where(mask(number) == 15, 1, mask(number)))
            (root / f"Annotations/{name}.xml").write_text(
                objects(("cat", 1, 1, 1, 1, ""), ("dog", 3, 2, WIDTH, HEIGHT, "<difficult>0</difficult>"))
            )
        for list_name, numbers in lists.items():
            for folder in ("Segmentation", "Main"):
                file = root / f"ImageSets/{folder}/{list_name}.txt"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("".join(f"{names[int(number)]}\n" for number in numbers))
        return root

    return made


def source(root: Path, truth=MASK, **options) -> Voc:
    return Voc(VocOptions(source="voc", path=str(root), **options), truth)


def told(root: Path, truth=MASK, position=0, **options) -> str:
    with pytest.raises(InputError) as caught:
        source(root, truth, **options).truth(position)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(root), "VOC")


def test_masks_are_the_indices_of_their_palettes(voc):
    read = source(voc(train="10", val="2", test="34", trainval="102"), MASKS)
    assert read.class_names[0] == "background" and len(read.class_names) == 21
    assert (read.class_names[1], read.class_names[15], read.class_names[20]) == ("aeroplane", "person", "tvmonitor")
    assert {name: list(positions) for name, positions in read.splits.items()} == {
        "train": [0, 1],
        "validation": [2],
        "test": [3, 4],
    }
    assert read.keys[:3] == [f"JPEGImages/2007_00000{number}.jpg" for number in (1, 0, 2)]
    for position, number in enumerate((1, 0, 2, 3, 4)):
        truth = read.truth(position)
        assert truth["mask"].dtype == np.uint8 and (truth["mask"] == mask(number)).all()
        expected = np.where(mask(number) == 15, 1, mask(number)) * (mask(number) != 255)
        assert truth["instances"].dtype == np.uint16 and (truth["instances"] == expected).all()
    assert find_source("voc") is Voc and read.groups == read.keys


def test_trainval_alone_is_for_training(voc):
    read = source(voc(trainval="012", test="4"))
    assert {name: len(positions) for name, positions in read.splits.items()} == {"train": 3, "test": 1}


def test_without_lists_all_that_have_a_mask(voc):
    root = voc()
    (root / "SegmentationClass/2007_000003.png").unlink()
    (root / "JPEGImages/Thumbs.db").write_bytes(b"")
    read = source(root)
    assert [key[-5] for key in read.keys] == ["0", "1", "2", "4"] and read.splits == {}
    assert [key[-5] for key in source(root, None).keys] == ["0", "1", "2", "3", "4"]
    assert source(root, None).truth(0) == {}


def test_boxes_are_counted_from_zero(voc):
    """The first pixel alone is 1, 1, 1, 1 in VOC."""
    read = source(voc(train="01", val="2"), BOXES)
    truth = read.truth(0)
    assert truth["boxes"].dtype == np.float32 and truth["boxes"].tolist() == [[0, 0, 1, 1], [2, 1, WIDTH, HEIGHT]]
    assert truth["classes"].dtype == np.int32
    assert [read.class_names[each] for each in truth["classes"]] == ["cat", "dog"] and len(read.class_names) == 20
    both = source(voc(train="01"), MASK | BOXES)
    assert [both.class_names[each] for each in both.truth(0)["classes"]] == ["cat", "dog"]
    assert both.class_names[0] == "background"


def test_difficult_objects_are_boxes_where_the_task_is_told_which_they_are(voc):
    root = voc(train="0")
    told_of = (("cat", 3, 3, 6, 6, "<difficult>1</difficult>"), ("dog", 1, 1, 2, 2, ""))
    (root / "Annotations/2007_000000.xml").write_text(objects(*told_of))
    assert source(root, BOXES).truth(0)["boxes"].tolist() == [[0, 0, 2, 2]]
    truth = source(root, BOXES | {"difficult": Truth("int32", (None,), moves="box_field")}).truth(0)
    assert truth["boxes"].tolist() == [[2, 2, 6, 6], [0, 0, 2, 2]] and truth["difficult"].tolist() == [1, 0]
    assert truth["difficult"].dtype == np.int32 and truth["classes"].tolist() == [7, 11]


def test_classes_of_another_set(voc):
    root = voc(train="0")
    palette_image(root / "SegmentationClass/2007_000000.png", np.full((3, 4), 2, np.uint8))
    read = source(root, classes=["weed", "crop"])
    assert read.class_names == ["background", "weed", "crop"] and read.truth(0)["mask"].tolist() == [[2] * 4] * 3


def test_grey_masks(voc):
    root = voc(train="0")
    Image.fromarray(mask(0)).save(root / "SegmentationClass/2007_000000.png")
    assert (source(root).truth(0)["mask"] == mask(0)).all()


def test_objects_of_sixteen_bits(voc):
    root = voc(train="0")
    pixels = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 300
    Image.fromarray(pixels).save(root / "SegmentationObject/2007_000000.png")
    assert (source(root, MASKS).truth(0)["instances"] == pixels).all()


def test_a_zip_file_is_read_in_place(voc, tmp_path):
    root = voc(train="01", val="2")
    shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path, "VOC")
    one, other = source(root, MASKS | BOXES), source(tmp_path / "set.zip/VOC", MASKS | BOXES)
    assert one.keys == other.keys and one.splits == other.splits and other.stamp(0)
    for name, value in one.truth(1).items():
        assert (value == other.truth(1)[name]).all()


def test_the_stamp_covers_the_masks(voc):
    root = voc(train="01")
    before = source(root).stamp(0), source(root).stamp(1)
    palette_image(root / "SegmentationClass/2007_000000.png", mask(3)[:5])
    assert source(root).stamp(0) != before[0] and source(root).stamp(1) == before[1]
    read = source(root)
    (root / "SegmentationClass/2007_000000.png").unlink()
    assert read.stamp(0) is None
    with pytest.raises(FileNotFoundError):
        read.truth(0)


@pytest.mark.parametrize(
    ("folder", "truth", "hint"),
    [
        ("SegmentationClass", MASK, "the set has no masks, and the task wants them"),
        ("SegmentationObject", MASKS, "the set does not tell objects apart: results.instances=none"),
        ("Annotations", BOXES, "the set has no boxes, and the task wants them"),
        ("JPEGImages", MASK, "give the folder that has it, such as VOCdevkit/VOC2012"),
    ],
)
def test_a_folder_is_missing(voc, folder, truth, hint):
    root = voc(train="0")
    shutil.rmtree(root / folder)
    assert told(root, truth) == f"data.path=VOC: no folder '{folder}' in it: {hint}"


def test_the_folder_around_it(voc):
    root = voc(train="0")
    assert told(root.parent).endswith(": no folder 'JPEGImages' in it: say data.path=VOC/VOC")
    assert told(root / "no") == "data.path=VOC: no such folder"


def test_lists_that_name_what_is_not_there(voc):
    root = voc(train="01", test="234")
    for number in (3, 4):
        (root / f"SegmentationClass/2007_00000{number}.png").unlink()
    assert told(root) == (
        "VOC/ImageSets/Segmentation/test.txt: 2 of 3 that it names have no file in 'SegmentationClass' (first "
        "2007_000003): add them, or take them out of the list"
    )
    (root / "ImageSets/Main/test.txt").write_text("nothing -1\n")
    assert told(root, BOXES) == (
        "VOC/ImageSets/Main/test.txt: 1 of 1 that it names have no file in 'Annotations' (first nothing): add them, or "
        "take them out of the list"
    )


def test_lists_that_name_an_image_twice(voc):
    root = voc(train="01", val="21")
    assert told(root) == (
        "VOC/ImageSets/Segmentation/val.txt: names '2007_000001' as VOC/ImageSets/Segmentation/train.txt does"
    )
    (root / "ImageSets/Segmentation/train.txt").write_text("2007_000003\n2007_000003\n")
    assert told(root) == "VOC/ImageSets/Segmentation/train.txt: names '2007_000003' twice"


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"\n \n", "names no image: remove the list, or fill it"),
        (b"\xff\xfe", "not a list of images: it is not UTF-8 text"),
    ],
)
def test_lists_that_are_none(voc, content, hint):
    root = voc(train="01")
    (root / "ImageSets/Segmentation/train.txt").write_bytes(content)
    assert told(root) == f"VOC/ImageSets/Segmentation/train.txt: {hint}"


def test_no_image_with_a_mask(voc):
    root = voc()
    for file in (root / "SegmentationClass").iterdir():
        file.rename(file.with_stem(file.stem + "_mask"))
    assert told(root) == "data.path=VOC: no image in 'JPEGImages' has a file in SegmentationClass"


def test_masks_that_are_none(voc):
    """In phrases that stand behind the sample's name."""
    root = voc(train="0")
    file = root / "SegmentationClass/2007_000000.png"
    palette_image(file, np.array([[0, 21, 255], [30, 1, 2]], np.uint8))
    assert told(root) == ("mask with the values 21, 30, and those of the classes are 0 to 20 (255 does not count)")
    Image.fromarray(np.full((4, 4, 3), [0, 0, 128], np.uint8)).save(file)
    assert told(root) == (
        "a mask of colours, not of class ids as a palette or grey image: data.source=masks takes data.colors"
    )
    Image.fromarray(mask(0)).save(file, "JPEG")
    jpeg = "a JPEG: compression changes class ids at every edge: save masks as PNG"
    assert told(root) == f"a mask that cannot be used: {jpeg}"
    palette_image(file, mask(0))
    file.write_bytes(file.read_bytes()[:-60])
    assert told(root) == "a mask that cannot be used: truncated or broken"
    file.write_bytes(b"text")
    assert told(root) == "a mask that cannot be used: not an image (PNG, BMP, GIF or TIFF)"


@pytest.mark.parametrize(
    ("classes", "hint"),
    [
        (["a", "a"], "class 'a' is given twice"),
        (["background", "a"], "leave the background out: it is 0 in every mask"),
    ],
)
def test_classes_that_contradict_each_other(classes, hint):
    with pytest.raises(ValidationError, match=hint):
        VocOptions(source="voc", path="x", classes=classes)


def test_a_real_set_of_boxes(data_dir):
    """Blood cells, in the numbers that its own description gives."""
    root = data_dir / "detection/bccd"
    read = source(root, BOXES, classes=["RBC", "WBC", "Platelets"])
    assert {name: len(positions) for name, positions in read.splits.items()} == {
        "train": 205,
        "validation": 87,
        "test": 72,
    }
    truths = [read.truth(position) for position in range(len(read))]
    assert np.bincount(np.concatenate([each["classes"] for each in truths])).tolist() == [4155, 372, 361]
    corners = np.concatenate([each["boxes"] for each in truths])
    assert corners.min() >= 0 and (corners[:, 2:] <= (640, 480)).all()


def test_difficult_objects_and_parts_are_no_boxes():
    part = "<part><name>head</name><bndbox><xmin>9</xmin></bndbox></part>"
    data = objects(("cow", 2, 2, 4, 4, "<difficult>1</difficult>"), ("cow", 0, 0.5, 4.5, 8, part)).encode()
    found = read_boxes(data, CLASSES, b"").values(BOXES)
    assert found["boxes"].tolist() == [[0, 0, 4.5, 8]] and found["classes"].tolist() == [CLASSES.index("cow")]


def test_an_image_without_objects():
    found = read_boxes(objects().encode(), CLASSES, b"").values(boxes.OFFERED)
    assert {name: value.shape for name, value in found.items()} == {
        "boxes": (0, 4),
        **dict.fromkeys(("classes", "crowd", "difficult", "area"), (0,)),
    }


def test_entities_that_grow_without_end():
    """A few hundred bytes that would unfold to gigabytes: expat stops them."""
    entities = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 12))
    data = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 100}">{entities}]><annotation>&e11;</annotation>'.encode()
    with pytest.raises(InputError, match="its annotation is not XML: limit on input amplification factor"):
        read_boxes(data, CLASSES, b"")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<annotation>", "its annotation is not XML: no element found: line 1, column 12"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "its annotation is not XML: unknown encoding: nonsense"),
        (
            objects(("cart", 1, 1, 2, 2, "")).encode(),
            "object 'cart' is not in data.classes: did you mean cat or car or chair?",
        ),
        (objects(("cat", "", 1, 2, 2, "")).encode(), "object 'cat': bndbox/xmin is missing, and it takes a number"),
        (objects(("cat", 1, 1, "wide", 2, "")).encode(), "object 'cat': bndbox/xmax is 'wide', and it takes a number"),
        (objects(("cat", 1, "nan", 2, 2, "")).encode(), "object 'cat': bndbox/ymin is 'nan', and it takes a number"),
        (b"<a><object><name>dog</name></object></a>", "object 'dog': bndbox/xmin is missing, and it takes a number"),
        (b"<a><object/></a>", "object 1: 'name' is missing or empty"),
    ],
)
def test_annotations_that_are_none(content, told):
    """In phrases that stand behind the sample's name."""
    with pytest.raises(InputError) as caught:
        read_boxes(content, CLASSES, b"")
    assert str(caught.value).startswith(told) and "\n" not in str(caught.value)
