"""Scenes are drawn so that a person, and a simple classifier, can read their digits."""

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from saccade.pipelines.data.formats.scene_drawing import (
    MAX_ANGLE,
    Material,
    Scene,
    draw_scene,
    material,
    most_digits,
    sides,
    strokes,
)


@pytest.fixture(scope="module")
def digits():
    return material("train")


def test_strokes_are_the_digit_enlarged(digits):
    for digit in digits.digits[:50]:
        enlarged = np.zeros((72, 72))
        ink = strokes(digit, 64, 0)
        rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
        enlarged[: ink.shape[0], : ink.shape[1]] = ink
        # Each pixel of the digit is 8 x 8 of the strokes; where ink begins within its first pixel is not known.
        best = max(
            np.corrcoef(
                np.roll(enlarged, (y, x), (0, 1))[:64, :64].reshape(8, 8, 8, 8).mean((1, 3)).ravel(),
                np.roll(digit, (-rows[0], -columns[0]), (0, 1)).ravel(),
            )[0, 1]
            for y in range(0, 8, 2)
            for x in range(0, 8, 2)
        )
        assert best > 0.9


@pytest.mark.parametrize("side", [16, 25.5, 40])
def test_strokes_turn_counter_clockwise_about_their_middle(digits, side):
    for digit in digits.digits[:10]:
        np.testing.assert_allclose(strokes(digit, side, 90), np.rot90(strokes(digit, side, 0)), atol=1e-6)


def test_strokes_have_soft_edges_of_about_a_pixel(digits):
    for side in (16, 32, 64):
        ink = [strokes(digit, side, 10) for digit in digits.digits[:50]]
        soft = np.mean([np.mean((each > 0) & (each < 1)) * each.size / _outline(each >= 0.5) for each in ink])
        assert 0.5 < soft < 2
        assert all(each.max() == 1 and each[0].any() and each[:, -1].any() for each in ink)


def test_the_limit_of_digits_always_finds_a_place(digits):
    for size in (32, 48, 64, 96, 200):
        most = most_digits(size)
        scene = draw_scene(digits, size, (most, most), np.random.default_rng(size))
        assert len(scene.digits) == len(scene.boxes()) == scene.instances.max() == most >= 1


def test_digits_are_of_legible_size_and_the_sizes_asked_for(digits):
    random = np.random.default_rng(0)
    heights = np.concatenate(
        [np.diff(draw_scene(digits, 96, (1, 2), random).boxes()[:, 1::2])[:, 0] for _ in range(60)]
    )
    smallest, largest = sides(96)
    assert smallest * 0.7 < heights.min() < 24 and 34 < heights.max() < largest * 1.4


@pytest.mark.parametrize("grey", [0, 60, 118, 160, 255])
def test_colours_stand_out(digits, grey):
    """By the contrast ratio of WCAG 2.1, computed from its formula."""
    ground = Material((Image.new("RGB", (300, 300), (grey,) * 3),), digits.digits, digits.classes)
    random = np.random.default_rng(grey)
    colours = set()
    for _ in range(20):
        scene = draw_scene(ground, 48, (1, 1), random)
        inside = scene.image[scene.instances == 1]
        values, counts = np.unique(inside, axis=0, return_counts=True)
        colours.add(tuple(values[counts.argmax()].tolist()))  # nearly all pixels, those at the edge are mixed
        assert counts.max() > 0.4 * len(inside)
        assert (scene.image[scene.instances == 0] == grey).mean() > 0.85
    assert len(colours) == 20
    for colour in colours:
        bright, dark = sorted([_luminance(colour), _luminance((grey,) * 3)], reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 3 - 1e-9


def test_a_simple_classifier_reads_the_digits():
    """Cut out of test scenes, they are near to training digits of their class."""
    random = np.random.default_rng(0)
    train = material("train")
    turned = [_small(strokes(each, 24, random.uniform(-MAX_ANGLE, MAX_ANGLE))) for each in train.digits]
    reader = KNeighborsClassifier(3).fit(turned, train.classes)
    scenes = [draw_scene(material("test"), 64, (2, 4), random) for _ in range(60)]
    read = reader.predict([cut for scene in scenes for cut in _cut_out(scene)])
    written = np.concatenate([scene.digits for scene in scenes])
    assert len(read) > 120 and np.mean(read == written) > 0.85


def _small(ink: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(np.float32(ink)).resize((10, 10), Image.Resampling.BOX)).ravel()


def _cut_out(scene: Scene) -> list[np.ndarray]:
    cuts = []
    for number, (x_min, y_min, x_max, y_max) in enumerate(scene.boxes().astype(int), start=1):
        cuts.append(_small(scene.instances[y_min:y_max, x_min:x_max] == number))
    return cuts


def _outline(inside: np.ndarray) -> int:
    """How many pairs of neighbours an edge runs between."""
    padded = np.pad(inside, 1)
    return np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])


def _luminance(colour: tuple[int, ...]) -> float:
    linear = [
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
