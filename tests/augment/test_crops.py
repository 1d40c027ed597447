"""Crops that favour rare classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_truth import Augmenter

from saccade.augment import AugmentError
from saccade.augment.crops import crop_with_class


def crop(**arguments):
    return Augmenter([{"RareClassCrop": arguments}])


def numbered(mask):
    """An image in which each pixel has a colour of its own."""
    numbers = np.arange(1, mask.size + 1).reshape(mask.shape)
    return {"image": np.stack([numbers % 256, numbers // 256, np.full_like(numbers, 9)], -1).astype(np.uint8)}


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    background=st.sampled_from([None, 0]),
)
def test_a_crop_is_a_part_of_image_and_mask_or_a_padded_whole(seed, height, width, size, background):
    generator = np.random.default_rng(seed)
    mask = generator.choice(np.array([0, 0, 0, 1, 2, 255], np.uint8), (height, width))
    sample = numbered(mask) | {"mask": mask}
    result = crop(size=list(size), background=background)(sample, seed)
    assert result["image"].shape == (*size, 3) and result["mask"].shape == size
    place = result["image"].astype(int)
    inside = place[..., 2] == 9
    assert inside.sum() == min(height, size[0]) * min(width, size[1])
    numbers = (place[..., 0] + 256 * place[..., 1])[inside] - 1
    np.testing.assert_array_equal(result["mask"][inside], mask.ravel()[numbers])
    rows, columns = numbers // width, numbers % width
    assert (np.ptp(rows) + 1) * (np.ptp(columns) + 1) == len(numbers) == len(set(numbers))
    assert (result["mask"][~inside] == 255).all()
    wanted = set(np.unique(mask)) - {255}
    if background == 0 and wanted - {0}:
        wanted -= {0}
    assert not wanted or wanted & set(np.unique(result["mask"]))


def test_every_class_is_found_equally_often_however_rare():
    mask = np.zeros((40, 50), np.uint8)
    mask[30:, 20:] = 1
    mask[3, 5] = 7
    sample = numbered(mask) | {"mask": mask}
    augmenter, rare = crop(size=[4, 4]), 0
    for seed in range(600):
        rare += 7 in augmenter(sample, seed)["mask"]
    assert 0.26 < rare / 600 < 0.41  # a third, and hardly ever by chance: 0.3333 +- 4 standard deviations
    without = crop(size=[4, 4], background=0)
    assert 0.42 < np.mean([7 in without(sample, seed)["mask"] for seed in range(600)]) < 0.58


def test_every_place_that_contains_the_pixel_is_as_likely():
    mask = np.full((9, 9), 255, np.uint8)
    mask[4, 1] = 3
    generator = np.random.default_rng(0)
    found = [crop_with_class(mask, (3, 4), None, generator) for _ in range(1200)]
    counts = {place: found.count(place) for place in set(found)}
    assert set(counts) == {(row, column) for row in (2, 3, 4) for column in (0, 1)}
    assert min(counts.values()) > 150 and max(counts.values()) < 250


@pytest.mark.parametrize("value", [0, 255])
def test_without_a_class_to_favour_every_place_is_as_likely(value):
    mask = np.full((4, 5), value, np.uint8)
    generator = np.random.default_rng(0)
    found = {crop_with_class(mask, (3, 4), 0, generator) for _ in range(200)}
    assert found == {(row, column) for row in (0, 1) for column in (0, 1)}


def test_boxes_move_along():
    mask = np.zeros((30, 40), np.uint8)
    mask[10:14, 20:25] = 1
    sample = {
        "image": np.repeat(mask[..., None] * 200, 3, axis=2),
        "mask": mask,
        "boxes": np.array([[20, 10, 25, 14], [0, 29, 1, 30]], np.float32),
        "classes": np.array([5, 6], np.int32),
    }
    for size in ([16, 16], [35, 50]):
        augmenter = crop(size=size, background=0)
        for seed in range(20):
            result = augmenter(sample, seed)
            ys, xs = np.nonzero(result["mask"] == 1)
            expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            at = result["classes"].tolist().index(5)
            np.testing.assert_allclose(result["boxes"][at], expected, atol=1e-4)
            np.testing.assert_array_equal(result["image"][..., 0] == 200, result["mask"] == 1)


def test_the_padding_can_be_chosen():
    sample = {"image": np.full((2, 2, 3), 7, np.uint8), "mask": np.ones((2, 2), np.uint8)}
    result = crop(size=[4, 4], fill=[1, 2, 3], fill_mask=0)(sample, 0)
    beside = result["mask"] == 0
    assert beside.sum() == 12 and (result["image"][beside] == [1, 2, 3]).all()


def test_it_depends_on_the_seed_alone_and_only_sometimes_happens():
    mask = np.random.default_rng(0).integers(0, 4, (30, 30)).astype(np.uint8)
    sample = numbered(mask) | {"mask": mask}
    augmenter = Augmenter(
        ["HorizontalFlip", {"OneOf": {"transforms": [{"RareClassCrop": {"size": [8, 8]}}], "p": 0.5}}]
    )
    first = [augmenter(sample, seed)["mask"] for seed in range(30)]
    again = [augmenter(sample, seed)["mask"] for seed in reversed(range(30))][::-1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    sizes = [each.shape for each in first]
    assert {(8, 8), (30, 30)} == set(sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "size: Field required"),
        ({"size": 64}, "size=64: Input should be a valid tuple"),
        ({"size": [64, 0]}, r"size=\[64, 0\]: Input should be greater than or equal to 1"),
        ({"size": [64, 64], "background": -1}, "background=-1: Input should be greater than or equal to 0"),
        ({"size": [64, 64], "backgroud": 0}, "unknown argument 'backgroud': did you mean background"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(AugmentError, match=rf"^augment\[0\]: RareClassCrop: {message}") as caught:
        crop(**arguments)
    assert "\n" not in str(caught.value)


def test_it_needs_a_mask():
    augmenter = crop(size=[4, 4])
    assert augmenter.needs == {"mask"}
    with pytest.raises(
        AugmentError, match=r"^augment\[0\]: RareClassCrop needs 'mask', which the sample does not have"
    ):
        augmenter({"image": np.zeros((9, 9, 3), np.uint8)}, 0)
