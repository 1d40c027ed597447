"""The embedded digits are the ones that scikit-learn ships."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats import SOURCES, find_source
from saccade.pipelines.data.source import DataOptions

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


def test_pictures_are_grey_pngs_with_the_full_range(digits):
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
        "csv": "Csv",
        "tfds": "Tfds",
        "coco": "Coco",
        "voc": "Voc",
    }
    with pytest.raises(InputError, match="unknown source 'folders': did you mean folder"):
        find_source("folders")
