"""Boxes stay where their pixels are: each object has a colour of its own, and its box is compared with that colour."""

import numpy as np
import pytest
from moving_truth import Augmenter

from saccade.augment import AugmentError

HEIGHT, WIDTH = 90, 120
COLOURS = np.array([[250, 20, 20], [20, 250, 20], [20, 20, 250], [250, 250, 20], [20, 250, 250]], np.uint8)


def scene(seed, height=HEIGHT, width=WIDTH, colours=COLOURS):
    """One to three rectangles that do not overlap, each in its colour, on black; classes are rows of the colours."""
    random = np.random.default_rng(seed)
    image, boxes, taken = np.zeros((height, width, 3), np.uint8), [], np.zeros((height, width), bool)
    for _ in range(random.integers(1, 4)):
        sides = random.integers(5, (width // 3, height // 3))
        low = random.integers(0, np.array([width, height]) - sides + 1)
        (x_min, y_min), (x_max, y_max) = low, low + sides
        if not taken[y_min:y_max, x_min:x_max].any():
            taken[y_min:y_max, x_min:x_max] = True
            image[y_min:y_max, x_min:x_max] = colours[len(boxes)]
            boxes.append([x_min, y_min, x_max, y_max])
    boxes = np.array(boxes, np.float32)
    return {"image": image, "boxes": boxes, "classes": np.arange(len(boxes), dtype=np.int32)}


def pixels_of(image, colour):
    """Where a colour is: its extent, or None, and how many pixels have it."""
    rows, columns = np.nonzero((image == colour).all(axis=-1))
    if not len(rows):
        return None, 0
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]), len(rows)


NEAREST = {"interpolation": 0, "p": 1.0}  # no colour is mixed with another
WHOLE_PIXELS = [
    {"HorizontalFlip": {"p": 1.0}},
    {"VerticalFlip": {"p": 1.0}},
    {"Transpose": {"p": 1.0}},
    "RandomRotate90",
    "D4",
    "SquareSymmetry",
    {"Crop": {"x_min": 20, "y_min": 10, "x_max": 80, "y_max": 70}},
    {"CenterCrop": {"height": 60, "width": 70}},
    {"RandomCrop": {"height": 50, "width": 60}},
    {"RandomCrop": {"height": 40, "width": 150, "pad_if_needed": True}},
    {"RandomCropFromBorders": {"crop_left": 0.4, "crop_right": 0.4, "crop_top": 0.4, "crop_bottom": 0.4}},
    {"CropAndPad": {"px": [-25, 25], "keep_size": False}},
    {"CropAndPad": {"percent": [0.0, 1.0], "keep_size": False}},
    {"Pad": {"padding": [3, 5, 7, 11]}},
    {"PadIfNeeded": {"min_height": 130, "min_width": 125, "position": "random"}},
    {"Affine": {"translate_px": {"x": [-50, 50], "y": [-40, 40]}, **NEAREST}},
    {"AtLeastOneBBoxRandomCrop": {"height": 40, "width": 50}},
]
RESIZED = [
    {"Resize": {"height": 70, "width": 200, **NEAREST}},
    {"RandomScale": {"scale_limit": 0.5, **NEAREST}},
    {"LongestMaxSize": {"max_size": 77, **NEAREST}},
    {"SmallestMaxSize": {"max_size": 133, **NEAREST}},
    {"Affine": {"scale": [0.6, 1.5], "translate_percent": [-0.2, 0.2], **NEAREST}},
    {"Affine": {"scale": {"x": [0.6, 1.5], "y": [0.6, 1.5]}, "fit_output": True, **NEAREST}},
    {"CropAndPad": {"percent": [-0.2, 0.2], **NEAREST}},
    {"RandomResizedCrop": {"size": [80, 100], "scale": [0.2, 1.0], **NEAREST}},
    {"RandomSizedCrop": {"min_max_height": [40, 80], "size": [64, 96], **NEAREST}},
    {"RandomSizedBBoxSafeCrop": {"height": 100, "width": 110, "erosion_rate": 0.3, **NEAREST}},
    {"RandomSizedBBoxSafeCrop": {"height": 100, "width": 110, **NEAREST}},
    "BBoxSafeRandomCrop",
]


