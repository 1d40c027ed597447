"""Mosaic: boxes and what belongs to them, of four images of different sizes, cut at the borders of their cells."""

from functools import partial

import numpy as np
import pytest

import saccade.augment
from saccade.augment import AugmentError

MOVES = {"boxes": "boxes", "classes": "box_field", "crowd": "box_field", "corners": "box_field"}
Augmenter = partial(saccade.augment.Augmenter, moves=MOVES)
SIZES = [(90, 120), (60, 60), (150, 70), (45, 130), (100, 100), (64, 128), (200, 90), (81, 83), (77, 140)]


def sample(number, seed):
    """Two rectangles, each of a colour that no other sample has; crowd and corners tell which box it was."""
    random = np.random.default_rng((number, seed))
    height, width = SIZES[number]
    image, boxes = np.zeros((height, width, 3), np.uint8), []
    for index, middle in enumerate((0.3, 0.7)):  # one left, one right
        half = random.integers(4, width // 6), random.integers(4, height // 4)
        x, y = int(middle * width), int(random.uniform(0.3, 0.7) * height)
        boxes.append([x - half[0], y - half[1], x + half[0], y + half[1]])
        image[y - half[1] : y + half[1], x - half[0] : x + half[0]] = colour(2 * number + index)
    ids = np.array([2 * number, 2 * number + 1], np.int32)
    corners = np.stack([ids, ids + 100], axis=1)
    fields = {"classes": ids, "crowd": (ids % 2).astype(np.int32), "corners": corners}
    return {"image": image, "boxes": np.array(boxes, np.float32), **fields}


def colour(number):
    return np.array([255, 10 * (number + 1), 5 * (number + 1)], np.uint8)


STEPS = [
    {"target_size": [100, 110], "cell_shape": [90, 80]},
    {"target_size": [100, 110], "cell_shape": [70, 80], "fit_mode": "contain"},
    {"target_size": [150, 160], "cell_shape": [70, 80], "grid_yx": [3, 3], "center_range": [0.0, 1.0]},
]


@pytest.mark.parametrize("rule", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("arguments", STEPS, ids=str)
def test_boxes_stay_on_their_pixels_and_too_little_of_one_is_none(arguments, rule):
    step = {"Mosaic": {**arguments, "interpolation": 0, "p": 1.0}}
    augmenter, kept, cut, dropped = Augmenter([step, {"BboxParams": {"min_visibility": rule}}]), 0, 0, 0
    rows, columns = arguments.get("grid_yx", (2, 2))
    assert augmenter.companions == rows * columns - 1
    fit = min if arguments.get("fit_mode") == "contain" else max
    for seed in range(40):
        samples = [sample(number, seed) for number in range(rows * columns)]
        result = augmenter(samples[0], seed, samples[1:])
        assert result["image"].shape == (*arguments["target_size"], 3)
        found = dict(zip(result["classes"].tolist(), result["boxes"], strict=True))
        np.testing.assert_array_equal(result["crowd"], result["classes"] % 2)
        np.testing.assert_array_equal(result["corners"], np.stack([result["classes"], result["classes"] + 100], 1))
        for number, given in enumerate(samples):
            factor = fit(np.array(arguments["cell_shape"]) / given["image"].shape[:2])
            for index, box in zip(given["classes"].tolist(), given["boxes"], strict=True):
                ys, xs = np.nonzero((result["image"] == colour(index)).all(axis=-1))
                rough = 1 / (factor * (box[2:] - box[:2]).min()) + 0.03  # whole pixels are counted
                visible = len(ys) / (np.prod(box[2:] - box[:2]) * factor**2)
                if index in found and not len(ys):
                    assert (found[index][2:] - found[index][:2]).min() < 1
                elif index in found:
                    extent = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
                    np.testing.assert_allclose(found[index], extent, atol=max(1.01, factor))
                    assert visible > rule - rough, (seed, number)
                    kept += 1
                    cut += visible < 0.9
                else:
                    assert visible < rule + rough, (seed, number)
                    dropped += visible > 0.1 + rough
    assert kept > 50 and cut > 5 and (dropped > 0) == (rule == 0.5)


def test_it_depends_on_nothing_but_samples_and_seed():
    samples = [sample(number, 0) for number in range(4)]
    step = {"Mosaic": {"target_size": [100, 110], "cell_shape": [90, 80], "p": 1.0}}
    first, again = Augmenter([step]), Augmenter([step])
    first(samples[1], 7, samples[:1] + samples[2:])  # leaves nothing behind
    seen = set()
    for seed in range(5):
        one, other = (each(samples[0], seed, samples[1:]) for each in (first, again))
        assert all(np.array_equal(one[name], other[name]) for name in one)
        seen.add(one["image"].tobytes())
    assert len(seen) == 5


def test_images_without_boxes_take_part():
    empty = {"image": np.full((50, 40, 3), 9, np.uint8), "boxes": np.zeros((0, 4), np.float32)}
    empty |= {"classes": np.zeros(0, np.int32), "crowd": np.zeros(0, np.int32), "corners": np.zeros((0, 2), np.int32)}
    step = {"Mosaic": {"target_size": [100, 110], "cell_shape": [90, 80], "p": 1.0}}
    augmenter = Augmenter([step])
    result = augmenter(empty, 0, [sample(1, 0), empty, empty])
    assert set(result["classes"]) <= {2, 3} and result["corners"].shape == (len(result["boxes"]), 2)
    nothing = augmenter(empty, 0, [empty] * 3)
    assert nothing["boxes"].shape == (0, 4) and nothing["corners"].shape == (0, 2)


def test_it_needs_its_companions():
    step = {"Mosaic": {"target_size": [60, 60], "cell_shape": [40, 40], "p": 1.0}}
    with pytest.raises(AugmentError, match="Mosaic needs 3 other samples"):
        Augmenter([step])(sample(0, 0), 0)
