"""Mask and boxes follow the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from moving_truth import Augmenter

# What each does to an array, and to x_min, y_min, x_max, y_max in an image of w x h.
EXACT = {
    "HorizontalFlip": (np.fliplr, lambda x0, y0, x1, y1, w, h: (w - x1, y0, w - x0, y1)),
    "VerticalFlip": (np.flipud, lambda x0, y0, x1, y1, w, h: (x0, h - y1, x1, h - y0)),
    "Transpose": (lambda a: np.swapaxes(a, 0, 1), lambda x0, y0, x1, y1, w, h: (y0, x0, y1, x1)),
}
AUGMENTERS = {name: Augmenter([{name: {"p": 1.0}}]) for name in EXACT}


@st.composite
def samples(draw, most=20):
    """An image from 1 x 1 on, with a mask and boxes on quarters of a pixel, at least one pixel wide and high."""
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    image = draw(arrays(np.uint8, (height, width, 3)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]))
    mask = draw(arrays(dtype, (height, width), elements=st.integers(0, 255)))
    boxes = []
    for _ in range(draw(st.integers(0, 4))):
        x0, y0 = draw(st.integers(0, 4 * width - 4)), draw(st.integers(0, 4 * height - 4))
        boxes.append([x0, y0, draw(st.integers(x0 + 4, 4 * width)), draw(st.integers(y0 + 4, 4 * height))])
    boxes = np.array(boxes, np.float32).reshape(-1, 4) / 4
    return {"image": image, "mask": mask, "boxes": boxes, "classes": np.arange(len(boxes), dtype=np.int32)}


@pytest.mark.parametrize("name", EXACT)
@settings(deadline=None, max_examples=60)
@given(sample=samples())
def test_flips_are_those_of_numpy(name, sample):
    move, move_box = EXACT[name]
    height, width = sample["mask"].shape
    result = AUGMENTERS[name](sample, 0)
    np.testing.assert_array_equal(result["image"], move(sample["image"]))
    np.testing.assert_array_equal(result["mask"], move(sample["mask"]))
    assert result["mask"].dtype == sample["mask"].dtype
    expected = np.array([move_box(*box, width, height) for box in sample["boxes"]], np.float32).reshape(-1, 4)
    np.testing.assert_array_equal(result["boxes"], expected)
    np.testing.assert_array_equal(result["classes"], sample["classes"])
    assert result["boxes"].dtype == np.float32 and result["classes"].dtype == np.int32


def marked(seed, height=60, width=80):
    """An image whose mask shows exactly the pixels of its one box."""
    rng = np.random.default_rng(seed)
    x0, y0 = int(rng.integers(0, 50)), int(rng.integers(0, 35))
    x1, y1 = x0 + int(rng.integers(8, 30)), y0 + int(rng.integers(8, 25))
    mask = np.zeros((height, width), np.int32)
    mask[y0:y1, x0:x1] = 1
    return {
        "image": np.repeat(mask[..., None] * 200, 3, axis=2).astype(np.uint8),
        "mask": mask,
        "boxes": np.array([[x0, y0, x1, y1]], np.float32),
        "classes": np.array([7], np.int32),
    }


def extent(mask):
    ys, xs = np.nonzero(mask == 1)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) if len(xs) else None


WHOLE_PIXELS = [
    "RandomRotate90",
    "D4",
    {"RandomCrop": {"height": 30, "width": 30}},
    {"CenterCrop": {"height": 90, "width": 40, "pad_if_needed": True}},
    {"PadIfNeeded": {"min_height": 100, "min_width": 100, "position": "random"}},
    {"CropAndPad": {"px": [-9, 9], "keep_size": False}},
    {"RandomCropFromBorders": {}},
]


@pytest.mark.parametrize("step", WHOLE_PIXELS, ids=str)
def test_a_box_is_the_extent_of_its_mask(step):
    augmenter, lost = Augmenter([step]), 0
    for seed in range(60):
        given = marked(seed)
        result = augmenter(given, seed)
        np.testing.assert_array_equal(result["image"][..., 0] == 200, result["mask"] == 1)
        expected = extent(result["mask"])
        visible = (result["mask"] == 1).sum() / (given["mask"] == 1).sum()
        if expected is None or visible < 0.1:
            lost += 1
            assert result["boxes"].shape == (0, 4) and result["classes"].shape == (0,)
            assert result["boxes"].dtype == np.float32 and result["classes"].dtype == np.int32
        else:
            np.testing.assert_allclose(result["boxes"], [expected], atol=1e-4)
            assert result["classes"].tolist() == [7]
    assert lost == 0 or "RandomCrop" in step or "CenterCrop" in step


INTERPOLATED = [
    {"Affine": {"scale": [0.7, 1.3], "translate_percent": [-0.1, 0.1], "p": 1.0}},
    {"Rotate": {"limit": 3, "p": 1.0}},
    {"RandomScale": {"p": 1.0}},
    {"RandomResizedCrop": {"size": [50, 40], "scale": [0.5, 1.0]}},
    {"LongestMaxSize": {"max_size": 50}},
    {"Perspective": {"p": 1.0}},
    {"ElasticTransform": {"p": 1.0}},
]


@pytest.mark.parametrize("step", INTERPOLATED, ids=str)
def test_a_box_stays_round_its_mask_and_the_mask_keeps_its_values(step):
    augmenter = Augmenter([step])
    for seed in range(30):
        result = augmenter(marked(seed), seed)
        assert set(np.unique(result["mask"])) <= {0, 1, 255}
        expected = extent(result["mask"])
        if expected is not None and len(result["boxes"]):
            np.testing.assert_allclose(result["boxes"][0], expected, atol=3)


@pytest.mark.parametrize(
    "step",
    [
        {"Affine": {"translate_px": {"x": 20, "y": 0}, "p": 1.0}},
        {"Rotate": {"limit": [45, 45], "p": 1.0}},
        {"SafeRotate": {"limit": [30, 30], "p": 1.0}},
        {"PadIfNeeded": {"min_height": 90, "min_width": 90}},
        {"Pad": {"padding": 5}},
        {"CropAndPad": {"px": 4}},
        {"RandomCrop": {"height": 90, "width": 90, "pad_if_needed": True}},
        {"Perspective": {"p": 1.0, "fit_output": True}},
    ],
    ids=str,
)
def test_what_comes_in_over_the_border_is_ignored(step):
    sample = {"image": np.full((60, 80, 3), 90, np.uint8), "mask": np.full((60, 80), 4, np.uint8)}
    result = Augmenter([step])(sample, 1)
    outside = result["image"][..., 0] == 0
    assert outside.any()
    assert (result["mask"][outside] == 255).all()
    # next to the edge the image is mixed and the mask is not
    assert (result["mask"][result["image"][..., 0] == 90] == 4).mean() > 0.98


def test_a_step_may_choose_another_fill():
    result = Augmenter([{"Pad": {"padding": 1, "fill_mask": 3}}])(
        {"image": np.zeros((2, 2, 3), np.uint8), "mask": np.ones((2, 2), np.uint8)}, 0
    )
    np.testing.assert_array_equal(result["mask"], [[3, 3, 3, 3], [3, 1, 1, 3], [3, 1, 1, 3], [3, 3, 3, 3]])


def test_interpolation_of_the_mask_cannot_be_chosen():
    step = {"Affine": {"scale": 1.7, "mask_interpolation": 1, "p": 1.0}}
    mask = np.arange(60, dtype=np.uint8).reshape(6, 10) % 2 * 200
    result = Augmenter([step])({"image": np.zeros((6, 10, 3), np.uint8), "mask": mask}, 0)
    assert set(np.unique(result["mask"])) <= {0, 200, 255}


def test_boxes_are_cut_at_the_border_and_dropped_with_their_classes():
    sample = {
        "image": np.zeros((10, 10, 3), np.uint8),
        "boxes": np.array([[0, 0, 3, 3], [1, 1, 9, 9], [4, 4, 6, 6], [7, 7, 9, 9], [3.7, 4, 4.1, 6]], np.float32),
        "classes": np.array([10, 11, 12, 13, 14], np.int32),
    }
    result = Augmenter([{"Crop": {"x_min": 4, "y_min": 4, "x_max": 8, "y_max": 7}}])(sample, 0)
    # of the last one 0.1 pixels are left, of the fourth and the first nothing
    np.testing.assert_allclose(result["boxes"], [[0, 0, 4, 3], [0, 0, 2, 2]], atol=1e-5)
    assert result["classes"].tolist() == [11, 12]


@pytest.mark.parametrize("classes", [None, np.zeros(0, np.int32)])
def test_no_boxes_at_all(classes):
    sample = {"image": np.zeros((5, 5, 3), np.uint8), "boxes": np.zeros((0, 4), np.float32)}
    if classes is not None:
        sample["classes"] = classes
    steps = [
        "HorizontalFlip",
        {"CoarseDropout": {"p": 1.0}},
        {"Affine": {"rotate": 20, "p": 1.0}},
        "BBoxSafeRandomCrop",
    ]
    result = Augmenter(steps)(sample, 3)
    assert result["boxes"].shape == (0, 4) and result["boxes"].dtype == np.float32
    assert result.keys() == sample.keys()
