"""The image with its caption strip."""

import numpy as np
import pytest
from PIL import ImageFont

from saccade.models import find_task
from saccade.models.classification.drawing import captions
from saccade.models.metrics.plots import MIN_WIDTH, PLAIN, RIGHT, WRONG, Caption, _fitted

TASK = find_task("classification")
NAMES = ("rose", "tulip", "x" * 200)
RESULTS = {"class": b"rose", "class_id": np.int32(0), "score": np.float32(0.984), "probabilities": np.zeros(3)}
SEVERAL = {"classes": np.array([b"rose"]), "present": np.array([True, True, False]), "probabilities": [0.9, 0.55, 0.1]}


def task(**options):
    return TASK(NAMES, TASK.ModelOptions(**options), TASK.Input.Options())


def test_captions_say_what_was_said_and_what_is_true():
    assert captions(NAMES, RESULTS, None) == [Caption("rose", " 0.98", PLAIN)]
    assert captions(NAMES, RESULTS, {"label": np.int32(0)})[1] == Caption("is rose", "", RIGHT)
    assert captions(NAMES, RESULTS, {"label": np.int32(1)})[1] == Caption("is tulip", "", WRONG)
    assert captions(NAMES, None, {"label": 1}) == [Caption("is tulip", "", PLAIN)]
    assert captions(NAMES, SEVERAL, {"labels": np.array([1.0, 0.0, 0.0])}) == [
        Caption("rose 0.90, tulip 0.55", "", PLAIN),
        Caption("is rose", "", WRONG),
    ]
    assert captions(NAMES, SEVERAL, {"labels": np.array([1.0, 1.0, 0.0])})[1].color == RIGHT


def test_in_words():
    assert task().summary(RESULTS) == "rose 0.98"
    assert task().summary({"label": np.int32(1)}) == "tulip"
    assert task().summary(SEVERAL) == "rose 0.90, tulip 0.55"
    assert task().summary({"labels": np.zeros(3)}) == "no label"


@pytest.mark.parametrize(("height", "width"), [(8, 8), (300, 200), (1, 1), (2000, 3), (1500, 4000)])
def test_the_image_stands_unchanged_over_the_strip(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    drawn = task().draw(image, RESULTS, {"label": 1})
    assert drawn.dtype == np.uint8 and drawn.shape[1] >= MIN_WIDTH
    factor = max(1, min(-(-MIN_WIDTH // width), 1024 // height))
    left = (drawn.shape[1] - width * factor) // 2
    upper = drawn[: height * factor : factor, left : left + width * factor : factor]
    np.testing.assert_array_equal(upper, image)
    strip = drawn[height * factor :]
    assert (strip == WRONG).all(axis=-1).any() and (strip == PLAIN).all(axis=-1).any()


def test_without_anything_known_there_is_no_strip():
    assert task().draw(np.zeros((200, 300, 3), np.uint8), None).shape == (200, 300, 3)


def test_long_names_are_cut_and_keep_their_score():
    font = ImageFont.load_default(13)
    fitted = _fitted(Caption(NAMES[2], " 0.98", PLAIN), font, 150)
    assert fitted.startswith("xxx") and fitted.endswith("... 0.98") and font.getlength(fitted) <= 150
    assert _fitted(Caption("rose", " 0.98", PLAIN), font, 150) == "rose 0.98"
