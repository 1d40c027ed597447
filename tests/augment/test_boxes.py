"""Boxes stay glued to the pixels of their objects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.augment.augmenter import Augmenter
from saccade.augment.crops import MIN_OVERLAPS, crop_by_overlap

MOVES = {"boxes": "boxes", "classes": "box_field", "crowd": "box_field"}
COLORS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]], np.uint8)
ALIGNED = (
    "HorizontalFlip",
    "VerticalFlip",
    "Transpose",
    "RandomRotate90",
    "D4",
    {"SSDRandomCrop": {"smallest": 0.4}},
    {"RandomSizedBBoxSafeCrop": {"height": 48, "width": 64, "interpolation": 0}},
    {"BBoxSafeRandomCrop": {"erosion_rate": 0.2}},
    {"RandomResizedCrop": {"size": [48, 64], "scale": [0.3, 1.0], "interpolation": 0}},
    {"RandomCrop": {"height": 40, "width": 40}},
    {"PadIfNeeded": {"min_height": 120, "min_width": 120}},
    {"Affine": {"scale": [0.7, 1.3], "translate_percent": [-0.2, 0.2], "interpolation": 0}},
    {"RandomScale": {"scale_limit": [-0.3, 0.3], "interpolation": 0}},
    {"LongestMaxSize": {"max_size": 90, "interpolation": 0}},
)
TURNED = (
    {"Rotate": {"limit": [-30, 30], "interpolation": 0}},
    {"Affine": {"rotate": [-20, 20], "shear": [-10, 10], "interpolation": 0}},
    {"Perspective": {"scale": [0.05, 0.1], "interpolation": 0}},
)


def scene(seed, height=60, width=80):
    """Rectangles that do not cover one another, each in a colour of its own."""
    random = np.random.default_rng(seed)
    image, boxes = np.full((height, width, 3), 40, np.uint8), []
    for left, top in ((0, 0), (40, 0), (0, 30), (40, 30)):
        x, y = left + random.integers(1, 12), top + random.integers(1, 8)
        across, down = random.integers(10, 26), random.integers(8, 20)
        boxes.append((x, y, min(x + across, left + 39), min(y + down, top + 29)))
        x_min, y_min, x_max, y_max = boxes[-1]
        image[y_min:y_max, x_min:x_max] = COLORS[len(boxes) - 1]
    numbers = np.arange(4, dtype=np.int32)
    return {"image": image, "boxes": np.array(boxes, np.float32), "classes": numbers, "crowd": numbers % 2}


def extent(image, color):
    """Of the pixels of a colour: corners, None where there is none."""
    rows, columns = np.nonzero((np.abs(image.astype(int) - color) < 60).all(axis=-1))
    return None if not len(rows) else np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def name_of(step):
    return step if isinstance(step, str) else next(iter(step))


@pytest.mark.parametrize("step", ALIGNED, ids=name_of)
def test_a_box_is_the_extent_of_its_pixels(step):
    step = {step: {"p": 1.0}} if isinstance(step, str) else {name_of(step): step[name_of(step)] | {"p": 1.0}}
    augmenter, seen = Augmenter([step], MOVES), 0
    for seed in range(25):
        before = scene(seed)
        after = augmenter(before, seed)
        assert len(after["boxes"]) == len(after["classes"]) == len(after["crowd"])
        np.testing.assert_array_equal(after["crowd"], after["classes"] % 2)
        for box, kind in zip(after["boxes"], after["classes"], strict=True):
            np.testing.assert_allclose(box, extent(after["image"], COLORS[kind]), atol=1.01)
            seen += 1
    assert seen > 20


@pytest.mark.parametrize("step", TURNED, ids=name_of)
def test_a_turned_box_holds_its_pixels(step):
    augmenter = Augmenter([{name_of(step): step[name_of(step)] | {"p": 1.0}}], MOVES)
    for seed in range(25):
        after = augmenter(scene(seed), seed)
        for box, kind in zip(after["boxes"], after["classes"], strict=True):
            found = extent(after["image"], COLORS[kind])
            assert (box[:2] <= found[:2] + 1).all() and (box[2:] >= found[2:] - 1).all()


def test_a_box_of_which_hardly_anything_is_seen_goes():
    """A crop of the left 20 pixels: of the first box 9 tenths are seen, a twentieth of the second, the third not."""
    boxes = np.array([[2, 0, 22, 20], [19, 0, 39, 20], [30, 0, 40, 20]], np.float32)
    sample = {"image": np.zeros((20, 40, 3), np.uint8), "boxes": boxes, "classes": np.arange(3, dtype=np.int32)}
    crop = {"Crop": {"x_min": 0, "y_min": 0, "x_max": 20, "y_max": 20, "p": 1.0}}
    after = Augmenter([crop], {"boxes": "boxes", "classes": "box_field"})(sample, 0)
    assert after["boxes"].tolist() == [[2, 0, 20, 20]] and after["classes"].tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_crop_of_ssd_keeps_its_rules(seed):
    boxes, random = scene(seed)["boxes"].astype(float), np.random.default_rng(seed)
    left, top, right, bottom = crop_by_overlap(boxes, (60, 80), random)
    assert 0 <= left < right <= 80 and 0 <= top < bottom <= 60
    if (left, top, right, bottom) == (0, 0, 80, 60):
        return
    assert 0.5 <= (bottom - top) / (right - left) <= 2
    assert right - left >= 0.29 * 80 and bottom - top >= 0.29 * 60
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((centres >= [left, top]) & (centres < [right, bottom])).all(axis=1).any()


def test_every_overlap_is_drawn_and_so_is_the_whole_image():
    boxes, random = np.array([[10, 10, 60, 50]], float), np.random.default_rng(0)
    found = [crop_by_overlap(boxes, (60, 80), random) for _ in range(400)]
    whole = sum(each == (0, 0, 80, 60) for each in found)
    assert 400 / (len(MIN_OVERLAPS) + 1) * 0.5 < whole < 400 * 0.6
    overlaps = []
    for left, top, right, bottom in found:
        shared = max(0, min(right, 60) - max(left, 10)) * max(0, min(bottom, 50) - max(top, 10))
        overlaps.append(shared / (2000 + (right - left) * (bottom - top) - shared))
    assert min(overlaps) < 0.3 and max(overlaps) > 0.85


def test_without_boxes_the_image_stays_whole():
    assert crop_by_overlap(np.zeros((0, 4)), (60, 80), np.random.default_rng(0)) == (0, 0, 80, 60)
    sample = (
        scene(0) | {"boxes": np.zeros((0, 4), np.float32)} | dict.fromkeys(("classes", "crowd"), np.zeros(0, np.int32))
    )
    after = Augmenter([{"SSDRandomCrop": {"p": 1.0}}], MOVES)(sample, 0)
    assert after["image"].shape == (60, 80, 3) and after["boxes"].shape == (0, 4)


def test_mosaic_takes_the_boxes_of_others_along():
    augmenter = Augmenter([{"Mosaic": {"target_size": [80, 80], "cell_shape": [60, 80], "p": 1.0}}], MOVES)
    others = [scene(seed, height=60 + 20 * seed) for seed in (1, 2, 3)]
    after = augmenter(scene(0), 0, others)
    assert after["image"].shape == (80, 80, 3) and len(after["boxes"]) > 2
    assert len(after["boxes"]) == len(after["classes"]) == len(after["crowd"])
    np.testing.assert_array_equal(after["crowd"], after["classes"] % 2)
    again = augmenter(scene(0), 0, others)
    assert all(np.array_equal(after[name], again[name]) for name in after)
    assert not np.array_equal(after["image"], augmenter(scene(0), 1, others)["image"])
    for x_min, y_min, x_max, y_max in after["boxes"]:  # what a box holds is mostly of its colour
        part = after["image"][round(y_min) : round(y_max), round(x_min) : round(x_max)].reshape(-1, 3).astype(int)
        assert max((np.abs(part - color) < 60).all(axis=1).mean() for color in COLORS) > 0.7
