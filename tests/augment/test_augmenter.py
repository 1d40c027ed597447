"""The contract of a call: what comes in stays as it was, what goes out depends on sample and seed alone."""

import pickle

import numpy as np
import pytest
from moving_truth import Augmenter

STEPS = [
    {"HorizontalFlip": {"p": 0.5}},
    "RandomRotate90",
    {
        "OneOf": {
            "transforms": [
                {"Blur": {"blur_limit": [3, 5]}},
                "GaussNoise",
                {"Sequential": {"transforms": ["RandomGamma", "CLAHE"], "p": 1.0}},
            ],
            "p": 0.8,
        }
    },
    {"SomeOf": {"transforms": ["Affine", "ColorJitter", "Posterize"], "n": 2}},
]


def sample(seed=0, height=24, width=32):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (height, width, 3), np.uint8),
        "mask": rng.integers(0, 5, (height, width)).astype(np.int32),
        "boxes": np.array([[2, 3, 20, 15], [8, 8, 30, 22]], np.float32),
        "classes": np.array([4, 1], np.int32),
        "label": np.int32(9),
        "key": np.array("a.png"),
    }


def test_an_empty_list_does_nothing():
    augmenter, given = Augmenter([]), sample()
    assert not augmenter and augmenter.needs == frozenset()
    result = augmenter(given, 5)
    assert result.keys() == given.keys() and all(result[key] is given[key] for key in given)


def test_a_list_with_a_step_is_true():
    assert Augmenter(["HorizontalFlip"])


def test_other_keys_pass_untouched():
    given = sample()
    result = Augmenter(STEPS)(given, 1)
    assert result.keys() == given.keys()
    assert result["label"] is given["label"] and result["key"] is given["key"]


def test_an_image_alone_is_enough():
    result = Augmenter(STEPS)({"image": sample()["image"]}, 1)
    assert list(result) == ["image"] and result["image"].dtype == np.uint8 and result["image"].flags.c_contiguous


def test_an_argument_section_may_be_empty():
    assert Augmenter([{"RandomRotate90": None}, {"HorizontalFlip": {}}])


def test_the_list_given_is_not_kept_nor_changed():
    steps = [{"OneOf": {"transforms": ["Blur"], "p": 1.0}}]
    augmenter = Augmenter(steps)
    assert steps == [{"OneOf": {"transforms": ["Blur"], "p": 1.0}}]
    steps.clear()
    assert pickle.loads(pickle.dumps(augmenter))


def test_the_result_shares_no_memory_with_the_sample():
    given = sample()
    result = Augmenter([{"HorizontalFlip": {"p": 0.0}}])(given, 0)  # nothing happens, and still
    for key in ("image", "mask", "boxes", "classes"):
        np.testing.assert_array_equal(result[key], given[key])
        assert not np.shares_memory(result[key], given[key])


def test_an_image_that_is_a_view_is_fine():
    given = {"image": sample()["image"][::-1, ::2]}
    result = Augmenter([{"VerticalFlip": {"p": 1.0}}])(given, 0)["image"]
    np.testing.assert_array_equal(result, given["image"][::-1])
    assert result.flags.c_contiguous


def test_every_step_draws_its_own_chances():
    """Seeding each transform alike, as albumentations' set_random_seed does, gives two of the four outcomes only."""
    augmenter = Augmenter([{"HorizontalFlip": {"p": 0.5}}, {"VerticalFlip": {"p": 0.5}}])
    image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    outcomes = [int(augmenter({"image": image}, seed)["image"][0, 0, 0]) for seed in range(800)]
    for corner in range(4):  # 800 draws at 1/4: 200, standard deviation 12
        assert 140 < outcomes.count(corner) < 260


def test_nested_steps_draw_their_own_chances_too():
    steps = [{"OneOf": {"transforms": [{"HorizontalFlip": {"p": 1}}, {"VerticalFlip": {"p": 1}}], "p": 0.5}}] * 2
    augmenter = Augmenter(steps)
    image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    outcomes = [int(augmenter({"image": image}, seed)["image"][0, 0, 0]) for seed in range(800)]
    # each of the two does nothing (1/2), flips sideways (1/4) or upside down (1/4): 6/16, 4/16, 4/16, 2/16
    for corner, expected in enumerate((300, 200, 200, 100)):
        assert abs(outcomes.count(corner) - expected) < 60


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (8, 8)], ids=str)
def test_tiny_images(size):
    steps = ["HorizontalFlip", "RandomRotate90", {"Affine": {"rotate": [-20, 20], "p": 1.0}}]
    steps += [{"Blur": {"p": 1.0}}, {"ColorJitter": {"p": 1.0}}, {"RandomResizedCrop": {"size": [5, 4]}}]
    augmenter = Augmenter(steps)
    height, width = size
    given = {
        "image": np.full((height, width, 3), 77, np.uint8),
        "mask": np.zeros(size, np.uint8),
        "boxes": np.array([[0, 0, width, height]], np.float32),
        "classes": np.zeros(1, np.int32),
    }
    for seed in range(20):
        result = augmenter(given, seed)
        assert result["image"].shape == (5, 4, 3) and result["mask"].shape == (5, 4)
        assert len(result["boxes"]) == len(result["classes"]) <= 1