@pytest.mark.parametrize("step", WHOLE_PIXELS, ids=str)
def test_a_box_is_the_extent_of_its_pixels_from_a_tenth_on(step):
    augmenter, dropped, cut = Augmenter([step]), 0, 0
    for seed in range(80):
        given = scene(seed)
        result = augmenter(given, seed)
        found = dict(zip(result["classes"].tolist(), result["boxes"], strict=True))
        for number, box in zip(given["classes"].tolist(), given["boxes"], strict=True):
            extent, count = pixels_of(result["image"], COLOURS[number])
            visible = count / np.prod(box[2:] - box[:2])
            assert (number in found) == (visible >= 0.1), (seed, number, visible)
            if number in found:
                np.testing.assert_allclose(found[number], extent, atol=1e-3)
            dropped += 0 < visible < 0.1
            cut += 0.1 <= visible < 1
    if step in ("RandomCrop", "CropAndPad"):
        assert dropped and cut


@pytest.mark.parametrize("step", RESIZED, ids=str)
def test_a_box_is_the_extent_of_its_pixels_after_resizing(step):
    augmenter, seen = Augmenter([step]), 0
    for seed in range(80):
        given = scene(seed)
        result = augmenter(given, seed)
        for number, box in zip(result["classes"], result["boxes"], strict=True):
            extent, count = pixels_of(result["image"], COLOURS[number])
            if extent is None:  # less than a pixel wide or high
                assert (box[2:] - box[:2]).min() < 1
            else:
                np.testing.assert_allclose(box, extent, atol=1.5)  # a pixel of the original, enlarged by half
                seen += 1
        if "BBoxSafe" in str(step) and "erosion" not in str(step):
            assert set(result["classes"]) == set(given["classes"])
    assert seen > 80


def rotated(boxes, degrees, height, width):
    """Corners `[n, 4, 2]` turned anticlockwise round the middle of the image."""
    angle, middle = np.deg2rad(degrees), np.array([width / 2, height / 2])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # y points down
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    return (corners - middle) @ turn.T + middle


@pytest.mark.parametrize("degrees", [-120, -33, -8, 10, 45, 90])
@pytest.mark.parametrize("name", ["Rotate", "Affine"])
def test_a_turned_box_holds_its_pixels_and_no_more_than_its_turned_corners(name, degrees):
    arguments = {"Rotate": {"limit": [degrees, degrees]}, "Affine": {"rotate": [degrees, degrees]}}[name]
    augmenter, seen = Augmenter([{name: {**arguments, **NEAREST}}]), 0
    for seed in range(40):
        given = scene(seed)
        result = augmenter(given, 0)
        corners = rotated(given["boxes"], degrees, HEIGHT, WIDTH)
        outer = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).clip(0, [WIDTH, HEIGHT] * 2)
        for number, box in zip(result["classes"], result["boxes"], strict=True):
            np.testing.assert_allclose(box, outer[number], atol=1)
            extent, _ = pixels_of(result["image"], COLOURS[number])
            if extent is not None:
                assert (box[:2] <= extent[:2] + 1).all() and (box[2:] >= extent[2:] - 1).all()
                seen += 1
    assert seen > 20


