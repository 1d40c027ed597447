"""Boxes as their formats have them, and what happens to wrong ones."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.models.errors import InputError
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.boxes import OFFERED, BoxTruth

WIDTH, HEIGHT = 40, 20


def opened(source, truth=OFFERED, **options):
    kind = find_source(source)
    return kind(kind.Options(source=source, **options), truth)


def write_image(path, size=(WIDTH, HEIGHT), orientation=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", size, (90, 120, 30)).save(path, exif=exif)


def refusal(make, *arguments, **options):
    with pytest.raises(InputError) as caught:
        make(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def gathered(*corners, size=(HEIGHT, WIDTH), wanted=OFFERED, **others):
    found = BoxTruth(size)
    for each in corners:
        found.add(each, 0, **others)
    return found.values(wanted), found.note


class TestRules:
    def test_a_good_box_stays_as_it_is(self):
        values, note = gathered((1, 2, 11, 8.5))
        assert values["boxes"].tolist() == [[1, 2, 11, 8.5]] and values["area"].tolist() == [65] and not note

    @pytest.mark.parametrize(
        ("corners", "expected", "note"),
        [
            ((11, 2, 1, 8), [[1, 2, 11, 8]], "1 box with corners in the wrong order, put right (first: box 0)"),
            ((-5, 2, 11, 25), [[0, 2, 11, 20]], "1 box reaching out of the image, cut off (first: box 0)"),
            ((-0.5, 2, 11, 8), [[0, 2, 11, 8]], ""),  # rounding
            ((50, 2, 60, 8), [], "1 box outside of the image, dropped (first: box 0)"),
            ((3, 2, 3, 8), [], "1 box without width or height, dropped (first: box 0)"),
            ((0, 0, 0, 0), [], "1 box without width or height, dropped (first: box 0)"),
        ],
    )
    def test_what_is_mended_or_dropped(self, corners, expected, note):
        values, told = gathered(corners)
        assert values["boxes"].tolist() == expected and told == note
        assert {len(each) for each in values.values()} == {len(expected)}

    def test_the_same_box_twice_counts_once(self):
        values, note = gathered((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 5))
        assert len(values["boxes"]) == 2 and note == "1 box that stand there twice, dropped once (first: box 1)"

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_a_coordinate_that_is_no_number_refuses_the_image(self, number):
        assert refusal(gathered, (1, 2, number, 4)) == f"box 0: x_max is {number}, not a finite number"

    def test_who_is_not_told_which_are_crowds_does_not_get_them(self):
        wanted = {name: OFFERED[name] for name in ("boxes", "classes")}
        assert not len(gathered((1, 2, 3, 4), wanted=wanted, crowd=True)[0]["boxes"])
        assert not len(gathered((1, 2, 3, 4), wanted=wanted, difficult=True)[0]["boxes"])
        assert gathered((1, 2, 3, 4), crowd=True)[0]["crowd"].tolist() == [1]


@pytest.fixture
def yolo(tmp_path):
    """Two images to train on, one to validate with; as Ultralytics has it."""
    for split, names in (("train", ("a", "b")), ("val", ("c",))):
        for name in names:
            write_image(tmp_path / "images" / split / f"{name}.png")
            (tmp_path / "labels" / split).mkdir(parents=True, exist_ok=True)
            (tmp_path / "labels" / split / f"{name}.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "labels/train/b.txt").write_text("")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    return tmp_path


class TestYolo:
    def test_reads_splits_classes_and_boxes(self, yolo):
        for path in (yolo, yolo / "data.yaml"):
            source = opened("yolo", path=str(path))
            assert source.keys == ["images/train/a.png", "images/train/b.png", "images/val/c.png"]
            assert source.splits == {"train": [0, 1], "validation": [2]} and source.class_names == ["cat", "dog"]
            truth = source.truth(0)
            assert truth["boxes"].tolist() == [[15, 5, 25, 15]] and truth["classes"].tolist() == [1]
            assert {name: truth[name].tolist() for name in ("crowd", "difficult", "area")} == {
                "crowd": [0],
                "difficult": [0],
                "area": [100],
            }
            assert source.truth(1)["boxes"].shape == (0, 4)

    @pytest.mark.parametrize(
        "content",
        [
            "path: {root}\ntrain: images/train\nval: images/val\n",
            "path: .\ntrain: [images/train]\nval: ./images/val\n",
            "train: ../images/train\nvalid: ../images/val\n",  # Roboflow
            "train: {root}/images/train\nval: {root}/images/val\n",
            "train: train.txt\nval: images/val\n",
        ],
    )
    def test_paths_as_tools_write_them(self, yolo, content):
        (yolo / "train.txt").write_text("images/train/a.png\n./images/train/b.png\n")
        (yolo / "data.yaml").write_text(content.format(root=yolo) + "nc: 2\nnames: [cat, dog]\n")
        source = opened("yolo", path=str(yolo))
        assert source.keys == ["images/train/a.png", "images/train/b.png", "images/val/c.png"]
        assert list(source.splits) == ["train", "validation"]

    def test_of_a_polygon_the_box_is_taken(self, yolo):
        (yolo / "labels/train/a.txt").write_text("0 0.1 0.2 0.5 0.1 0.3 0.9\n")
        np.testing.assert_allclose(opened("yolo", path=str(yolo)).truth(0)["boxes"], [[4, 2, 20, 18]], rtol=1e-6)

    def test_boxes_are_of_the_upright_image(self, yolo):
        write_image(yolo / "images/train/a.jpg", orientation=6)  # a quarter turn: it is seen 20 wide and 40 high
        os.replace(yolo / "images/train/a.jpg", yolo / "images/train/a.png")
        assert opened("yolo", path=str(yolo)).truth(0)["boxes"].tolist() == [[7.5, 10, 12.5, 30]]

    def test_images_without_label_files_show_nothing_and_are_counted(self, yolo, caplog):
        (yolo / "labels/train/b.txt").unlink()
        with caplog.at_level("INFO"):
            source = opened("yolo", path=str(yolo))
        assert "images without a label file show no object: 1 (first " in caplog.text
        assert source.truth(1)["boxes"].shape == (0, 4)
        for split in ("train/a", "val/c"):
            (yolo / f"labels/{split}.txt").unlink()
        assert "none of 3 images has a label file, as " in refusal(opened, "yolo", path=str(yolo))

    def test_labels_may_lie_beside_the_images(self, yolo):
        os.replace(yolo / "labels/val/c.txt", yolo / "images/val/c.txt")
        assert len(opened("yolo", path=str(yolo)).truth(2)["boxes"]) == 1

    @pytest.mark.parametrize(
        ("label", "told"),
        [
            ("1 15 5 10 10", "a.txt:1: 15 does not lie between 0 and 1"),
            ("2 0.5 0.5 0.1 0.1", "a.txt:1: class 2, and 'names' of the data.yaml has 0 to 1"),
            ("0.5 0.5 0.5 0.1 0.1", "a.txt:1: class 0.5, and"),
            ("1 0.5 0.5 nan 0.1", "a.txt:1: a coordinate is no finite number"),
            ("cat 0.5 0.5 0.1 0.1", "a.txt:1: not numbers: a line is 'class x y width height'"),
            ("1 0.5 0.5 0.1", "a.txt:1: 4 numbers: a line is"),
            ("1 0.5 0.5 0.1 0.1 0.9", "a.txt:1: 6 numbers: a line is"),
        ],
    )
    def test_wrong_lines(self, yolo, label, told):
        (yolo / "labels/train/a.txt").write_text(f"{label}\n")
        assert told in refusal(opened("yolo", path=str(yolo)).truth, 0)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("train: images/nowhere\nnames: [a]", "'train' is images/nowhere, and there is no such folder or list"),
            ("names: [a]", "no 'train', 'val' or 'test'"),
            ("train: images/train\nnames: {0: a, 2: b}", "'names' has no id 1: ids go from 0 to 2 without a gap"),
            ("train: images/train\nnames: [a, a]", "'names' has 'a' twice"),
            ("train: images/train", "'names' is missing"),
            ("train: images/train\nnc: 3\nnames: [a, b]", "'nc' is 3, and 'names' has 2"),
            ("- train", "not a data.yaml"),
            ("train: [", "not YAML"),
            ("train: list.txt\nnames: [a]", "list.txt:1: no image"),
            ("train: images/train\nval: images/train\nnames: [a, b]", "is in the splits train and validation"),
        ],
    )
    def test_wrong_data_yaml(self, yolo, content, told):
        (yolo / "list.txt").write_text("images/train/gone.png\n")
        (yolo / "data.yaml").write_text(content)
        assert told in refusal(opened, "yolo", path=str(yolo))

    def test_no_data_yaml(self, tmp_path):
        assert "no such file: name the data.yaml" in refusal(opened, "yolo", path=str(tmp_path))

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_pixels_come_back_from_fractions(self, seed, tmp_path_factory):
        random = np.random.default_rng(seed)
        folder = tmp_path_factory.mktemp("round")
        width, height = random.integers(8, 300, 2).tolist()
        write_image(folder / "images/a.png", (width, height))
        low = random.uniform(0, 0.7, (4, 2)) * [width, height]
        boxes = np.concatenate([low, low + random.uniform(0.1, 0.3, (4, 2)) * [width, height]], axis=1)
        side = np.array([width, height])
        rows = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2 / side, (boxes[:, 2:] - boxes[:, :2]) / side], axis=1)
        (folder / "labels").mkdir()
        (folder / "labels/a.txt").write_text("".join(f"0 {' '.join(map(repr, row.tolist()))}\n" for row in rows))
        (folder / "data.yaml").write_text("train: images\nnames: [thing]\n")
        np.testing.assert_allclose(opened("yolo", path=str(folder)).truth(0)["boxes"], boxes, rtol=1e-5, atol=1e-3)


class TestBoxTable:
    HEADED = "filename,width,height,class,xmin,ymin,xmax,ymax\n"

    @pytest.fixture
    def table(self, tmp_path):
        for name in "ab":
            write_image(tmp_path / f"{name}.png")
        return tmp_path / "boxes.csv"

    def test_as_the_object_detection_api_has_it(self, table):
        table.write_text(self.HEADED + "a.png,40,20,dog,1,2,11,8\nb.png,40,20,cat,0,0,4,4\na.png,40,20,cat,5,5,9,9\n")
        source = opened("box_table", path=str(table))
        assert source.keys == ["a.png", "b.png"] and source.class_names == ["cat", "dog"]
        assert source.truth(0)["boxes"].tolist() == [[1, 2, 11, 8], [5, 5, 9, 9]]
        assert source.truth(0)["classes"].tolist() == [1, 0]

    def test_as_keras_retinanet_has_it(self, table):
        table.write_text("a.png,1,2,11,8,dog\nb.png,,,,,\n")
        source = opened("box_table", path=str(table))
        assert source.truth(0)["boxes"].tolist() == [[1, 2, 11, 8]] and source.truth(1)["boxes"].shape == (0, 4)

    def test_own_columns_splits_and_groups(self, table):
        table.write_text("file;what;l;t;r;b;set;group\na.png;dog;1;2;11;8;valid;g\nb.png;dog;1;2;11;8;train;h\n")
        columns = {"path": "file", "class": "what", "x_min": "l", "y_min": "t", "x_max": "r", "y_max": "b"}
        source = opened("box_table", path=str(table), columns=columns, delimiter=";", classes=["cat", "dog"])
        assert source.splits == {"validation": [0], "train": [1]} and source.groups == ["g", "h"]
        assert source.truth(0)["classes"].tolist() == [1]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "empty: there is no row"),
            (HEADED, "no rows below the header"),
            ("filename,class,xmin,ymin,xmax\na.png,dog,1,2,3\n", "no column for y_max (as y_max, ymax, y2)"),
            (HEADED + "gone.png,40,20,dog,1,2,3,4\n", "boxes.csv:2: no image"),
            (HEADED + "a.png,40,20,dog,1,2\n", "boxes.csv:2: 6 cells, and the first row has 8"),
            (HEADED + ",40,20,dog,1,2,3,4\n", "boxes.csv:2: no path of an image"),
        ],
    )
    def test_wrong_tables(self, table, text, told):
        table.write_text(text)
        assert told in refusal(opened, "box_table", path=str(table))

    @pytest.mark.parametrize(
        ("row", "told"),
        [
            ("a.png,40,20,dog,1,two,3,4", "boxes.csv:2: y_min is 'two', and it takes a number of pixels"),
            ("a.png,40,20,,1,2,3,4", "boxes.csv:2: a box without a class"),
            ("a.png,40,20,dog,1,nan,3,4", "boxes.csv:2: y_min is nan, not a finite number"),
        ],
    )
    def test_wrong_rows(self, table, row, told):
        table.write_text(self.HEADED + row + "\n")
        assert told in refusal(opened("box_table", path=str(table)).truth, 0)

    def test_other_refusals(self, table):
        table.write_text(self.HEADED + "a.png,40,20,dog,1,2,3,4\n")
        assert "class 'dog' is not in data.classes" in refusal(opened, "box_table", path=str(table), classes=["cat"])
        assert "no column 'what' (data.columns.class)" in refusal(
            opened, "box_table", path=str(table), columns={"class": "what"}
        )
        assert "data.columns.klass: did you mean class?" in refusal(
            opened, "box_table", path=str(table), columns={"klass": "class"}
        )
        assert "no such file" in refusal(opened, "box_table", path=str(table) + "x")


class TestWhateverAFolderHolds:
    def test_yolo(self, yolo):
        assert opened("boxes", path=str(yolo)).keys == opened("yolo", path=str(yolo)).keys

    def test_a_table(self, tmp_path):
        write_image(tmp_path / "a.png")
        (tmp_path / "t.csv").write_text("a.png,1,2,11,8,dog\n")
        assert opened("boxes", path=str(tmp_path / "t.csv")).truth(0)["boxes"].tolist() == [[1, 2, 11, 8]]

    def test_coco_as_roboflow_exports_it(self, tmp_path):
        """Ids with holes and not from 0; a category that nothing has, too."""
        for split in ("train", "valid"):
            write_image(tmp_path / split / "a.png")
            content = {
                "images": [{"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
                "categories": [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}],
                "annotations": [{"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 2, 10, 6], "iscrowd": 0}],
            }
            (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(content))
        source = opened("boxes", path=str(tmp_path))
        assert list(source.splits) == ["train", "validation"] and source.class_names == ["cat", "dog"]
        assert source.truth(0)["boxes"].tolist() == [[1, 2, 11, 8]] and source.truth(0)["classes"].tolist() == [1]
        assert source.read(0)["bytes"].startswith(b"\x89PNG") and source.stamp(0) and source.where(1).endswith("a.png")

    def test_voc_with_classes_of_its_own(self, tmp_path):
        write_image(tmp_path / "JPEGImages/a.png")
        (tmp_path / "Annotations").mkdir()
        (tmp_path / "Annotations/a.xml").write_text(
            "<annotation><object><name>mug</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>8</ymax>"
            "</bndbox></object></annotation>"
        )
        source = opened("boxes", path=str(tmp_path))
        assert source.class_names == ["mug"] and source.truth(0)["boxes"].tolist() == [[1, 2, 11, 8]]

    def test_what_it_cannot_tell(self, tmp_path):
        told = refusal(opened, "boxes", path=str(tmp_path))
        assert "no layout of boxes that is known at a glance" in told and "data.source=box_table" in told
        assert "no such file or folder" in refusal(opened, "boxes", path=str(tmp_path / "gone"))
        (tmp_path / "notes.txt").write_text("")
        assert "no data.yaml, COCO file" in refusal(opened, "boxes", path=str(tmp_path / "notes.txt"))


def test_blood_cells(data_dir):
    """364 images, 4,888 boxes, two of which begin and end at the same pixel (its SOURCE.txt)."""
    source = opened("boxes", path=str(data_dir / "detection/bccd"))
    assert {name: len(positions) for name, positions in source.splits.items()} == {
        "train": 205,
        "validation": 87,
        "test": 72,
    }
    assert source.class_names == ["Platelets", "RBC", "WBC"]
    found = [source.inspect_truth(position) for position in range(len(source))]
    boxes = np.concatenate([truth["boxes"] for truth, _ in found])
    twice = sum(int(note.split()[0]) for _, note in found if "that stand there twice" in note)
    assert len(boxes) + twice == 4888
    # in VOC's way of counting, what begins and ends at one pixel is one pixel wide
    assert ((boxes[:, 2:] - boxes[:, :2]).min(axis=1) == 1).sum() == 2


def test_boxes_round_the_objects_of_masks(tmp_path):
    write_image(tmp_path / "images/a.png")
    mask = np.zeros((HEIGHT, WIDTH), np.uint16)
    mask[2:8, 1:11] = 3
    mask[10:15, 20:30] = 700
    mask[12, 25] = 0
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    source = opened("masks", path=str(tmp_path / "images"), masks=str(tmp_path / "masks"))
    truth = source.truth(0)
    assert source.class_names == ["foreground"] and truth["boxes"].tolist() == [[1, 2, 11, 8], [20, 10, 30, 15]]
    assert truth["area"].tolist() == [60, 49] and truth["classes"].tolist() == [0, 0]
    Image.fromarray((mask > 0).astype(np.uint8) * 255).save(tmp_path / "masks/a.png")
    told = refusal(opened, "masks", path=str(tmp_path / "images"), masks=str(tmp_path / "masks"))
    assert "they do not tell objects apart, and the task wants a box round each: give masks that number" in told
