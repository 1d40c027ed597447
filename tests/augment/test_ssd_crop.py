"""SSDRandomCrop by the rule of its paper (Liu et al. 2016, section 2.2)."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_truth import Augmenter

from saccade.augment import AugmentError
from saccade.augment.crops import ssd_patch

MIN_IOU = (0.1, 0.3, 0.5, 0.7, 0.9)


def patch(boxes, size, seed, min_iou=MIN_IOU, scale=(0.1, 1.0), ratio=(0.5, 2.0)):
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return ssd_patch(boxes, size, min_iou, scale, ratio, np.random.default_rng(seed))


def overlap(box, other):
    """Intersection over union, one box at a time."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (sum((each[2] - each[0]) * (each[3] - each[1]) for each in (box, other)) - shared)


def keeps(box, place):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return place[0] <= x < place[2] and place[1] <= y < place[3]


@st.composite
def objects(draw):
    height, width = draw(st.integers(8, 200)), draw(st.integers(8, 200))
    boxes = []
    for _ in range(draw(st.integers(0, 5))):
        x, y = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
        boxes.append([x, y, draw(st.integers(x + 1, width)), draw(st.integers(y + 1, height))])
    return boxes, (height, width)


@settings(max_examples=300, deadline=None)
@given(objects(), st.integers(0, 2**32 - 1), st.sampled_from([(), (0.1,), (0.3, 0.5), (0.9,), MIN_IOU]))
def test_a_patch_keeps_the_rule(drawn, seed, min_iou):
    boxes, (height, width) = drawn
    place = patch(boxes, (height, width), seed, min_iou)
    x_min, y_min, x_max, y_max = place
    assert 0 <= x_min < x_max <= width and 0 <= y_min < y_max <= height
    if place == (0, 0, width, height):
        return
    sides = np.array([x_max - x_min, y_max - y_min])
    low, high = (sides - 0.5).clip(0.01), sides + 0.5  # they were rounded
    assert high.prod() >= 0.1 * height * width and low.prod() <= height * width
    assert high[0] / low[1] >= 0.5 and low[0] / high[1] <= 2
    assert not boxes or any(keeps(box, place) for box in boxes)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(MIN_IOU[:3]))
def test_a_kept_object_overlaps_by_what_is_asked_for(seed, least):
    """The choices are the whole image, any patch and this overlap, tried in the order of the generator's first draw."""
    boxes, size = [[10, 10, 110, 110], [115, 0, 160, 50]], (120, 160)  # what is asked for is easily found
    generator = np.random.default_rng(seed)
    first = np.random.default_rng(seed).permutation([-1.0, 0.0, least])[0]
    place = ssd_patch(np.array(boxes, float), size, (least,), (0.1, 1.0), (0.5, 2.0), generator)
    if first == -1:
        assert place == (0, 0, 160, 120)
    elif first == least:
        assert max(overlap(box, place) for box in boxes if keeps(box, place)) >= least


def test_the_choices_are_alike():
    """One object of a quarter of the image: every overlap can be had, so the whole image is one choice of seven."""
    boxes, size = [[50, 50, 150, 150]], (200, 200)
    found = [patch(boxes, size, seed, (0.1, 0.2, 0.3, 0.4, 0.5)) for seed in range(2000)]
    whole = Counter(place == (0, 0, 200, 200) for place in found)[True]
    assert abs(whole / 2000 - 1 / 7) < 4 * np.sqrt(1 / 7 * 6 / 7 / 2000)
    overlaps = np.array([overlap(boxes[0], place) for place in found if place != (0, 0, 200, 200)])
    # the shares of patches from 0.5 on: by choice of 0.5 all, of the others only some
    assert (overlaps >= 0.5).mean() > 1 / 6 and (overlaps < 0.3).any()
    middles = np.array([[place[0] + place[2], place[1] + place[3]] for place in found]) / 2
    np.testing.assert_allclose(middles.mean(axis=0), 100, atol=3)  # no side is favoured


def test_an_overlap_that_cannot_be_had_gives_way():
    """A patch has at least a tenth of the image, so none overlaps an object of 4 x 4 pixels by 0.9."""
    places = {patch([[50, 50, 54, 54]], (100, 100), seed, (0.9,)) for seed in range(200)}
    assert (0, 0, 100, 100) in places and len(places) > 20


def test_a_long_image_has_no_patch_as_large_as_itself():
    assert patch([[0, 0, 300, 10]], (10, 300), 1, (), scale=(0.9, 1.0)) == (0, 0, 300, 10)


@pytest.mark.parametrize("seed", range(30))
def test_boxes_are_kept_by_their_centre_and_cut_at_the_patch(seed):
    random = np.random.default_rng(seed)
    low = random.integers(0, [100, 60], (6, 2))
    boxes = np.concatenate([low, low + random.integers(8, 40, (6, 2))], axis=1).clip(0, [120, 80] * 2)
    rows, columns = np.mgrid[:80, :120]
    image = np.stack([rows, columns, np.full_like(rows, 7)], axis=-1).astype(np.uint8)
    sample = {"image": image, "boxes": boxes.astype(np.float32), "classes": np.arange(6, dtype=np.int32)}
    result = Augmenter(["SSDRandomCrop"])(sample, seed)
    (y_min, x_min), (y_max, x_max) = result["image"][0, 0, :2], result["image"][-1, -1, :2].astype(int) + 1
    place = np.array([x_min, y_min, x_max, y_max], int)
    np.testing.assert_array_equal(result["image"], image[y_min:y_max, x_min:x_max])
    kept = [number for number, box in enumerate(boxes) if keeps(box, place)]
    assert result["classes"].tolist() == kept and kept
    expected = boxes[kept].clip(place[[0, 1, 0, 1]], place[[2, 3, 2, 3]]) - place[[0, 1, 0, 1]]
    np.testing.assert_allclose(result["boxes"], expected, atol=1e-3)


def test_an_image_without_objects_stays_whole():
    sample = {"image": np.zeros((60, 90, 3), np.uint8), "boxes": np.zeros((0, 4), np.float32)}
    for seed in range(20):
        result = Augmenter(["SSDRandomCrop"])(sample, seed)
        assert result["image"].shape == (60, 90, 3) and result["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": [0.5, 0.2]}, r"scale=\[0.5, 0.2\]: the first is greater than the second"),
        ({"scale": [0, 1]}, r"scale=\[0, 1\]: Input should be greater than 0"),
        ({"scale": [0.5, 1.5]}, r"scale=\[0.5, 1.5\]: Input should be less than or equal to 1"),
        ({"ratio": [2, 0.5]}, r"ratio=\[2, 0.5\]: the first is greater than the second"),
        ({"min_iou": [1.5]}, r"min_iou=\[1.5\]: Input should be less than or equal to 1"),
        ({"min_overlap": 0.5}, "unknown argument 'min_overlap'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(AugmentError, match=r"^augment\[0\]: SSDRandomCrop: " + message):
        Augmenter([{"SSDRandomCrop": arguments}])


def test_it_needs_boxes():
    with pytest.raises(AugmentError, match=r"augment\[0\]: SSDRandomCrop needs 'boxes'"):
        Augmenter(["SSDRandomCrop"])({"image": np.zeros((9, 9, 3), np.uint8)}, 0)
