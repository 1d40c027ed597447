"""Class weights of pixels against scikit-learn; what cannot be learnt from is refused, in one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from saccade.models.errors import InputError, RecipeError
from saccade.models.segmentation.class_weights import class_weights, refuse_background
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

NAMES = ("background", "cell", "rim")


class Read:
    """Truth that is read when it is asked for, and notes it; an error stands for a mask that cannot be read."""

    def __init__(self, masks):
        self.masks, self.asked = masks, []

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, index):
        self.asked.append(index)
        if isinstance(self.masks[index], Exception):
            raise self.masks[index]
        return {"mask": np.array(self.masks[index], np.uint8)}


def weights(given, masks, names=NAMES):
    return class_weights(SegmentationOptions(class_weights=given), names, Read(masks))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
def test_balanced_weights_are_those_of_scikit_learn(seed, count):
    generator = np.random.default_rng(seed)
    masks = [generator.choice([0, 0, 0, 1, 2, 255], tuple(generator.integers(1, 9, 2))) for _ in range(count)]
    masks.append(np.array([[0, 1, 2]]))
    pixels = np.concatenate([mask.ravel() for mask in masks])
    pixels = pixels[pixels != 255]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=pixels)
    found = weights("balanced", masks)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32 and np.mean(found[pixels]) == pytest.approx(1, rel=1e-5)


def test_logarithmic_weights_are_bounded_and_need_no_pixel_of_each_class():
    found = weights("logarithmic", [[[0] * 9 + [1, 255]]])
    np.testing.assert_allclose(found, [1 / np.log(1.92), 1 / np.log(1.12), 1 / np.log(1.02)], rtol=1e-6)
    with pytest.raises(InputError, match="none of the 1 training masks has a pixel of any class but 'background'"):
        weights("logarithmic", [[[0, 255]]])


def test_named_weights_are_taken_as_they_are_and_need_no_truth():
    truths = Read([])
    options = SegmentationOptions(class_weights={"rim": 4.0, "background": 0.5})
    np.testing.assert_array_equal(class_weights(options, NAMES, truths), np.array([0.5, 1, 4], np.float32))
    assert class_weights(SegmentationOptions(), NAMES, truths) is None


def test_truth_is_read_until_there_is_something():
    truths = Read([[[0, 255]], [[0, 0]], [[0, 2]], [[1, 1]], [[1, 0]]])
    refuse_background(NAMES, truths)
    assert truths.asked == [0, 1, 2]


BLANK = (
    "none of the 2 training masks has a pixel of any class but 'background', so there is nothing to learn: look at "
    "the masks, and at how the data section reads 'cell', 'rim' from them"
)


@pytest.mark.parametrize("masks", [[[[0, 0]], [[0]]], [[[0, 255]], [[255]]]])
def test_all_background_is_refused(masks):
    for check in (lambda: refuse_background(NAMES, Read(masks)), lambda: weights("balanced", masks)):
        with pytest.raises(InputError) as caught:
            check()
        assert str(caught.value) == BLANK


MANY = ("background", *(f"c{number}" for number in range(1, 9)))


@pytest.mark.parametrize(
    ("given", "names", "message"),
    [
        ({"celll": 2.0}, NAMES, "model.class_weights: the data has no class 'celll': did you mean cell?"),
        (
            "balanced",
            ("background", "cell", "rim", "hole"),
            "model.class_weights: no training mask has a pixel of 'cell', 'hole', so there is nothing to balance: "
            "name the weights of others, as 'model.class_weights={rim: 2.0}'",
        ),
        (
            "balanced",
            MANY,
            "model.class_weights: no training mask has a pixel of 'c1', 'c3', 'c4', 'c5', 'c6' and of 2 other classes, "
            "so there is nothing to balance: name the weights of others, as 'model.class_weights={c2: 2.0}'",
        ),
    ],
)
def test_wrong_weights(given, names, message):
    with pytest.raises(InputError) as caught:
        weights(given, [[[0, 2]], [[2, 255]]], names)
    assert str(caught.value) == message


@pytest.mark.parametrize("error", [InputError("mask 3 x 2, its image 4 x 2"), OSError("no such file")])
def test_masks_that_cannot_be_read_are_left_to_the_check_of_all_data(error):
    masks = [error, [[0, 1]], error, [[2, 2]]]
    refuse_background(NAMES, Read(masks))
    np.testing.assert_allclose(weights("balanced", masks), [4 / 3, 4 / 3, 2 / 3])
    for check in (lambda: refuse_background(NAMES, Read([error] * 3)), lambda: weights("balanced", [error] * 3)):
        with pytest.raises(InputError, match=f"^none of the 3 training masks can be used; of the first: {error}$"):
            check()


def test_masks_with_ids_beyond_the_classes_do_not_weigh():
    wrong = [[0, 1, 2, 7, 200]]
    np.testing.assert_allclose(weights("balanced", [wrong, [[0, 0, 1, 2]]]), [2 / 3, 4 / 3, 4 / 3])
    with pytest.raises(InputError) as caught:
        weights("balanced", [[[0, 1]], wrong, [[0, 0]]])
    assert str(caught.value).startswith("model.class_weights: no training mask has a pixel of 'rim', so there is")
    assert "; 1 of the 3 cannot be used, first: mask has values that are none of its 3 classes, 0 to 2: 7" in str(
        caught.value
    )


def test_a_wrong_recipe_is_no_wrong_mask():
    with pytest.raises(RecipeError, match="^name the classes$"):
        weights("balanced", [[[0, 1]], RecipeError("name the classes")])


@pytest.mark.parametrize(
    ("given", "expected"), [("none", None), ("balanced", [2 / 3, 4 / 3, 4 / 3]), ({"cell": 2.0}, [1, 2, 1])]
)
def test_the_task_observes_its_training_truth(given, expected):
    task = Segmentation(NAMES, SegmentationOptions(class_weights=given), SegmentationInput())
    task.adapt(Read([[[0, 0]], [[1, 2]]]))
    if expected is None:
        assert task._class_weights is None
    else:
        np.testing.assert_allclose(task._class_weights, expected, rtol=1e-6)
    with pytest.raises(InputError, match="^none of the 1 training masks has a pixel of any class but 'background'"):
        task.adapt(Read([[[0, 255]]]))