BENT = [
    {"SafeRotate": {"limit": 60, **NEAREST}},
    {"Affine": {"rotate": [-30, 30], "shear": [-20, 20], "scale": [0.7, 1.3], **NEAREST}},
    {"Perspective": {"scale": [0.05, 0.15], **NEAREST}},
    {"Perspective": {"scale": [0.05, 0.15], "fit_output": True, **NEAREST}},
    {"Perspective": {"scale": [0.05, 0.15], "keep_size": False, **NEAREST}},
    {"OpticalDistortion": {"distort_limit": 0.4, **NEAREST}},
    {"GridDistortion": {"distort_limit": 0.5, **NEAREST}},
    {"ElasticTransform": {"alpha": 60, "sigma": 6, **NEAREST}},
    {"ThinPlateSpline": {"scale_range": [0.1, 0.2], **NEAREST}},
    {"GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 6, **NEAREST}},
]


@pytest.mark.parametrize("step", BENT, ids=str)
def test_a_bent_box_holds_its_pixels_closely(step):
    """It holds them, and no more than would belong to an object that is a pixel larger on each side."""
    augmenter, seen = Augmenter([step]), 0
    for seed in range(60):
        given = scene(seed)
        result = augmenter(given, seed)
        for number, box in zip(result["classes"], result["boxes"], strict=True):
            extent, _ = pixels_of(result["image"], COLOURS[number])
            if extent is None:
                continue
            x_min, y_min, x_max, y_max = given["boxes"][number].astype(int)
            larger = np.zeros_like(given["image"])
            larger[max(y_min - 1, 0) : y_max + 1, max(x_min - 1, 0) : x_max + 1] = 255
            outer, _ = pixels_of(augmenter({**given, "image": larger}, seed)["image"], (255, 255, 255))
            assert (box[:2] <= extent[:2] + 2).all() and (box[2:] >= extent[2:] - 2).all(), (seed, box, extent)
            height, width = result["image"].shape[:2]
            if (outer[:2] > 0).all() and (outer[2:] < [width, height]).all():  # cut corners leave a box as it was
                assert (box[:2] >= outer[:2] - 1.5).all() and (box[2:] <= outer[2:] + 1.5).all(), (seed, box, outer)
                seen += 1
    assert seen > 30


@pytest.mark.parametrize(
    "step",
    [
        {"CoarseDropout": {"num_holes_range": [1, 4], "hole_height_range": [0.2, 0.6], "p": 1.0}},
        {"GridDropout": {"ratio": 0.9, "random_offset": True, "p": 1.0}},
        {"XYMasking": {"num_masks_x": 2, "num_masks_y": 1, "mask_x_length": 30, "mask_y_length": 30, "p": 1.0}},
        {"RandomErasing": {"scale": [0.1, 0.4], "p": 1.0}},
    ],
    ids=str,
)
def test_what_erases_leaves_boxes_round_what_can_be_seen(step):
    augmenter, gone = Augmenter([step]), 0
    for seed in range(60):
        given = scene(seed, 64, 128)  # fractions of these are exact: it rounds down to whole pixels
        result = augmenter(given, seed)
        found = dict(zip(result["classes"].tolist(), result["boxes"], strict=True))
        for number, box in zip(given["classes"].tolist(), given["boxes"], strict=True):
            extent, count = pixels_of(result["image"], COLOURS[number])
            visible = count / np.prod(box[2:] - box[:2])
            assert (number in found) == (visible >= 0.1)
            if number in found:
                np.testing.assert_allclose(found[number], extent, atol=1e-3)
            else:
                gone += 1
    assert gone


def cropped(rule, boxes):
    """The left upper quarter of 20 x 20 pixels, by its boxes' numbers."""
    sample = {"image": np.zeros((20, 20, 3), np.uint8), "boxes": np.array(boxes, np.float32)}
    sample["classes"] = np.arange(len(boxes), dtype=np.int32)
    step = {"Crop": {"x_min": 0, "y_min": 0, "x_max": 10, "y_max": 10}}
    return Augmenter([*([{"BboxParams": rule}] if rule is not None else []), step])(sample, 0)["classes"].tolist()


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (None, [0, 1, 2]),
        ({}, [0, 1, 2]),
        ({"min_visibility": 0.0}, [0, 1, 2, 3]),
        ({"min_visibility": 0.3}, [0, 1]),
        ({"min_visibility": 0.6}, [0]),
        ({"min_area": 24}, [0, 1]),
        ({"min_width": 3}, [0, 1]),
        ({"min_height": 6}, [0]),
    ],
)
def test_what_must_be_left_of_a_box(rule, kept):
    # of the boxes all, half, a fifth and a twentieth lies within 10 x 10 pixels
    assert cropped(rule, [[0, 0, 10, 10], [5, 5, 15, 10], [8, 0, 18, 5], [9.5, 0, 19.5, 10]]) == kept


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"BboxParams": {"min_visibility": 1.0}}], r"^augment\[0\]: BboxParams: min_visibility=1.0: .*0.99"),
        ([{"BboxParams": {"min_visibilty": 0.2}}], "unknown argument 'min_visibilty': did you mean min_visibility"),
        ([{"BboxParams": {"min_width": 0}}], "min_width=0: "),
        (["BboxParams", "Transpose", "BboxParams"], r"^augment\[2\]: BboxParams holds for the whole list"),
        (
            [{"Sequential": {"transforms": ["BboxParams"]}}],
            r"transforms\[0\]: BboxParams: .* stands in the list itself",
        ),
        (["BoxParams"], "unknown transform 'BoxParams': did you mean BboxParams"),
    ],
)
def test_wrong_rules_for_boxes(steps, message):
    with pytest.raises(AugmentError, match=message):
        Augmenter(steps)


def test_a_rule_for_boxes_wants_boxes():
    with pytest.raises(AugmentError, match=r"augment\[1\]: BboxParams needs 'boxes'"):
        Augmenter(["Transpose", "BboxParams"])({"image": np.zeros((9, 9, 3), np.uint8)}, 0)


def test_rules_alone_change_nothing():
    augmenter = Augmenter(["BboxParams"])
    assert not augmenter and not augmenter.transforms
