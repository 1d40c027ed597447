"""What is told of truth and of formats before a training: classes without a pixel, one image under two labels, images
that are not read, exports that need other keys. Every advised key is tried."""

import json
import logging
import re
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.models.inputs.exports import read_labelmap
from saccade.models.inputs.file_listing import list_images
from saccade.models.inputs.file_tree import DiskTree, open_tree
from saccade.models.inputs.image.decode import decode
from saccade.models.inputs.image.files import find_images
from saccade.models.inputs.reasons import reason
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation
from saccade.pipelines.data.data import Data, prepare_data
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.folder import Folder, FolderOptions
from saccade.pipelines.data.formats.masks import Masks, MasksOptions
from saccade.pipelines.data.formats.voc import Voc, VocOptions
from saccade.pipelines.data.source import Source

LABEL = {"label": Truth("int32")}
MASK = {"mask": Truth("uint8", (None, None), role="class_ids")}
TIFF = b"II*\0" + bytes(40)


def masks_of(root: Path, **masks: list[int]) -> Masks:
    """A source of images of 12 x 16 pixels, and masks whose first row begins with some ids."""
    (root / "m").mkdir(exist_ok=True)
    for stem, ids in masks.items():
        pixels = np.zeros((12, 16), np.uint8)
        pixels[0, : len(ids)] = ids
        Image.fromarray(pixels).save(root / f"m/{stem}.png")
    options = {"path": str(root / "i"), "masks": str(root / "m"), "encoding": "ids"}
    return Masks(MasksOptions(source="masks", classes=["ground", "road", "pole", "sign"], **options), MASK)


