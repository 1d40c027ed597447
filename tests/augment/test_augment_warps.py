"""Whatever bends, turns or cuts an image does the same to its mask, which keeps its class ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_truth import Augmenter
from scipy import ndimage

WARPS = [
    {"ElasticTransform": {"alpha": 300, "sigma": 8, "p": 1.0}},
    {"ElasticTransform": {"alpha": 60, "sigma": 5, "approximate": True, "noise_distribution": "uniform", "p": 1.0}},
    {"GridDistortion": {"distort_limit": 0.5, "p": 1.0}},
    {"GridDistortion": {"distort_limit": 0.6, "normalized": False, "p": 1.0}},
    {"GridElasticDeform": {"num_grid_xy": [3, 4], "magnitude": 7}},
    {"ThinPlateSpline": {"p": 1.0}},
    {"OpticalDistortion": {"distort_limit": [0.5, 0.5], "p": 1.0}},
    {"OpticalDistortion": {"mode": "fisheye", "distort_limit": 0.4, "p": 1.0}},
]
MOVES = [
    {"Affine": {"scale": [0.7, 1.4], "rotate": [-60, 60], "shear": [-15, 15], "p": 1.0}},
    {"Perspective": {"scale": [0.05, 0.15], "p": 1.0}},
    {"Perspective": {"scale": [0.05, 0.15], "fit_output": True, "p": 1.0}},
    {"Rotate": {"p": 1.0}},
    {"RandomResizedCrop": {"size": [50, 40], "scale": [0.4, 1.0]}},
    {"RandomSizedCrop": {"min_max_height": [30, 50], "size": [64, 48]}},
    {"RandomCrop": {"height": 30, "width": 100, "pad_if_needed": True}},
    {"RareClassCrop": {"size": [40, 90]}},
    {"CropNonEmptyMaskIfExists": {"height": 30, "width": 40}},
    "D4",
    {"HorizontalFlip": {"p": 1.0}},
    {"VerticalFlip": {"p": 1.0}},
]
WITHOUT_INTERPOLATION = {
    "CropNonEmptyMaskIfExists", "D4", "HorizontalFlip", "RandomCrop", "RareClassCrop", "VerticalFlip",
}  # fmt: skip
COLOURS = np.array([[60, 60, 60], [250, 40, 90], [40, 200, 250], [120, 250, 30]], np.uint8)  # none of them near black


def painted(seed, height=60, width=80):
    """Large blobs of four classes, and an image in which each has its colour."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(4, height, width)), (0, 9, 9))
    mask = noise.argmax(axis=0).astype(np.uint8)
    return {"image": COLOURS[mask], "mask": mask}


def repainted(mask):
    """The image that a mask stands for: black where it says that there is none."""
    return np.concatenate([COLOURS, np.zeros((252, 3), np.uint8)])[mask]


def by_nearest(step):
    """The step with the image moved by the nearest neighbour, too, where that can be said."""
    ((name, arguments),) = (step if isinstance(step, dict) else {step: {}}).items()
    return {name: arguments | ({} if name in WITHOUT_INTERPOLATION else {"interpolation": 0})}


@pytest.mark.parametrize("step", WARPS + MOVES, ids=str)
def test_image_and_mask_go_together(step):
    """To the pixel where both are moved by the nearest neighbour; else but for the edges, which the image mixes."""
    exact, mixing, changed, ignored = Augmenter([by_nearest(step)]), Augmenter([step]), 0, 0
    for seed in range(12):
        given = painted(seed)
        result = exact(given, seed)
        mask = result["mask"]
        np.testing.assert_array_equal(result["image"], repainted(mask))
        changed += mask.shape != given["mask"].shape or (mask != given["mask"]).any()
        ignored += (mask == 255).any()
        result = mixing(given, seed)
        np.testing.assert_array_equal(result["mask"], mask)
        assert (np.abs(result["image"].astype(int) - repainted(mask)).max(axis=-1) > 2).mean() < 0.2
    assert changed >= 8
    assert ignored > 0 or step not in WARPS  # what comes in over the border


AUGMENTERS = [Augmenter([step]) for step in WARPS + MOVES]


@settings(max_examples=120)
@given(
    which=st.integers(0, len(AUGMENTERS) - 1),
    seed=st.integers(0, 2**32 - 1),
    ids=st.lists(st.integers(0, 255), min_size=1, max_size=5, unique=True),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
)
def test_no_class_appears_that_was_not_there(which, seed, ids, dtype):
    """Noise, in which every interpolation would show."""
    generator = np.random.default_rng(seed)
    mask = generator.choice(np.array(ids, dtype), (60, 80))
    result = AUGMENTERS[which]({"image": generator.integers(0, 256, (60, 80, 3), np.uint8), "mask": mask}, seed)
    assert set(np.unique(result["mask"]).tolist()) <= {*ids, 255}
    assert result["mask"].dtype == dtype
