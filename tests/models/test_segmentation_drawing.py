"""What people see and read of a segmentation: drawings, lines, words, files; and which masks are refused."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from saccade.models.errors import InputError
from saccade.models.metrics.plots import STRIP
from saccade.models.segmentation import drawing
from saccade.models.segmentation.class_weights import check_mask
from saccade.models.segmentation.drawing import CONFUSED, EXCESS, MISSED, _compared, _shown, palette
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions, SegmentationResults
from saccade.models.segmentation.task import Segmentation

NAMES = ("background", "rose", "tulip")
TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, 255]], np.uint8)
SAID = np.array([[0, 1, 1, 0], [0, 1, 2, 2]], np.uint8)
IMAGE = np.random.default_rng(0).integers(0, 256, (2, 4, 3), np.uint8)


def task(names=NAMES, **options):
    return Segmentation(names, SegmentationOptions(), SegmentationInput(), SegmentationResults(**options))


def panels(drawn, count, height, width):
    """The panels of a drawing of an image of this size: pixels uint8 `[h, w, 3]`, without their captions."""
    whole = (drawn.shape[1] - 4 * (count - 1)) // count
    factor = whole // width
    top = next(row for row in range(drawn.shape[0]) if (drawn[row, :whole] != STRIP).any(axis=-1).all())
    return [drawn[top : top + height * factor, i * (whole + 4) : i * (whole + 4) + whole] for i in range(count)]


def test_panels_are_image_truth_prediction_and_errors():
    drawn = task().draw(IMAGE, {"mask": SAID}, {"mask": TRUTH})
    assert drawn.dtype == np.uint8 and drawn.shape[1] == 4 * 160 + 3 * 4
    image, truth, prediction, errors = panels(drawn, 4, 2, 4)
    middle = (slice(20, None, 40), slice(20, None, 40))
    np.testing.assert_array_equal(image[middle], IMAGE)
    for panel, mask in ((truth, TRUTH), (prediction, SAID)):
        colored = (mask > 0) & (mask < 255)
        np.testing.assert_array_equal(panel[middle][mask == 0], IMAGE[mask == 0])  # the background is untouched
        expected = 0.45 * IMAGE + 0.55 * palette()[mask]
        assert np.abs(panel[middle][colored] - expected[colored]).max() <= 1
    np.testing.assert_array_equal(errors[middle][0, 3], MISSED)
    np.testing.assert_array_equal(errors[middle][0, 1], EXCESS)
    np.testing.assert_array_equal(errors[middle][1, 1], CONFUSED)
    right = (TRUTH == SAID) & (TRUTH != 255)
    assert (errors[middle][right].max(axis=-1) <= 0.36 * 255).all()
    stripes = errors[40:80, 120:160] == 128
    assert 0.1 < stripes.all(axis=-1).mean() < 0.5


@pytest.mark.parametrize(
    ("results", "truth", "count"), [(None, None, 1), (None, TRUTH, 2), (SAID, None, 2), (SAID, TRUTH, 4)]
)
def test_only_what_is_known_is_drawn(results, truth, count):
    drawn = task().draw(IMAGE, *(None if each is None else {"mask": each} for each in (results, truth)))
    assert drawn.shape[1] == count * 160 + (count - 1) * 4


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 700), (700, 3), (1100, 2100)])
def test_images_of_any_size(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    mask = (np.indices((height, width)).sum(axis=0) % 3).astype(np.uint8)
    drawn = task().draw(image, {"mask": mask}, {"mask": np.full_like(mask, 255)})
    assert drawn.shape[1] <= 4 * 1024 + 12 and drawn.shape[0] <= 1024 + 200


def test_the_strip_names_every_class_that_is_there():
    assert [entry.text for entry in _compared(NAMES, TRUTH, SAID)] == [
        "IoU: mean 0.42",
        "background: 0.50",
        "rose: 0.25",
        "tulip: 0.50",
        "missed 14.3 %",
        "too much 14.3 %",
        "other class 14.3 %",
        "striped: does not count",
    ]
    assert [entry.text for entry in _shown(NAMES, SAID)] == ["background 37.5 %", "rose 37.5 %", "tulip 25.0 %"]


def test_colours_differ_and_no_class_looks_like_an_error():
    colors = [tuple(color) for color in palette().tolist()]
    assert len({*colors[:22], colors[255], MISSED, EXCESS, CONFUSED}) == 26


def test_in_words():
    padded = np.full((4, 6), 255)
    padded[:2, :4] = SAID
    for mask in (SAID, padded, padded.tolist()):
        assert task().summary({"mask": mask, "size": [2, 4]}) == "rose 37.5 %, tulip 25.0 %, background 37.5 %"
    assert task().summary({"mask": TRUTH}) == "rose 28.6 %, tulip 28.6 %, background 42.9 %"
    assert task().summary({"mask": np.full((2, 2), 255)}) == "no pixel that counts"
    tiny = np.zeros((100, 100), np.uint8)
    tiny[0, 0] = 1
    assert task().summary({"mask": tiny}) == "rose <0.1 %, background 100.0 %"
    many = task(tuple("abcdefgh"))
    assert many.summary({"mask": np.arange(8)}) == ("b 12.5 %, c 12.5 %, d 12.5 %, e 12.5 %, a 12.5 %, and 3 more")


def test_a_line_is_shares_and_the_number_of_objects():
    row = {"mask": SAID, "size": np.array([2, 4])}
    line = task().line(row)
    assert json.loads(json.dumps(line)) == {"share/background": 0.375, "share/rose": 0.375, "share/tulip": 0.25}
    counted = task(instances="components", instance_pixels=2).line(row)
    assert counted == line | {"objects": 2}


def test_files_hold_ids_and_objects():
    written = task(instances="components", instance_pixels=1).files({"mask": SAID})
    assert list(written) == [".mask.png", ".instances.png"]
    with Image.open(io.BytesIO(written[".mask.png"])) as mask:
        assert mask.mode == "P" and (np.asarray(mask) == SAID).all()
        np.testing.assert_array_equal(np.asarray(mask.convert("RGB")), palette()[SAID])
    with Image.open(io.BytesIO(written[".instances.png"])) as instances:
        found = np.asarray(instances)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, [[0, 1, 1, 0], [0, 1, 2, 2]])
    assert list(task().files({"mask": SAID})) == [".mask.png"]


def test_too_many_objects_for_a_file(monkeypatch):
    monkeypatch.setattr(drawing, "MAX_OBJECTS", 1)
    with pytest.raises(InputError, match="2 objects are more than a PNG of 16 bits can number .1.: raise results.inst"):
        task(instances="components", instance_pixels=1).files({"mask": SAID})


def refusal(mask, size=(40, 30), names=("background", "rose"), name="mask"):
    with pytest.raises(InputError) as refused:
        check_mask(name, np.asarray(mask), size, names)
    return str(refused.value)


def test_masks_of_another_size_are_refused():
    assert refusal(np.zeros((20, 30))) == "mask is 20 x 30, its image 40 x 30 (height x width)"
    assert refusal(np.zeros((30, 40)), names=None, name="instances").startswith(
        "instances is 30 x 40, its image 40 x 30 (height x width): one of them is turned; an image is taken as its "
        "EXIF orientation says"
    )
    assert refusal(np.zeros((40, 30, 3))).startswith("mask is 40 x 30 x 3,")


def test_values_outside_the_classes_are_refused():
    mask = np.zeros((40, 30), np.uint8)
    mask[0, :3], mask[1, 0], mask[2] = 7, 2, 255
    assert refusal(mask) == (
        "mask has values that are none of its 2 classes, 0 to 1: 2 (1 pixel), 7 (3 pixels); give each a class, or make "
        "it 255, which does not count"
    )
    mask[3, :20] = np.arange(20) + 100
    assert "105 (1 pixel) and 14 more;" in refusal(mask)
    assert "-1 (1200 pixels)" in refusal(np.full((40, 30), -1))


def test_good_masks_pass():
    mask = np.array([[0, 1], [255, 0]], np.uint8)
    check_mask("mask", mask, (2, 2), ("background", "rose"))
    check_mask("instances", np.array([[0, 700]], np.uint16), (1, 2), None)
    task(("background", "rose")).check((2, 2), {"mask": mask})
    task(("background", "rose"), instances="components").check((2, 2), {"mask": mask, "instances": mask * 9})
    with pytest.raises(InputError, match="instances is 1 x 2"):
        task(("background", "rose")).check((2, 2), {"mask": mask, "instances": mask[:1]})
