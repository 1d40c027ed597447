"""Images with masks on disk: which belongs to which, splits, zip files, threads; and the Data Science Bowl's nuclei."""

import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from saccade.models.contract import Truth
from saccade.pipelines.data.formats.masks import Masks, MasksOptions

MASK = {"mask": Truth("uint8", (None, None))}
BOTH = MASK | {"instances": Truth("uint16", (None, None), trains=False)}


def opened(root: Path, truth=MASK, path: str = "i", masks: str = "m", **options) -> Masks:
    places = {"path": str(root / path), "masks": str(root / masks) if masks else ""}
    return Masks(MasksOptions(source="masks", **places, **options), truth)


def test_masks_called_as_their_images(draw, mark, caplog, pairs):
    draw("i/b.jpg", "i/a.png", "i/deep/c.jpg")
    root = mark("m/a.png", "m/b.png", "m/deep/c.png")
    source = opened(root)
    assert source.keys == ["a.png", "b.jpg", "deep/c.jpg"] and source.class_names == ["background", "foreground"]
    assert pairs(source, "m/a.png", "m/b.png", "m/deep/c.png")
    assert source.splits == {} and source.groups == source.keys and source.columns == {}
    assert source.read(1) == {"bytes": (root / "i/b.jpg").read_bytes()} and source.where(1) == str(root / "i/b.jpg")
    mask = source.truth(0)["mask"]
    assert mask.dtype == np.uint8 and mask.shape == (12, 16)
    assert [each.message for each in caplog.records] == ["masks: 0/255 in one channel: background and foreground"]


@pytest.mark.parametrize("ending", ["_mask", "_L", ".mask", " (mask)", "_seg_gt"])
def test_masks_with_an_ending(draw, mark, caplog, ending, pairs):
    draw("i/a.jpg", "i/a_1.jpg", "i/b.jpg", "i/c/b.jpg")
    names = [f"m/{name}{ending}.png" for name in ("a", "a_1", "b", "c/b")]
    assert pairs(opened(mark(*names)), *names)
    assert f"masks are called {{path}}{ending} after their images" in caplog.text


def test_masks_in_one_folder_by_bare_names(draw, mark, caplog, pairs):
    draw("i/x/a.jpg", "i/y/b.jpg")
    assert pairs(opened(mark("m/a.png", "m/b.png")), "m/a.png", "m/b.png")
    assert "masks are called {stem} after their images" in caplog.text
    assert pairs(opened(mark("n/z/a_L.png", "n/b_L.png"), masks="n"), "n/z/a_L.png", "n/b_L.png")


