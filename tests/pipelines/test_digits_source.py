"""Digits alone and in scenes, what their truth says, and the table of sources that names both."""

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions, SegmentationResults
from saccade.models.segmentation.task import Segmentation
from saccade.pipelines.data.formats import SOURCES, find_source
from saccade.pipelines.data.formats.scene_drawing import PHOTOGRAPHS, material
from saccade.pipelines.data.source import SPLITS, DataOptions
from saccade.pipelines.data.splits import split
from saccade.pipelines.recipe.recipe import load_recipe

LABEL = {"label": Truth("int32")}
OPTIONS = DataOptions(source="digits")


@pytest.fixture(scope="module")
def digits():
    return find_source("digits")(OPTIONS, LABEL)


def test_has_every_digit_of_scikit_learn(digits):
    reference = load_digits()
    assert len(digits) == 1797
    assert digits.class_names == list("0123456789")
    assert [int(digits.truth(each)["label"]) for each in range(1797)] == reference.target.tolist()
    assert digits.keys[:2] == ["digits/0000", "digits/0001"] and len(set(digits.keys)) == 1797
    assert digits.groups == digits.keys and digits.splits == {}


def test_images_are_grey_pngs_with_the_full_range(digits):
    reference = load_digits().images
    for position in range(0, 1797, 97):
        image = Image.open(io.BytesIO(digits.read(position)["bytes"]))
        assert (image.format, image.mode, image.size) == ("PNG", "L", (8, 8))
        assert np.abs(np.asarray(image) / 255 - reference[position] / 16).max() < 0.5 / 255 + 1e-9


def test_truth_has_the_dtype_that_the_task_wants(digits):
    label = digits.truth(3)["label"]
    assert label.dtype == np.int32 and label.shape == ()
    assert find_source("digits")(OPTIONS, {"label": Truth("int64")}).truth(3)["label"].dtype == np.int64


def test_prediction_wants_no_truth():
    assert find_source("digits")(OPTIONS, None).truth(0) == {}


@pytest.mark.parametrize("truth", [{"age": Truth("float32")}, {"label": Truth("float32", (10,))}])
def test_truth_it_cannot_bring(truth):
    with pytest.raises(InputError, match=r"^data\.source=digits brings label, and the task wants '.*data\.source=csv"):
        find_source("digits")(OPTIONS, truth)


def test_names_of_sources():
    assert {name: find_source(name).__name__ for name in SOURCES} == {
        "digits": "Digits",
        "digit_scenes": "DigitScenes",
        "folder": "Folder",
        "masks": "Masks",
        "yolo": "Yolo",
        "box_table": "BoxTable",
        "boxes": "BoxFolder",
        "csv": "Csv",
        "tfds": "Tfds",
        "coco": "Coco",
        "voc": "Voc",
    }
    with pytest.raises(InputError, match="unknown source 'folders': did you mean folder"):
        find_source("folders")


MASK = {"mask": Truth("uint8", (None, None))}
MASKS = MASK | {"instances": Truth("uint16", (None, None))}
BOXES = {"boxes": Truth("float32", (None, 4)), "classes": Truth("int32", (None,))}
Source = find_source("digit_scenes")


def opened(truth=None, **options):
    return Source(Source.Options(source="digit_scenes", **options), truth)


def image(source, position):
    return np.asarray(Image.open(io.BytesIO(source.read(position)["bytes"])))


@st.composite
def some_options(draw):
    size = draw(st.integers(32, 112))
    most = draw(st.integers(1, 1 if size < 45 else 3))
    return {"size": size, "digits": (draw(st.integers(0, most)), most), "seed": draw(st.integers(0, 2**32 - 1))}


@settings(max_examples=25)
@given(some_options(), st.integers(0, 19))
def test_truth_is_exact(options, position):
    masks, boxes = opened(MASKS, count=20, **options), opened(MASKS | BOXES, count=20, **options)
    truth = boxes.truth(position)
    mask, instances = truth["mask"], truth["instances"]
    assert mask.dtype == np.uint8 and instances.dtype == np.uint16
    assert truth["boxes"].dtype == np.float32 and truth["classes"].dtype == np.int32
    assert mask.shape == instances.shape == image(boxes, position).shape[:2] == (options["size"],) * 2
    assert image(boxes, position).dtype == np.uint8 and image(boxes, position).shape[2] == 3
    least, most = options["digits"]
    assert least <= len(truth["classes"]) == len(truth["boxes"]) == instances.max() <= most
    np.testing.assert_array_equal(mask, np.array([0, *truth["classes"]])[instances])
    for number, (x_min, y_min, x_max, y_max) in enumerate(truth["boxes"], start=1):
        y, x = np.nonzero(instances == number)
        assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (x_min, y_min, x_max, y_max)
    for name, value in masks.truth(position).items():
        np.testing.assert_array_equal(value, truth[name])


