"""Folders of images: which are the classes, which the splits, and what is wrong with them."""

import logging
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.folder import Folder, FolderOptions

LABEL = {"label": Truth("int32")}


def folder(path, truth=LABEL, **options) -> Folder:
    return Folder(FolderOptions(source="folder", path=str(path), **options), truth)


def labels(source: Folder) -> dict[str, str]:
    return {key: source.class_names[source.truth(at)["label"]] for at, key in enumerate(source.keys)}


def refused(path, **options) -> str:
    with pytest.raises(InputError) as error:
        folder(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "ROOT")


def test_a_folder_a_class(draw):
    root = draw("b/2.png", "b/1.JPG", "a/x.jpeg", "c/deep/er/9.webp", "c/3.bmp", "c/4.GIF")
    source = folder(root)
    assert source.class_names == ["a", "b", "c"]
    assert labels(source) == {
        "a/x.jpeg": "a",
        "b/1.JPG": "b",
        "b/2.png": "b",
        "c/3.bmp": "c",
        "c/4.GIF": "c",
        "c/deep/er/9.webp": "c",
    }
    assert list(source.keys) == sorted(source.keys) and source.groups == source.keys and source.splits == {}
    assert source.columns == {}
    assert source.read(0) == {"bytes": (root / "a/x.jpeg").read_bytes()}
    assert source.where(0) == str(root / "a/x.jpeg")
    label = source.truth(5)["label"]
    assert label == 2 and label.dtype == np.int32 and label.shape == ()


def test_stamp_changes_with_the_file(draw):
    root = draw("a/1.png", "b/1.png")
    source = folder(root)
    before = source.stamp(0)
    assert before is not None and before == source.stamp(0)
    os.utime(root / "a/1.png", ns=(1, 1))
    assert source.stamp(0) != before
    (root / "a/1.png").unlink()
    assert source.stamp(0) is None
    with pytest.raises(FileNotFoundError):
        source.read(0)


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "VALID", "Test"), ("TRAIN", "Validation", "test")]
)
def test_folders_of_splits(draw, names):
    train, validation, test = names
    root = draw(*(f"{split}/{name}/{n}.png" for split in names for name in "xy" for n in range(2)))
    source = folder(root)
    assert source.class_names == ["x", "y"]
    for split, place in (("train", train), ("validation", validation), ("test", test)):
        assert [source.keys[at] for at in source.splits[split]] == [
            f"{place}/{name}/{n}.png" for name in "xy" for n in "01"
        ]
    assert [int(source.truth(at)["label"]) for at in source.splits["test"]] == [0, 0, 1, 1]


def test_a_class_may_be_called_train(draw):
    source = folder(draw("bus/1.png", "train/1.png", "valid/1.png"))
    assert source.class_names == ["bus", "train", "valid"] and source.splits == {}


def test_other_files_and_hidden_ones_are_ignored_and_counted(draw, caplog):
    root = draw("a/1.png", "a/._1.png", ".git/a/1.png", "__MACOSX/a/1.png", "b/1.png", "a/.ipynb_checkpoints/1.png")
    (root / "notes.txt").write_text("hello")
    with caplog.at_level(logging.INFO):
        assert folder(root).keys == ["a/1.png", "b/1.png"]
    assert "files ignored that are no images by their name: 2" in caplog.text


def test_loose_images_beside_class_folders_are_ignored_with_a_warning(draw, caplog):
    assert folder(draw("a/1.png", "b/1.png", "overview.png")).keys == ["a/1.png", "b/1.png"]
    assert "images beside the class folders are ignored: 1 (first overview.png)" in caplog.text
    caplog.clear()
    draw("s/train/a/1.png", "s/train/b/1.png", "s/train/x.png", "s/val/a/1.png", "s/y.png")
    assert len(folder(draw() / "s")) == 3
    assert "first train/x.png" in caplog.text and "first y.png" in caplog.text


def test_exclude(draw, caplog):
    root = draw("a/1.png", "a/2.gif", "a/old/3.png", "b/1.png", "b/blurred1.png", "unsorted/1.png")
    source = folder(root, exclude=["*.gif", "b/blurred*", "unsorted/", "*/old"])
    assert source.keys == ["a/1.png", "b/1.png"] and not caplog.records
    folder(root, exclude=["1.png"])
    assert "data.exclude '1.png' matches nothing" in caplog.text


def test_links_are_followed_and_never_for_ever(draw, tmp_path):
    root = draw("data/a/1.png", "elsewhere/2.png") / "data"
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a/again").symlink_to(root)
    assert folder(root).keys == ["a/1.png", "b/2.png"]


def test_groups_are_read_from_the_key(draw):
    source = folder(draw("a/p1_1.png", "a/p2_1.png", "b/p1_2.png"), group=r"/(p\d+)_")
    assert source.groups == ["p1", "p2", "p1"] and source.columns == {"group": ["p1", "p2", "p1"]}
    assert refused(draw("b/x.png"), group=r"(p\d+)_") == "data.group '(p\\d+)_' is not in 1 of 4 paths (first b/x.png)"


@pytest.mark.parametrize(("pattern", "told"), [("p1", "round brackets"), ("(p", "not a regular expression")])
def test_group_patterns_without_a_meaning(pattern, told):
    with pytest.raises(ValidationError, match=told):
        FolderOptions(source="folder", path="x", group=pattern)


