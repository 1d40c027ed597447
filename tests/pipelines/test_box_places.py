"""Boxes that depend on more than their own file: on the image's real size, on masks; and what the check tells."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from saccade.models.detection.task import Detection
from saccade.models.errors import InputError
from saccade.pipelines.data.check import Checked
from saccade.pipelines.data.data import Findings
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.boxes import BoxTruth

WIDTH, HEIGHT = 40, 20
TRUTH = Detection.truth


def opened(source, truth=TRUTH, **options):
    kind = find_source(source)
    return kind(kind.Options(source=source, **options), truth)


def refusal(make, *arguments, **options):
    with pytest.raises(InputError) as caught:
        make(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_image(path, size, orientation=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, (90, 120, 30)).save(path, exif=exif)


@pytest.fixture(params=["coco", "voc"])
def annotated(request, tmp_path):
    """`annotated(size, orientation)`: a source whose only annotation is of 40 x 20 pixels, and its image of a size."""

    def made(size, orientation=1):
        write_image(tmp_path / "JPEGImages/a.jpg", size, orientation)
        if request.param == "coco":
            document = {
                "images": [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 9, "bbox": [1, 2, 4, 5]}],
                "categories": [{"id": 9, "name": "mug"}],
            }
            (tmp_path / "all.json").write_text(json.dumps(document))
            return opened("coco", annotations=str(tmp_path / "all.json"), images=str(tmp_path / "JPEGImages"))
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations/a.xml").write_text(
            f"<annotation><size><width>{WIDTH}</width><height>{HEIGHT}</height></size><object><name>mug</name><bndbox>"
            "<xmin>2</xmin><ymin>3</ymin><xmax>5</xmax><ymax>7</ymax></bndbox></object></annotation>"
        )
        return opened("voc", path=str(tmp_path))

    return made


class TestSizes:
    def test_every_truth_of_detection_is_there(self, annotated):
        truth = annotated((WIDTH, HEIGHT)).truth(0)
        assert {name: value.tolist() for name, value in truth.items()} == {
            "boxes": [[1, 2, 5, 7]],
            "classes": [0],
            "crowd": [0],
            "difficult": [0],
            "area": [20],
        }
        assert {name: str(value.dtype) for name, value in truth.items()} == {
            name: wanted.dtype for name, wanted in TRUTH.items()
        }

    def test_an_image_of_another_size(self, annotated):
        assert refusal(annotated((30, 15)).truth, 0).endswith(
            "annotated as 40 x 20 pixels (width x height), and the image is 30 x 15: its boxes would lie elsewhere: "
            "bring the image that was annotated, or annotate this one"
        )

    def test_an_image_that_was_annotated_as_it_is_stored(self, annotated):
        told = refusal(annotated((WIDTH, HEIGHT), orientation=6).truth, 0)
        assert "the image is 20 x 40 once its EXIF orientation 6 turns it upright" in told

    def test_an_image_that_was_annotated_upright(self, annotated):
        assert annotated((HEIGHT, WIDTH), orientation=6).truth(0)["boxes"].tolist() == [[1, 2, 5, 7]]


places = st.floats(0, 0.5)
lengths = st.floats(0.001, 0.5)


@settings(max_examples=50)
@given(st.tuples(st.integers(1, 500), st.integers(1, 500)), st.tuples(places, places, lengths, lengths))
def test_yolo_to_pixels_and_back(tmp_path_factory, size, box):
    """As tools write it, with six decimals: it comes back to within these, and never lies outside of the image."""
    root = tmp_path_factory.mktemp("yolo")
    Image.new("1", size).save(root / "a.png")
    (root / "data.yaml").write_text("train: a.png\nnames: [mug]\n")
    x_min, y_min, width, height = box
    written = np.array([x_min + width / 2, y_min + height / 2, width, height])
    (root / "a.txt").write_text(f"0 {' '.join(f'{each:.6f}' for each in written)}\n")
    (back,) = opened("yolo", path=str(root)).truth(0)["boxes"].astype(np.float64)
    sides = np.array(size)
    assert (back >= 0).all() and (back[2:] <= sides).all()
    again = np.concatenate([(back[:2] + back[2:]) / 2 / sides, (back[2:] - back[:2]) / sides])
    np.testing.assert_allclose(again, written, atol=2e-6)


class TestMasks:
    @pytest.fixture
    def numbered(self, tmp_path):
        """Three objects in 16 bits, of which the second has two parts; an image without any."""
        objects = np.zeros((HEIGHT, WIDTH), np.uint16)
        objects[2:6, 3:9], objects[10:12, :4], objects[10, 30:], objects[15:, 20:25] = 1, 300, 300, 7
        for name, mask in (("a", objects), ("b", np.zeros_like(objects))):
            write_image(tmp_path / f"images/{name}.png", (WIDTH, HEIGHT))
            (tmp_path / "masks").mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / f"masks/{name}.png"), mask)
        return tmp_path

    def test_each_object_has_a_box(self, numbered):
        source = opened("masks", path=str(numbered / "images"), masks=str(numbered / "masks"), classes=["cell"])
        assert source.class_names == ["cell"]
        truth = source.truth(0)
        assert truth["boxes"].tolist() == [[3, 2, 9, 6], [20, 15, 25, 20], [0, 10, 40, 12]]
        assert truth["area"].tolist() == [24, 25, 18] and truth["classes"].tolist() == [0, 0, 0]
        assert truth["crowd"].tolist() == truth["difficult"].tolist() == [0, 0, 0]
        assert source.truth(1)["boxes"].shape == (0, 4)

    def test_the_class_has_a_name_of_its_own(self, numbered):
        paths = {"path": str(numbered / "images"), "masks": str(numbered / "masks")}
        assert opened("masks", **paths).class_names == ["foreground"]
        assert opened("masks", **paths, classes=["background", "cell"], instances="boundary").class_names == ["cell"]

    def test_a_table_of_masks(self, numbered):
        (numbered / "all.csv").write_text("path,mask\nimages/a.png,masks/a.png\n")
        source = opened("csv", path=str(numbered / "all.csv"), classes=["cell"])
        assert source.truth(0)["boxes"].tolist()[0] == [3, 2, 9, 6] and source.class_names == ["cell"]

    def test_masks_that_do_not_tell_objects_apart(self, numbered):
        diagonal = 255 * np.eye(HEIGHT, WIDTH, dtype=np.uint8)
        for name in ("a", "b"):
            cv2.imwrite(str(numbered / f"masks/{name}.png"), diagonal)
        told = refusal(opened, "masks", path=str(numbered / "images"), masks=str(numbered / "masks"))
        assert told.endswith("the task wants a box round each: give masks that number objects")

    def test_nuclei(self, data_dir):
        """As many boxes as the mask has numbers, each as SciPy measures them."""
        root = data_dir / "segmentation/dsb2018_nuclei"
        source = opened("masks", path=str(root / "images"), masks=str(root / "labels"), classes=["nucleus"])
        for position in range(0, len(source), max(1, len(source) // 5)):
            truth = source.truth(position)
            (mask,) = (root / "labels").glob(f"{source.keys[position].rpartition('.')[0]}.*")
            labels = np.array(Image.open(mask)).astype(np.int64)
            numbers = np.unique(labels)[1:]
            assert len(truth["boxes"]) == len(numbers)
            assert truth["area"].tolist() == ndimage.sum_labels(labels > 0, labels, numbers).tolist()


def test_the_log_tells_of_what_was_put_right(caplog):
    found = BoxTruth((HEIGHT, WIDTH))
    found.add((5, 5, 5, 9), 0, name="annotation 3")
    empty = np.array([], np.int64)
    splits = {"train": np.arange(2), "validation": empty, "test": empty}
    findings = Findings(splits, {0: Checked("a"), 1: Checked("b", note=found.note)})
    findings.log(SimpleNamespace(where=lambda at: f"{at}.jpg"), 2)
    assert (
        "1 samples are odd but usable, first 1.jpg: 1 box without width or height, dropped (first: annotation 3)"
    ) in caplog.text


class TestWrongFiles:
    @pytest.fixture
    def yolo(self, tmp_path):
        write_image(tmp_path / "images/a.png", (WIDTH, HEIGHT))
        (tmp_path / "labels").mkdir()
        (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
        (tmp_path / "data.yaml").write_text("train: images\nnames: [mug]\n")
        return tmp_path

    @pytest.mark.parametrize("kind", ["nan", "inf", "-inf", "-1", "0.5", "1"])
    def test_a_class_that_is_none(self, yolo, kind):
        (yolo / "labels/a.txt").write_text(f"0 0.5 0.5 0.25 0.5\n{kind} 0.5 0.5 0.25 0.5\n")
        assert refusal(opened("yolo", path=str(yolo)).truth, 0) == (
            f"{yolo}/labels/a.txt:2: class {kind}, and 'names' of the data.yaml has 0 to 0"
        )

    def test_a_file_with_a_byte_order_mark(self, yolo):
        (yolo / "labels/a.txt").write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.25 0.5\r\n")
        assert len(opened("yolo", path=str(yolo)).truth(0)["boxes"]) == 1

    def test_a_list_that_is_no_text(self, yolo):
        (yolo / "train.txt").write_bytes(b"\xff\xfe\x00")
        (yolo / "data.yaml").write_text("train: train.txt\nnames: [mug]\n")
        told = refusal(opened, "yolo", path=str(yolo))
        assert told == f"{yolo}/train.txt: not a list of images: it is not UTF-8 text"

    def test_labels_without_an_image(self, yolo, caplog):
        (yolo / "labels/b.txt").write_text("")
        (yolo / "labels/classes.txt").write_text("mug")
        opened("yolo", path=str(yolo))
        assert f"label files without an image: 1 (first {yolo}/labels/b.txt)" in caplog.text

    def test_annotations_without_an_image(self, tmp_path, caplog):
        write_image(tmp_path / "JPEGImages/a.png", (WIDTH, HEIGHT))
        (tmp_path / "Annotations").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"Annotations/{name}.xml").write_text("<annotation/>")
        assert opened("voc", path=str(tmp_path)).keys == ["JPEGImages/a.png"]
        assert f"{tmp_path}/Annotations: files without an image: 1 (first Annotations/b.xml)" in caplog.text

    def test_a_coordinate_that_no_float_holds(self, tmp_path):
        write_image(tmp_path / "a.png", (WIDTH, HEIGHT))
        document = {
            "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
            "annotations": [{"id": 5, "image_id": 1, "category_id": 9, "bbox": [1, 2, 10**400, 5]}],
            "categories": [{"id": 9, "name": "mug"}],
        }
        (tmp_path / "all.json").write_text(json.dumps(document))
        source = opened("coco", annotations=str(tmp_path / "all.json"))
        assert refusal(source.truth, 0) == "annotation 5: x_max is inf, not a finite number"
