"""Random erasing (Zhong et al. 2020): albumentations' Erasing, under the paper's name too."""

import numpy as np
import pytest
from moving_truth import Augmenter

from saccade.augment import AugmentError


def erased(name="RandomErasing", seed=0, **arguments):
    image = np.full((60, 80, 3), 200, np.uint8)
    mask = np.arange(60 * 80, dtype=np.uint8).reshape(60, 80) % 7
    boxes = np.array([[10, 10, 30, 30], [40, 20, 70, 50]], np.float32)
    sample = {"image": image, "mask": mask, "boxes": boxes, "classes": np.array([1, 2], np.int32)}
    return sample, Augmenter([{name: {"p": 1.0, **arguments}}])(sample, seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_rectangle_of_the_stated_area_is_erased(seed):
    _, result = erased(seed=seed, scale=[0.1, 0.2])
    hole = (result["image"] == 0).all(axis=-1)
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    assert hole.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert 0.09 < hole.mean() < 0.21
    assert (result["image"][~hole] == 200).all()


def test_both_names_are_the_same():
    for seed in range(4):
        np.testing.assert_array_equal(erased(seed=seed)[1]["image"], erased("Erasing", seed)[1]["image"])


def test_the_truth_beneath_stays_unless_the_recipe_says_otherwise():
    given, kept = erased(scale=[0.2, 0.22])
    np.testing.assert_array_equal(kept["mask"], given["mask"])
    _, ignored = erased(scale=[0.2, 0.22], fill_mask=255)
    np.testing.assert_array_equal(ignored["mask"] == 255, (ignored["image"] == 0).all(axis=-1))


@pytest.mark.parametrize("seed", range(12))
def test_boxes_shrink_to_what_can_be_seen_and_vanish_when_nothing_can(seed):
    given, result = erased(seed=seed, scale=[0.15, 0.22])
    seen = (result["image"] != 0).any(axis=-1)
    expected = {}
    for box, label in zip(given["boxes"].astype(int), given["classes"], strict=True):
        inside = seen[box[1] : box[3], box[0] : box[2]]
        if inside.any():
            rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
            corner = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            expected[int(label)] = np.add(corner, [box[0], box[1]] * 2)
    assert result["classes"].tolist() == list(expected)
    for box, label in zip(result["boxes"], result["classes"], strict=True):
        np.testing.assert_allclose(box, expected[int(label)], atol=1e-3)


@pytest.mark.parametrize("name", ["Erasing", "RandomErasing"])
def test_an_image_in_which_no_rectangle_fits_stays_as_it_is(name):
    """Albumentations' own fails on it."""
    image = np.full((10, 200, 3), 200, np.uint8)
    sample = {"image": image, "boxes": np.array([[5, 2, 50, 8]], np.float32)}
    result = Augmenter([{name: {"p": 1.0}}])(sample, 0)
    np.testing.assert_array_equal(result["image"], image)
    np.testing.assert_allclose(result["boxes"], sample["boxes"], atol=1e-3)


def test_a_near_name_is_hinted():
    with pytest.raises(AugmentError, match="unknown transform 'RandomErase': did you mean RandomErasing"):
        Augmenter(["RandomErase"])