def test_prediction_takes_any_tree(draw):
    source = folder(draw("1.png", "only/2.png", "train/3.png"), truth=None)
    assert source.keys == ["1.png", "only/2.png", "train/3.png"] and source.truth(0) == {}
    assert source.splits == {} and source.class_names == []


def test_missing_folder(tmp_path):
    assert refused(tmp_path / "no") == "data.path=ROOT: no such folder"


def test_a_file_instead_of_a_folder(draw, tmp_path):
    (tmp_path / "t.csv").write_text("path,label\n")
    assert refused(tmp_path / "t.csv") == "data.path=ROOT: a file, not a folder: data.source=csv reads tables"
    assert "a file, not a folder: give the folder around it" in refused(draw("a.png") / "a.png")


@contextmanager
def without_permission(path: Path):
    """Takes the right to read `path` from whoever runs the tests, root too."""
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(0o755)


def test_no_permission(draw):
    root = draw("a/1.png", "b/1.png")
    with without_permission(root / "b"):
        assert "data.path=ROOT: no permission to read " in refused(root)


def test_no_images(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.txt").write_text("x")
    expected = "data.path=ROOT: no images (jpg, jpeg, png, gif, bmp, webp) in it; other files: 1"
    assert refused(tmp_path) == expected


def test_all_images_excluded(draw):
    assert refused(draw("a/1.png", "b/1.png"), exclude=["*.png"]).endswith("in it; data.exclude leaves out 2")


def test_only_one_class(draw):
    assert refused(draw("a/1.png")) == "data.path=ROOT: only one class, 'a'; it takes two or more"
    told = refused(draw("a/x/1.png", "a/y/1.png"))
    assert told.endswith("takes two or more: are its folders the classes? then data.path=ROOT/a")


def test_a_class_without_images(draw):
    root = draw("a/1.png", "b/1.png", "c/deep/1.gif")
    (root / "d").mkdir()
    assert refused(root, exclude=["d", "c/*.gif"]) == (
        "data.path=ROOT: class folder 'c' has no images (data.exclude leaves out 1): add some, or leave the "
        "class out by 'data.exclude=[d, \"c/*.gif\", c]'"
    )
    assert "class folder 'd' has no images: add some" in refused(root)
    assert folder(root, exclude=["d"]).class_names == ["a", "b", "c"]


def test_loose_images_alone(draw):
    told = refused(draw("1.png", "2.png"))
    assert "images without class folders around them: 2 (first 1.png)" in told and "data.source=csv" in told


def test_an_unlabelled_split(draw):
    told = refused(draw("train/a/1.png", "train/b/1.png", "test/1.png"))
    assert told.startswith("data.path=ROOT: folder 'test/': images without class folders around them: 1 ")
    assert folder(draw(), exclude=["test"]).class_names == ["a", "b"]


def test_classes_must_agree_among_splits(draw, caplog):
    root = draw("train/ants/1.png", "train/bees/1.png", "val/ants/1.png")
    assert folder(root).class_names == ["ants", "bees"]
    draw("val/wasps/1.png")
    assert refused(root) == "data.path=ROOT: class 'wasps' is in 'val/' and not in 'train/', which has ants, bees"


def test_an_empty_class_outside_train_is_a_warning(draw, caplog):
    root = draw("train/ants/1.png", "train/bees/1.png", "val/ants/1.png")
    (root / "val/bees").mkdir()
    assert len(folder(root)) == 3
    assert "class folder 'val/bees' has no images" in caplog.text
    (root / "train/bees/1.png").unlink()
    assert "class folder 'train/bees' has no images" in refused(root)


def test_splits_that_contradict_each_other(draw):
    root = draw("train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/b/1.png")
    assert refused(root) == "data.path=ROOT: train, val, valid: two folders for one split"
    assert "'extra' stands beside the split 'train'" in refused(draw("extra/a/1.png"))


def test_splits_without_train(draw):
    assert refused(draw("val/a/1.png", "test/b/1.png")) == "data.path=ROOT: folder 'test' and no 'train' beside it"


def test_a_name_that_is_not_utf8(draw):
    root = draw("a/1.png", "b/1.png")
    (root / "a/1.png").rename(os.fsdecode(os.fsencode(root) + b"/a/\xff.png"))
    assert refused(root) == "data.path=ROOT: file name 'a/\\udcff.png' is not UTF-8: rename it"


def test_truth_it_cannot_bring(draw):
    with pytest.raises(InputError, match="data.source=folder brings label, and the task wants 'age'"):
        folder(draw("a/1.png"), {"age": Truth("float32")})


def test_ants_and_bees(data_dir):
    source = folder(data_dir / "classification/hymenoptera")
    assert source.class_names == ["ants", "bees"]
    assert {split: len(positions) for split, positions in source.splits.items()} == {"train": 245, "validation": 153}
    counts = {split: np.bincount([source.truth(at)["label"] for at in each]) for split, each in source.splits.items()}
    assert counts["train"].tolist() == [124, 121] and counts["validation"].tolist() == [70, 83]


def test_flowers(data_dir):
    source = folder(data_dir / "classification/flowers5_128px")
    count = np.bincount([source.truth(at)["label"] for at in range(len(source))])
    assert dict(zip(source.class_names, count.tolist(), strict=True)) == {
        "daisy": 764,
        "dandelion": 1052,
        "rose": 784,
        "sunflower": 733,
        "tulip": 984,
    }
