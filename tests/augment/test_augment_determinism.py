"""The same sample and seed give the same bytes: in any order, thread and process, for every transform there is."""

import inspect
import multiprocessing
import random
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from moving_truth import Augmenter

from saccade.augment import AugmentError, stable_seed

Augmenter(["HorizontalFlip"])  # before the import below, as it keeps albumentations off the network
import albumentations  # noqa: E402

STEPS = [
    {"HorizontalFlip": {"p": 0.5}},
    {"Affine": {"rotate": [-20, 20], "scale": [0.8, 1.2], "p": 0.7}},
    {"OneOf": {"transforms": [{"GaussNoise": {}}, {"ISONoise": {}}, {"MotionBlur": {}}], "p": 0.9}},
    {"SomeOf": {"transforms": ["ColorJitter", "RandomGamma", "Posterize", "CoarseDropout"], "n": 3}},
    {"RandomResizedCrop": {"size": [24, 24]}},
]


def sample(index):
    rng = np.random.default_rng(index)
    height, width = (int(side) for side in rng.integers(44, 64, 2))
    return {
        "image": rng.integers(0, 256, (height, width, 3), np.uint8),
        "mask": rng.integers(0, 5, (height, width)).astype(np.int32),
        "boxes": np.array([[0, 0, width / 2, height / 2], [width / 4, 2, width, height]], np.float32),
        "classes": np.array([index, 1], np.int32),
    }


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        assert first[key].dtype == second[key].dtype
        np.testing.assert_array_equal(first[key], second[key])


@pytest.fixture(scope="module")
def expected():
    augmenter = Augmenter(STEPS)
    return [augmenter(sample(index), stable_seed(0, 1, str(index))) for index in range(200)]


def test_the_seed_matters(expected):
    augmenter = Augmenter(STEPS)
    other = [augmenter(sample(index), stable_seed(0, 2, str(index)))["image"] for index in range(50)]
    assert sum(np.array_equal(a, b["image"]) for a, b in zip(other, expected, strict=False)) == 0


def test_eight_threads_in_any_order(expected):
    augmenter, start = Augmenter(STEPS), threading.Barrier(8)

    def work(worker):
        order = list(range(200))
        random.Random(worker).shuffle(order)
        start.wait()
        return [(index, augmenter(sample(index), stable_seed(0, 1, str(index)))) for index in order]

    with ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(8)):
            for index, result in results:
                assert_same(result, expected[index])


def test_other_processes(expected):
    indices = range(0, 200, 5)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        samples, seeds = [sample(index) for index in indices], [stable_seed(0, 1, str(index)) for index in indices]
        for index, result in zip(indices, pool.map(Augmenter(STEPS), samples, seeds, chunksize=20), strict=True):
            assert_same(result, expected[index])


def test_the_generators_of_python_and_numpy_are_left_alone(expected):
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].copy()
    assert_same(Augmenter(STEPS)(sample(3), stable_seed(0, 1, "3")), expected[3])
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


ARGUMENTS = {  # of those that have no defaults for everything, or whose default does not fit a small image
    "AtLeastOneBBoxRandomCrop": {"height": 8, "width": 8},
    "CenterCrop": {"height": 8, "width": 8},
    "ConstrainedCoarseDropout": {"mask_indices": [1]},
    "Crop": {"x_max": 8, "y_max": 8},
    "CropAndPad": {"px": [-2, 3]},
    "CropNonEmptyMaskIfExists": {"height": 8, "width": 8},
    "GridElasticDeform": {"num_grid_xy": [2, 2], "magnitude": 3},
    "LongestMaxSize": {"max_size": 16},
    "PadIfNeeded": {"min_height": 70, "min_width": 70},
    "RandomCrop": {"height": 8, "width": 8},
    "RandomResizedCrop": {"size": [12, 12]},
    "RandomSizedBBoxSafeCrop": {"height": 12, "width": 12},
    "RandomSizedCrop": {"min_max_height": [4, 8], "size": [8, 8]},
    "Resize": {"height": 9, "width": 7},
    "SmallestMaxSize": {"max_size": 16},
}
REFUSED = {  # for reasons that test_augment_errors.py checks, and TextImage for want of a font
    "CenterCrop3D", "CoarseDropout3D", "CubicSymmetry", "FDA", "FromFloat", "HistogramMatching", "Lambda",
    "Normalize", "OverlayElements", "Pad3D", "PadIfNeeded3D", "PixelDistributionAdaptation", "RandomCrop3D",
    "RandomCropNearBBox", "TextImage", "ToFloat",
}  # fmt: skip
ABSTRACT = {"BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D"}
EVERY = {
    name
    for name, kind in vars(albumentations).items()
    if inspect.isclass(kind) and issubclass(kind, albumentations.BasicTransform) and not name.startswith("ToTensor")
} - ABSTRACT


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_transforms(name):
    with pytest.raises(AugmentError, match=f"^augment\\[0\\]: {name}"):
        Augmenter([name])


# albumentations' own advice to take a sister transform, that one is slow, and that an image is already RGB
@pytest.mark.filterwarnings("ignore:.*(specialized version|special case|alias|very slow|already an RGB):UserWarning")
@pytest.mark.parametrize("name", sorted(EVERY - REFUSED))
def test_every_transform_depends_on_sample_and_seed_alone(name):
    augmenter = Augmenter([{name: {**ARGUMENTS.get(name, {}), "p": 1.0}}])
    beside = [sample(10 + number) for number in range(augmenter.companions)]
    results = {}
    for index in range(3):
        given = sample(index)
        if name in {"MaskDropout", "RandomGridShuffle"}:  # refuse boxes
            given = {key: given[key] for key in ("image", "mask")}
        untouched = {key: value.copy() for key, value in given.items()}
        for value in given.values():
            value.setflags(write=False)
        results[index] = given, augmenter(given, 11 + index, beside)
        assert_same(given, untouched)
        image = results[index][1]["image"]
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.flags.c_contiguous
        assert results[index][1]["mask"].shape == image.shape[:2]
        assert set(np.unique(results[index][1]["mask"])) <= {0, 1, 2, 3, 4, 255}
    for index in reversed(range(3)):  # once more, after other samples
        given, first = results[index]
        assert_same(augmenter(given, 11 + index, beside), first)
    with ThreadPoolExecutor(1) as pool:  # and by a thread that has done nothing else
        assert_same(pool.submit(augmenter, results[1][0], 12, beside).result(), results[1][1])
