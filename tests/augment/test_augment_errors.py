"""What a wrong `augment` section or a wrong sample is told."""

import re

import numpy as np
import pytest
from moving_truth import Augmenter

from saccade.augment import AugmentError

OWNS = "the model owns its preprocessing: augmentation must give uint8 images with 3 channels"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("Blur", "augment: a list of transforms is needed, got 'Blur' (str)"),
        (None, "augment: a list of transforms is needed, got None (NoneType)"),
        ({"Blur": {}}, "augment: a list of transforms is needed, got {'Blur': {}} (dict)"),
        ([5], "augment[0]: a name or {name: {argument: value}} is needed, got 5 (int)"),
        (["Blur", ["Blur"]], "augment[1]: a name or {name: {argument: value}} is needed, got ['Blur'] (list)"),
        (
            [{"HorizontalFlip": None, "p": 0.5}],
            "augment[0]: one name is needed, got 2 keys (HorizontalFlip, p); "
            "arguments stand one step further in, under the name",
        ),
        ([{5: {}}], "augment[0]: the name of a transform is needed, got 5 (int)"),
        ([{"Blur": 3}], "augment[0]: Blur: arguments as {name: value} are needed, got 3 (int)"),
        ([{"Blur": {1: 2}}], "augment[0]: Blur: arguments as {name: value} are needed, got {1: 2} (dict)"),
        (
            [{"OneOf": {"transforms": "Blur"}}],
            "augment[0].OneOf.transforms: a list of transforms is needed, got 'Blur' (str)",
        ),
    ],
)
def test_shape_of_the_list(steps, message):
    with pytest.raises(AugmentError, match=f"^{re.escape(message)}$"):
        Augmenter(steps)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["Blur", "HorizontalFlop"], "augment[1]: unknown transform 'HorizontalFlop': did you mean HorizontalFlip?"),
        (["horizontalflip"], "augment[0]: unknown transform 'horizontalflip': did you mean HorizontalFlip"),
        (["DualTransform"], "augment[0]: unknown transform 'DualTransform'"),
        (
            [{"OneOf": {"transforms": ["Blur", "Blurr"]}}],
            "augment[0].OneOf.transforms[1]: unknown transform 'Blurr': did you mean Blur or ZoomBlur?",
        ),
        ([{"HorizontalFlip": {"P": 0.5}}], "augment[0]: HorizontalFlip: unknown argument 'P': known: p"),
        ([{"Affine": {"rotation": 5}}], "augment[0]: Affine: unknown argument 'rotation': did you mean rotate"),
        ([{"SomeOf": {"transforms": ["Blur"], "nn": 2}}], "augment[0]: SomeOf: unknown argument 'nn': did you mean n?"),
        ([{"Blur": {"transforms": ["Blur"]}}], "augment[0]: Blur holds no 'transforms'; OneOf, "),
        (["OneOf"], "augment[0]: OneOf: 'transforms' is needed, a list of at least one transform"),
        ([{"OneOf": {"transforms": []}}], "augment[0]: OneOf: 'transforms' is needed, a list of at least one"),
    ],
)
def test_unknown_names(steps, message):
    with pytest.raises(AugmentError, match=f"^{re.escape(message)}"):
        Augmenter(steps)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"HorizontalFlip": {"p": 2}}, "HorizontalFlip: p=2: Input should be less than or equal to 1"),
        # these two are classes whose arguments albumentations does not check
        ({"RandomRotate90": {"p": 2}}, "RandomRotate90: p=2: Input should be less than or equal to 1"),
        ({"OneOf": {"transforms": ["Blur"], "p": 3}}, "OneOf: p=3: Input should be less than or equal to 1"),
        ({"SomeOf": {"transforms": ["Blur"], "n": 0}}, "SomeOf: n=0: Input should be greater than or equal to 1"),
        ({"OneOf": {"transforms": [{"Blur": {"p": 0}}]}}, "OneOf: every transform in it has p: 0"),
        (
            {"RandomCrop": {"height": 0}},
            "RandomCrop: height=0: Input should be greater than or equal to 1; width: Field required",
        ),
        ("LongestMaxSize", "LongestMaxSize: Either max_size or max_size_hw must be specified"),
        ({"CLAHE": {"tile_grid_size": [8]}}, "CLAHE: tile_grid_size=[8]: Field required"),
        (
            {"Affine": {"rotate": [1, 2, 3]}},
            "Affine: rotate=[1, 2, 3]: Tuple should have at most 2 items after validation, not 3 "
            "or Input should be a valid number",
        ),
    ],
)
def test_wrong_values(step, message):
    with pytest.raises(AugmentError, match=f"^{re.escape('augment[0]: ' + message)}$"):
        Augmenter([step])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("Normalize", f"Normalize gives float32 [48, 64, 3]: {OWNS}"),
        ({"ToFloat": {"p": 0.1}}, f"ToFloat gives float32 [48, 64, 3]: {OWNS}"),
        ({"ToGray": {"num_output_channels": 1}}, f"ToGray gives uint8 [48, 64]: {OWNS}"),
        ("ToTensorV2", f"ToTensorV2: {OWNS}"),
        ("FDA", "FDA needs 'fda_metadata' beside every sample, which a recipe cannot give"),
        ("HistogramMatching", "HistogramMatching needs 'hm_metadata' beside every sample, which a recipe cannot give"),
        ("Lambda", "Lambda: it needs Python functions, which a recipe cannot give"),
        ("Pad3D", "Pad3D: it works on volumes, not on images"),
        ("Compose", "Compose: the list is the Compose; Sequential groups steps inside it"),
        (
            {"SelectiveChannelTransform": {"transforms": ["Blur"]}},
            "SelectiveChannelTransform: it would move the image without its mask and boxes",
        ),
        ("ConstrainedCoarseDropout", "ConstrainedCoarseDropout: 'mask_indices' or 'bbox_labels' is needed"),
        (
            {"Crop": {"x_max": 9000, "y_max": 9000}},
            "Crop fails on an image of 5120 x 4096: Values for crop should be non negative and equal or smaller than "
            "image sizes(x_min = 0, y_min = 0, x_max = 9000, y_max = 9000, height = 4096, width = 5120)",
        ),
    ],
)
def test_transforms_that_cannot_work(step, message):
    with pytest.raises(AugmentError, match=f"^{re.escape('augment[0]: ' + message)}$"):
        Augmenter([step])