def test_the_same_name_goes_before_an_ending(draw, mark, caplog, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/a.png", "m/a_edge.png", "m/b.png", "m/b_edge.png", "m/zebra.png")
    assert pairs(opened(root), "m/a.png", "m/b.png")
    assert "data.masks=" in caplog.text and "masks without an image: 3 (first a_edge.png)" in caplog.text


@pytest.mark.parametrize(
    ("pattern", "masks"),
    [
        ("{stem}_mask.png", ["m/a_mask.png", "m/b_mask.png"]),
        ("labels/{path}.png", ["m/labels/x/a.png", "m/labels/y/b.png"]),
        ("{folder}/../{stem}/{stem}.gif", ["m/a/a.gif", "m/b/b.gif"]),
    ],
)
def test_a_pattern(draw, mark, pattern, masks, pairs):
    draw("i/x/a.jpg", "i/y/b.jpg")
    assert pairs(opened(mark(*masks), match=pattern), *masks)


def test_images_of_a_folder_may_share_a_mask(draw, mark, pairs):
    draw("i/x/1.jpg", "i/x/2.jpg", "i/y/1.jpg")
    masks = ["i/x/mask.png", "i/x/mask.png", "i/y/mask.png"]
    assert pairs(opened(mark(*masks), masks="", match="{folder}/mask.png"), *masks)


def test_braces_in_names_are_no_fields(draw, mark, pairs):
    draw("i/{stem}.jpg", "i/a.jpg")
    masks = ["m/a_L.png", "m/{stem}_L.png"]
    assert pairs(opened(mark(*masks), match="{path}_L.png"), *masks)


@pytest.mark.parametrize("masks", ["", "i"])
def test_masks_beside_their_images_are_no_images(draw, mark, masks, caplog, pairs):
    draw("i/a.png", "i/b.jpg", "i/x/c.jpg")
    names = ["i/a_mask.png", "i/b_mask.png", "i/x/c_mask.png"]
    source = opened(mark(*names), masks=masks, match="{path}_mask.png")
    assert source.keys == ["a.png", "b.jpg", "x/c.jpg"] and pairs(source, *names)
    assert "without an image" not in caplog.text


def test_a_folder_of_masks_among_those_of_images(draw, mark, pairs):
    draw("d/img/a.jpg", "d/img/b.jpg")
    masks = ["d/lab/a.png", "d/lab/b.png"]
    assert opened(mark(*masks), path="d", masks="d/lab").keys == ["img/a.jpg", "img/b.jpg"]
    assert pairs(opened(mark(), path="d/img", masks="d", match="lab/{stem}.png"), *masks)
    assert pairs(opened(mark(), path="d/img", masks="d"), *masks)


def test_splits_at_the_top(draw, mark, pairs):
    names = ("train/images/a", "val/images/a", "test/images/b")
    draw(*(f"d/{name}.jpg" for name in names))
    masks = [f"d/{name}.png".replace("images", "masks") for name in ("test/images/b", "train/images/a", "val/images/a")]
    source = opened(mark(*masks), path="d", masks="", match="{folder}/../masks/{stem}.png")
    assert source.keys == ["test/images/b.jpg", "train/images/a.jpg", "val/images/a.jpg"]
    assert source.splits == {"test": [0], "train": [1], "validation": [2]} and pairs(source, *masks)


def test_exclude_and_groups_are_of_images(draw, mark, caplog):
    draw("i/p1_a.jpg", "i/p2_a.jpg", "i/p1_b.jpg", "i/unlabelled.jpg")
    root = mark("m/p1_a.png", "m/p2_a.png", "m/p1_b.png")
    source = opened(root, exclude=["unl*"], group=r"(p\d)_")
    assert source.groups == ["p1", "p1", "p2"] and source.columns == {"group": ["p1", "p1", "p2"]}


def test_prediction_takes_images_alone(draw):
    source = opened(draw("i/a.jpg", "i/train/b.jpg"), truth=None, masks="nowhere")
    assert source.keys == ["a.jpg", "train/b.jpg"] and source.truth(0) == {} and source.class_names == []
    assert source.splits == {} and source.stamp(0)


def test_zip_files(draw, mark, tmp_path, pairs):
    draw("i/x/a.jpg", "i/b.jpg")
    root = mark("m/x/a.png", "m/b.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for path in ("i/x/a.jpg", "i/b.jpg", "m/x/a.png", "m/b.png"):
            file.write(root / path, path)
    source = opened(root, path="all.zip/i", masks="all.zip/m")
    assert source.keys == ["b.jpg", "x/a.jpg"] and pairs(source, "m/b.png", "m/x/a.png")
    assert " " in source.stamp(0)
    assert pairs(opened(root, path="i", masks="all.zip/m"), "m/b.png", "m/x/a.png")


def test_stamp_changes_with_either_file(draw, mark):
    draw("i/a.jpg")
    root = mark("m/a.png")
    source = opened(root)
    stamps = {source.stamp(0)}
    for time, path in enumerate(("i/a.jpg", "m/a.png"), 1):
        os.utime(root / path, ns=(time, time))
        stamps.add(source.stamp(0))
    assert len(stamps) == 3 and None not in stamps
    (root / "m/a.png").unlink()
    assert source.stamp(0) is None
    with pytest.raises(FileNotFoundError):
        source.truth(0)


def test_many_threads_read_the_same(draw, mark, tmp_path, pairs):
    names = [f"{at:02}" for at in range(24)]
    draw(*(f"i/{name}.jpg" for name in names))
    root = mark(*(f"m/{name}.png" for name in names))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as file:
        for name in names:
            file.write(root / f"m/{name}.png", f"{name}.png")
    for masks in ("m", "m.zip"):
        source = opened(root, masks=masks)
        with ThreadPoolExecutor(8) as pool:
            found = [int(truth["mask"].sum()) for truth in pool.map(source.truth, list(range(24)) * 10)]
        assert found == [pairs.number(f"m/{name}.png") for name in names] * 10


def objects(file: Path, *values: int) -> None:
    pixels = np.zeros((12, 16), np.uint16)
    pixels[0, : len(values)] = values
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def test_objects_where_the_task_wants_them(draw):
    root = draw("i/a.jpg")
    objects(root / "m/a.png", 500, 500, 3)
    truth = opened(root, BOTH, instances="boundary").truth(0)
    assert list(truth) == ["mask", "instances"] and truth["instances"].dtype == np.uint16
    assert truth["instances"][0, :4].tolist() == [500, 500, 3, 0]
    assert list(opened(root).truth(0)) == ["mask"]
    assert opened(root, {"mask": Truth("int32", (None, None))}).truth(0)["mask"].dtype == np.int32


@pytest.fixture(scope="module")
def nuclei(data_dir) -> Path:
    return data_dir / "segmentation/dsb2018_nuclei"


def test_object_numbers_as_they_are_stored(nuclei, caplog):
    source = opened(nuclei, BOTH, "images", "labels")
    assert len(source) == 445 and source.class_names == ["background", "foreground"] and source.splits == {}
    assert "masks: object numbers, 16 bits, up to 111 in one mask: background, foreground" in caplog.text
    counts = []
    for at in range(0, 445, 20):
        truth = source.truth(at)
        with Image.open(nuclei / "labels" / f"{Path(source.keys[at]).stem}.png") as image:
            stored = np.array(image)
        assert (truth["instances"] == stored).all() and (truth["mask"] == (stored > 0)).all()
        with Image.open(io.BytesIO(source.read(at)["bytes"])) as shown:
            assert truth["mask"].shape == shown.size[::-1]
        counts.append(len(np.unique(truth["instances"][truth["mask"] == 1])))
    assert counts[:5] == [27, 53, 9, 60, 16]


def test_a_line_parts_nuclei_that_touch(nuclei):
    """Counted by SciPy: pixels that touch are one object, and separated there are nearly as many as are numbered."""
    joined, parted, known = 0, 0, 0
    whole, separated = (
        opened(nuclei, BOTH, "images", "labels"),
        opened(nuclei, BOTH, "images", "labels", instances="separated"),
    )
    for at in range(0, 445, 40):
        truth = whole.truth(at)
        known += int(truth["instances"].max())
        joined += ndimage.label(truth["mask"], np.ones((3, 3)))[1]
        parted += ndimage.label(separated.truth(at)["mask"], np.ones((3, 3)))[1]
    assert joined < parted and abs(parted - known) < (known - joined) / 2


def test_boundaries(nuclei):
    source = opened(nuclei, BOTH, "images", "labels", instances="boundary")
    assert source.class_names == ["background", "interior", "boundary"]
    truth = source.truth(0)
    inside = ndimage.minimum_filter(truth["instances"], 3, mode="nearest") == truth["instances"]
    inside &= ndimage.maximum_filter(truth["instances"], 3, mode="nearest") == truth["instances"]
    expected = np.where(truth["instances"] == 0, 0, np.where(inside, 1, 2))
    assert (truth["mask"] == expected).all()