def checked(source: Source, tmp_path: Path, monkeypatch, train: int) -> Data:
    """The first samples are trained on, the next one is for validation, the others are for the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    task = Segmentation(source.class_names, SegmentationOptions(name="unet"), SegmentationInput())
    everything = np.arange(len(source))
    source.splits = {
        "train": everything[:train],
        "validation": everything[train : train + 1],
        "test": everything[train + 1 :],
    }
    return prepare_data(
        source, task, MasksOptions(source="masks", path="i", masks="m", leaks="allow", test=0), memory=2**20
    )


def warnings(caplog) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def test_classes_without_a_pixel_in_training_are_named(draw, tmp_path, monkeypatch, caplog):
    root = draw("i/a.png", "i/bb.png", "i/ccc.png")
    source = masks_of(root, a=[1, 255], bb=[], ccc=[1, 3])
    for _ in range(2):  # read, and remembered
        caplog.clear()
        data = checked(source, tmp_path, monkeypatch, train=2)
        assert warnings(caplog) == ["classes that no training sample holds, so that they are never learnt: pole, sign"]
        assert data.as_found()["absent"] == data.absent == ["pole", "sign"]
    caplog.clear()
    assert checked(masks_of(root, a=[1, 2, 3]), tmp_path, monkeypatch, train=2).absent == []
    assert warnings(caplog) == []


def test_one_image_with_two_masks_is_a_contradiction(draw, encode, tmp_path, monkeypatch, caplog):
    root = draw("i/a.png", "i/bb.png", "i/ccc.png", "i/dddd.png")
    for name in ("bb", "dddd"):
        (root / f"i/{name}.png").write_bytes((root / "i/a.png").read_bytes())
    source = masks_of(root, a=[1, 2, 3], bb=[1, 2, 2], ccc=[], dddd=[1, 2, 3])
    data = checked(source, tmp_path, monkeypatch, train=2)
    (pair,) = data.as_found()["contradictions"]
    assert [(each["key"], each["split"], each["truth"].split(",")[0]) for each in pair] == [
        ("a.png", "train", "road 0.5 %"),
        ("bb.png", "train", "pole 1.0 %"),
    ]
    (told,) = warnings(caplog)
    assert told.startswith(f"one image under two labels: {root}/i/a.png (road") and f"{root}/i/bb.png (pole" in told


def test_one_image_in_two_classes_is_a_contradiction(draw, tmp_path, monkeypatch, caplog, digits_recipe):
    root = draw("cats/1.png", "cats/22.png", "dogs/333.png", "dogs/4444.png")
    (root / "dogs/333.png").write_bytes((root / "cats/1.png").read_bytes())
    source = Folder(FolderOptions(source="folder", path=str(root)), LABEL)
    task = digits_recipe().open()[1]
    task.class_names = ("cats", "dogs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source.splits = {"train": [0, 2, 3], "validation": [1], "test": []}
    data = prepare_data(source, task, FolderOptions(source="folder", path=str(root), test=0), memory=0)
    assert warnings(caplog) == [
        f"one image under two labels: {root}/cats/1.png (cats) and {root}/dogs/333.png (dogs) are identical files: "
        "correct one, or remove it"
    ]
    assert data.findings.contradictions == [(0, 2)] and data.findings.duplicates == 1


def test_ids_that_no_name_covers_are_told_with_their_file(draw, tmp_path, monkeypatch):
    root = draw("i/a.png", "i/bb.png", "i/ccc.png")
    source = masks_of(root, a=[1], bb=[7, 9, 9], ccc=[1])
    with pytest.raises(InputError) as error:
        checked(source, tmp_path, monkeypatch, train=2)
    assert f"mask {root}/m/bb.png: value 7 in 1 pixel, 9 in 2 pixels, and the classes are 0 to 3" in str(error.value)


def test_formats_that_are_not_read_are_counted(draw, caplog):
    root = draw("cats/1.png", "dogs/2.png")
    for name in ("cats/3.tiff", "cats/4.TIFF", "dogs/5.heic", "cats/notes.txt", "dogs/.DS_Store", "dogs/._6.tiff"):
        (root / name).write_bytes(TIFF)
    Folder(FolderOptions(source="folder", path=str(root)), LABEL)
    told = "left out: 2 .tiff, 1 .heic, which are not read: convert them to PNG or JPEG"
    assert warnings(caplog) == [f"data.path={root}: {told}"]
    assert "files ignored that are no images by their name: 3" in caplog.text
    caplog.clear()
    assert len(find_images([str(root)])) == 2 and warnings(caplog) == [f"{root}: {told}"]
    with pytest.raises(InputError, match=r"class folder 'birds' has no images \(1 are in formats that are not read"):
        (root / "birds").mkdir()
        (root / "birds/7.avif").write_bytes(b"")
        Folder(FolderOptions(source="folder", path=str(root)), LABEL)


def test_nothing_but_formats_that_are_not_read(tmp_path):
    for name in ("a/1.tif", "a/2.tif", "b/3.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(TIFF)
    told = f"{tmp_path}: no images but 2 .tif, 1 .heic, which are not read: convert them to PNG or JPEG"
    with pytest.raises(InputError, match=re.escape(f"data.path={told}")):
        Folder(FolderOptions(source="folder", path=str(tmp_path)), LABEL)
    with pytest.raises(InputError, match="^" + re.escape(told)):
        find_images([str(tmp_path)])


def test_masks_in_tiff_below_the_images_are_read_and_not_told_of(draw, mark, caplog):
    draw("a.png", "b.png")
    root = mark("masks/a.tif", "masks/b.tif")
    source = Masks(MasksOptions(source="masks", path=str(root), masks=str(root / "masks")), MASK)
    assert source.keys == ["a.png", "b.png"] and warnings(caplog) == []


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (TIFF, "TIFF (or camera RAW)"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\x01", "Photoshop"),
    ],
    ids=["tiff", "avif", "heic", "jp2", "psd"],
)
def test_a_file_of_such_a_format_is_told_so_whatever_it_is_called(start, name):
    with pytest.raises(Exception) as error:
        decode(start + bytes(60))
    said = reason(error.value, start + bytes(60))
    assert said == f"{name}, which saccade does not read: convert it to PNG or JPEG"


LISTED = [
    (["my cat 1.jpg", "dog.jpg"], "my cat 1\ndog\n", ["my cat 1", "dog"]),
    (["my cat.jpg", "dog.jpg"], "my cat  1\ndog -1\n", ["my cat", "dog"]),
    (["photo 1.jpg", "photo 0.jpg"], "photo 1\nphoto 0\n", ["photo 1", "photo 0"]),
    (["photo 1.jpg", "photo 2.jpg"], "photo 1  1\nphoto 2 -1\n", ["photo 1", "photo 2"]),
    (["a b.jpg", "c.jpg"], "a b\nc 1\n", ["a b", "c"]),
]


@pytest.mark.parametrize(("files", "text", "names"), LISTED)
def test_names_with_spaces_in_lists(draw, tmp_path, files, text, names):
    draw(*(f"JPEGImages/{each}" for each in files))
    (tmp_path / "SegmentationClass").mkdir()
    for each in files:
        Image.fromarray(np.eye(12, 16, dtype=np.uint8)).save(tmp_path / f"SegmentationClass/{Path(each).stem}.png")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text(text)
    source = Voc(VocOptions(source="voc", path=str(tmp_path)), MASK)
    assert [Path(key).stem for key in source.keys] == names


def advised(message: str, **stand_ins: Path) -> Source:
    """Opens what the `key=value` words of a message say, as a shell would split them."""
    words = shlex.split(message[message.index("data.source=") :].split(") or as")[0].rstrip(")"))
    values = dict(word.removeprefix("data.").split("=", 1) for word in words if word.startswith("data."))
    for name, path in stand_ins.items():
        values = {key: value.replace(name, str(path)) for key, value in values.items()}
    found = find_source(values["source"])
    return found(found.Options(**{key: yaml.safe_load(value) for key, value in values.items()}), MASK)


@pytest.fixture
def cvat(draw, tmp_path) -> Path:
    """CVAT's export as "Segmentation mask 1.1", with images: VOC's layout, and colours of its own."""
    draw("JPEGImages/a.jpg", "JPEGImages/sub dir/bb.jpg")
    for folder in ("SegmentationClass", "SegmentationObject"):
        for name in ("a", "sub dir/bb"):
            pixels = np.zeros((12, 16, 3), np.uint8)
            pixels[2:4], pixels[6] = (250, 50, 83), (0, 128, 0)
            file = tmp_path / folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/default.txt").write_text("a\nsub dir/bb\n")
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nstop sign:0,128,0::\nbackground:0,0,0::\nroad:250,50,83::\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        MasksOptions(source="masks", path="."),
        MasksOptions(source="masks", path=".", masks="SegmentationClass"),
        MasksOptions(source="masks", path="JPEGImages", masks="."),
        VocOptions(source="voc", path="."),
    ],
    ids=["alone", "masks", "images", "voc"],
)
def test_an_export_of_masks_by_cvat_is_told_its_keys(cvat, monkeypatch, options):
    monkeypatch.chdir(cvat)
    with pytest.raises(InputError) as error:
        find_source(options.source)(options, MASK)
    assert "\n" not in str(error.value)
    source = advised(str(error.value))
    assert source.class_names == ["background", "stop sign", "road"] and len(source) == 2
    assert source.truth(0)["mask"][:, 0].tolist() == [0, 0, 2, 2, 0, 0, 1, 0, 0, 0, 0, 0]


def test_colours_are_named_by_the_table_beside_the_masks(cvat):
    with pytest.raises(InputError) as error:
        Masks(MasksOptions(source="masks", path=str(cvat / "JPEGImages"), masks=str(cvat / "SegmentationClass")), MASK)
    line = re.search(r"write below data '(colors: .*)', which labelmap.txt names", str(error.value))[1]
    colors = yaml.safe_load(line)["colors"]
    assert colors == {"background": [0, 0, 0], "stop sign": [0, 128, 0], "road": [250, 50, 83]}


def test_an_export_of_masks_without_its_images(cvat, tmp_path_factory):
    """As CVAT gives it unless asked for images; packed, too."""
    images = tmp_path_factory.mktemp("images")
    (cvat / "JPEGImages").rename(images / "here")
    with pytest.raises(InputError, match="no folder 'JPEGImages' in it: this is CVAT's export of masks") as error:
        Voc(VocOptions(source="voc", path=str(cvat)), MASK)
    assert len(advised(str(error.value), FOLDER_OF_THE_IMAGES=images / "here")) == 2
    file = images / "export.zip"
    with zipfile.ZipFile(file, "w") as packed:
        for path in sorted(cvat.rglob("*.*")):
            packed.write(path, path.relative_to(cvat))
    assert list(read_labelmap(open_tree(str(file)))) == ["background", "stop sign", "road"]
    with pytest.raises(InputError) as error:
        Voc(VocOptions(source="voc", path=str(file)), MASK)
    assert len(advised(str(error.value), FOLDER_OF_THE_IMAGES=images / "here")) == 2


def coco(folder: Path, file: str, image: str) -> None:
    document = {
        "images": [{"id": 1, "file_name": image, "height": 12, "width": 16}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0}],
        "categories": [{"id": 1, "name": "road"}],
    }
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(document))


def test_an_export_for_images_by_cvat_is_told_what_to_export(draw, tmp_path):
    root = draw("images/a.jpg")
    (root / "annotations.xml").write_text("<annotations><version>1.1</version></annotations>")
    with pytest.raises(InputError, match="an export as 'CVAT for images', which is not read: export as 'COCO") as error:
        Masks(MasksOptions(source="masks", path=str(root)), MASK)
    told = str(error.value)
    coco(root, "annotations/instances_default.json", "a.jpg")  # what comes of that export
    assert advised(told, EXPORT=root).class_names == ["background", "road"]
    (root / "SegmentationClass").mkdir()
    Image.fromarray(np.eye(12, 16, dtype=np.uint8)).save(root / "SegmentationClass/a.png")
    assert len(advised(told[told.index(") or as") :], EXPORT=root, IMAGES=root / "images")) == 1
    options = find_source("coco").Options(source="coco", annotations=str(root / "annotations.xml"))
    with pytest.raises(InputError, match=r"not JSON: this is an export as 'CVAT for images'"):
        find_source("coco")(options, MASK)


def test_labelmes_files_are_told_their_converter(draw, tmp_path):
    root = draw("a.jpg")
    shape = {"label": "road", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"}
    (root / "a.json").write_text(json.dumps({"version": "5.4", "shapes": [shape], "imagePath": "a.jpg"}))
    with pytest.raises(InputError, match="these JSON files are Labelme's") as error:
        Masks(MasksOptions(source="masks", path=str(root)), MASK)
    coco(tmp_path, "out/annotations.json", "JPEGImages/a.jpg")  # as the converter leaves it
    draw("out/JPEGImages/a.jpg")
    assert len(advised(str(error.value), CONVERTED=tmp_path / "out")) == 1
    options = find_source("coco").Options(source="coco", annotations=str(root / "a.json"))
    with pytest.raises(InputError, match="not a COCO file: these JSON files are Labelme's"):
        find_source("coco")(options, MASK)
    (root / "json").mkdir()
    (root / "a.json").rename(root / "json/a.json")
    with pytest.raises(InputError, match=r"no masks \(png.*\) in it; other files: 1: these JSON files are Labelme's"):
        Masks(MasksOptions(source="masks", path=str(root), masks=str(root / "json")), MASK)


def test_other_json_files_are_nothing(draw):
    root = draw("a.jpg")
    for number, text in enumerate(("[]", "no JSON", '{"images": []}')):
        (root / f"{number}.json").write_text(text)
    with pytest.raises(InputError, match="and where are the masks"):
        Masks(MasksOptions(source="masks", path=str(root)), MASK)
    assert list_images(DiskTree(str(root)), []).images == ["a.jpg"]