def test_a_nested_transform_is_tried_too():
    with pytest.raises(AugmentError, match=r"^augment\[1\]\.OneOf\.transforms\[0\]: Normalize gives float32"):
        Augmenter(["Blur", {"OneOf": {"transforms": ["Normalize"], "p": 0.01}}])


def test_a_large_crop_is_accepted_and_fails_on_a_small_image_by_name():
    augmenter = Augmenter(["HorizontalFlip", {"RandomCrop": {"height": 900, "width": 900}}])
    with pytest.raises(AugmentError, match="^RandomCrop fails on an image of 40 x 30: Crop size"):
        augmenter({"image": np.zeros((30, 40, 3), np.uint8)}, 0)


IMAGE = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"mask": IMAGE}, "the sample has no 'image', only mask"),
        ({}, "the sample has no 'image', only nothing"),
        ({"image": IMAGE / 255}, "'image' must be uint8 [height, width, 3], got float64 [4, 6, 3]"),
        ({"image": IMAGE[..., 0]}, "'image' must be uint8 [height, width, 3], got uint8 [4, 6]"),
        ({"image": IMAGE[:0]}, "'image' must be uint8 [height, width, 3], got uint8 [0, 6, 3]"),
        ({"image": [[1]]}, "'image' must be uint8 [height, width, 3], got list"),
        ({"image": IMAGE, "mask": np.zeros((6, 4), int)}, "'mask' is int64 [6, 4], its 'image' is uint8 [4, 6, 3]"),
        ({"image": IMAGE, "mask": np.zeros((4, 6))}, "'mask' must be integer [height, width], got float64 [4, 6]"),
        (
            {"image": IMAGE, "mask": np.zeros((4, 6), np.int8)},
            "'mask' is int8, which cannot hold the ignore value 255",
        ),
        (
            {"image": IMAGE, "mask": np.full((4, 6), 70000)},
            "'mask' has values from 70000 to 70000; augmentation can move 0 to 65535",
        ),
        ({"image": IMAGE, "boxes": np.zeros((1, 4), int)}, "'boxes' must be float32 [n, 4], got int64 [1, 4]"),
        ({"image": IMAGE, "boxes": np.zeros(4)}, "'boxes' must be float32 [n, 4], got float64 [4]"),
        ({"image": IMAGE, "boxes": np.full((1, 4), np.nan)}, "'boxes' has a coordinate that is not a finite number"),
        (
            {"image": IMAGE, "boxes": np.zeros((2, 4)), "classes": np.zeros(3, np.int32)},
            "'classes' must be [n, ...], one for each of 2 boxes, got int32 [3]",
        ),
    ],
)
def test_wrong_samples(sample, message):
    with pytest.raises(AugmentError, match=f"^{re.escape(message)}$"):
        Augmenter(["HorizontalFlip"])(sample, 0)


def test_negative_seed():
    with pytest.raises(AugmentError, match="^the seed must be 0 or more, got -1$"):
        Augmenter([])({"image": IMAGE}, -1)


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ("MaskDropout", "mask"),
        ({"CropNonEmptyMaskIfExists": {"height": 2, "width": 2}}, "mask"),
        ({"ConstrainedCoarseDropout": {"mask_indices": [1]}}, "mask"),
        ({"ConstrainedCoarseDropout": {"bbox_labels": [1]}}, "boxes"),
        ({"AtLeastOneBBoxRandomCrop": {"height": 2, "width": 2}}, "boxes"),
        ("BBoxSafeRandomCrop", "boxes"),
        ({"RandomSizedBBoxSafeCrop": {"height": 2, "width": 2}}, "boxes"),
    ],
)
def test_truth_that_a_step_cannot_do_without(step, key):
    augmenter = Augmenter(["Blur", step])
    assert augmenter.needs == {key}
    with pytest.raises(AugmentError, match=rf"^augment\[1\]: \w+ needs '{key}', which the sample does not have$"):
        augmenter({"image": IMAGE}, 0)


@pytest.mark.parametrize("step", ["MaskDropout", "RandomGridShuffle"])
def test_steps_that_would_spoil_boxes(step):
    sample = {"image": IMAGE, "mask": np.zeros((4, 6), np.uint8), "boxes": np.array([[0, 0, 3, 3]], np.float32)}
    with pytest.raises(AugmentError, match=rf"^augment\[0\]: {step} cannot keep 'boxes' right; leave it out"):
        Augmenter([step])(sample, 0)