def test_class_ids_are_places_in_the_class_names():
    masks, boxes, both = (opened(truth, count=30, test=0.2) for truth in (MASK, BOXES, MASKS | BOXES))
    digits = list("0123456789")
    assert masks.class_names == both.class_names == ["background", *digits] and boxes.class_names == digits
    seen = set()
    for position in range(30):
        alone, beside = boxes.truth(position), both.truth(position)
        np.testing.assert_array_equal(alone["boxes"], beside["boxes"])
        np.testing.assert_array_equal(alone["classes"] + 1, beside["classes"])
        assert set(np.unique(masks.truth(position)["mask"])) == {0, *beside["classes"].tolist()}
        seen |= set(alone["classes"].tolist())
    assert seen == set(range(10))


def test_the_task_is_given_what_it_wants():
    results = SegmentationResults(instances="components")
    task = Segmentation((), SegmentationOptions(), SegmentationInput(fit="pad"), results)
    assert set(opened(task.truth, count=10).truth(3)) == {"mask", "instances"}
    assert opened(BOXES | {"classes": Truth("int64", (None,))}, count=10).truth(3)["classes"].dtype == np.int64
    assert opened(None, count=10).truth(3) == {}


def test_splits_share_no_digit_and_no_photograph():
    digits = {name: {each.tobytes() for each in material(name).digits} for name in SPLITS}
    assert sum(map(len, digits.values())) == len(set.union(*digits.values())) == 1797
    assert set.union(*digits.values()) == {(each / 16).tobytes() for each in load_digits().images}
    assert all(set(material(name).classes.tolist()) == set(range(10)) for name in SPLITS)
    photographs = [each.tobytes() for name in SPLITS for each in material(name).photographs]
    assert len(set(photographs)) == len(photographs) == sum(map(len, PHOTOGRAPHS.values()))
    assert all(min(each.size) >= 300 and each.mode == "RGB" for name in SPLITS for each in material(name).photographs)


def test_digits_keep_their_classes():
    reference = load_digits()
    classes = {(each / 16).tobytes(): digit for each, digit in zip(reference.images, reference.target, strict=True)}
    for name in SPLITS:
        for digit, label in zip(material(name).digits, material(name).classes, strict=True):
            assert classes[digit.tobytes()] == label


def test_splits_are_the_sources_own():
    source = opened(MASK, count=50, validation=0.2, test=0.3)
    assert {name: len(positions) for name, positions in source.splits.items()} == {
        "train": 25,
        "validation": 10,
        "test": 15,
    }
    splits = split(source, source.Options(source="digit_scenes", count=50, validation=0.2, test=0.3))
    for name in SPLITS:
        np.testing.assert_array_equal(splits[name], source.splits[name])
        assert [source.keys[position] for position in splits[name]] == [
            f"digit_scenes/{name}/{index:04d}" for index in range(len(splits[name]))
        ]
    assert sorted(np.concatenate(list(splits.values()))) == list(range(50))
    assert len({source.read(position)["bytes"] for position in range(50)}) == 50


def test_no_test_split_where_none_is_wanted():
    source = opened(MASK, count=20, test=0)
    assert set(source.splits) == {"train", "validation"}
    assert len(split(source, source.Options(source="digit_scenes", count=20, test=0))["test"]) == 0


def test_a_scene_depends_on_seed_split_and_number_alone():
    one, other = opened(MASK, count=20, test=0.2), opened(MASK, count=40, validation=0.3)
    for here, key in reversed(list(enumerate(one.keys))):
        there = other.keys.index(key)
        assert one.read(here) == other.read(there)
        np.testing.assert_array_equal(one.truth(here)["mask"], other.truth(there)["mask"])
    again = opened(MASK, count=20, test=0.2, seed=1)
    assert all(one.read(position) != again.read(position) for position in range(20))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["data.digits=[1, 8]", "data.size=64"], "8 digits do not fit into 64 x 64 pixels, at most 7 do: lower digits"),
        (["data.digits=[5, 2]"], "'data.digits' is [5, 2]: the least, 5, is more than the most, 2"),
        (["data.count=4"], "of 4 scenes a validation share of 0.1 is none: raise count"),
        (["data.count=6", "data.test=0.05"], "of 6 scenes a test share of 0.05 is none: raise count"),
        (["data.count=2", "data.validation=0.5", "data.test=0.4"], "count 2 leaves nothing to train on: raise count"),
        (["data.size=31"], "'data.size' is 31: input should be greater than or equal to 32"),
        (["data.digits=[0, 0]"], "is 0: input should be greater than or equal to 1"),
        (["data.seed=-1"], "'data.seed' is -1"),
        (["data.digit=[1, 2]"], "unknown key 'data.digit': did you mean digits?"),
    ],
)
def test_wrong_options(overrides, told, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("task: classification\ndata: {source: digit_scenes}\n")
    with pytest.raises(InputError) as caught:
        load_recipe(path, overrides)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_scenes_have_no_label():
    with pytest.raises(
        InputError,
        match=r"^data\.source=digit_scenes brings mask, instances, boxes, classes, crowd, difficult, area, and the ",
    ):
        opened({"label": Truth("int32")})


HEAVY = ("tensorflow", "tensorflow_datasets", "keras", "sklearn", "pandas", "PIL", "albumentations")


def test_sources_and_splits_are_light(root):
    program = (
        "import sys, saccade.pipelines.data.splits as _\n"
        "from saccade.pipelines.data.formats import SOURCES, find_source\n"
        "for name in SOURCES: find_source(name).Options\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
