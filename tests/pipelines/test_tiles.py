"""Prediction in tiles: how they lie, what they weigh, that they agree with the whole, and what cannot be cut."""

import keras
import numpy as np
import pixel_task
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixel_task import smooth, whole

import saccade
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.models.segmentation import results as segmentation_results
from saccade.pipelines.predicting.tile_layout import Tiles, as_asked, lay
from saccade.pipelines.predicting.tiles import Tiler


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    task = pixel_task.make()
    return Predictor(task, task.model())


@pytest.fixture
def maps(monkeypatch):
    """What the tiles blend to, float32 `[height, width, classes]`, beside the results."""

    def seen(predictor: Predictor, image: np.ndarray, tiles: Tiles) -> tuple[dict[str, np.ndarray], np.ndarray]:
        strips, own = [], segmentation_results._blended

        def kept(given, size):
            for strip in own(given, size):
                strips.append(strip.copy())
                yield strip

        with monkeypatch.context() as patch:
            patch.setattr(segmentation_results, "_blended", kept)
            results = Tiler(predictor, tiles)(image)
        return results, np.concatenate(strips)

    return seen


@given(
    pixels=st.integers(1, 700),
    stride=st.sampled_from([1, 2, 8, 16, 32]),
    many=st.integers(2, 8),
    share=st.floats(0.01, 0.5),
)
def test_tiles_cover_a_side_as_asked(pixels, stride, many, share):
    tile = many * stride * (2 if stride < 3 else 1)
    overlap = max(1, int(share * tile))
    try:
        tiles = Tiles(tile, overlap)
        tiles.check(stride)
    except InputError:
        return  # what is refused has tests of its own
    side = lay(pixels, tiles, stride)
    starts = np.array(side.starts)
    assert starts[0] == 0 and side.end == -(-pixels // stride) * stride
    assert side.length <= tile and side.length % stride == 0 and not (starts % stride).any()
    assert (np.diff(starts) <= side.length - overlap).all() and (np.diff(starts) > 0).all()
    total = np.zeros(side.end)
    for start, weights in zip(side.starts, side.weights, strict=True):
        total[start : start + side.length] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert (side.weights >= 0).all() and side.weights[0, 0] == side.weights[-1, -1] == 1
    if len(starts) > 1:  # one tile fewer would not do
        assert (len(starts) - 1) * tile - (len(starts) - 2) * -(-overlap // stride) * stride < side.end


def test_weights_by_hand():
    """Eight shared pixels: two of the other tile alone, four of the ramp, two of this tile alone."""
    side = lay(24, Tiles(16, 7), 8)
    assert side.starts == (0, 8) and side.length == 16
    ramp = [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
    np.testing.assert_allclose(side.weights, [[1] * 8 + ramp[::-1], ramp + [1] * 8])


@pytest.mark.parametrize("size", [(61, 90), (64, 96), (40, 40), (7, 100), (100, 5), (41, 41), (1, 1), (150, 33)])
@pytest.mark.parametrize("tiles", [Tiles(40, 8), Tiles(16, 7), Tiles(32, 10)], ids=str)
def test_a_small_receptive_field_gives_the_same_everywhere(predictor, maps, size, tiles):
    """The overlap's outer quarters cover the one pixel by which a 3 x 3 convolution looks further."""
    image = smooth(*size)
    results, blended = maps(predictor, image, tiles)
    expected = whole(predictor, image)
    np.testing.assert_allclose(blended, expected["probabilities"], atol=1e-5)
    assert results.keys() == {"mask", "size"} and results["mask"].dtype == np.uint8
    assert tuple(results["size"]) == size == results["mask"].shape and results["size"].dtype == np.int32
    sure = np.diff(np.sort(expected["probabilities"], axis=-1)[..., -2:])[..., 0] > 1e-4
    np.testing.assert_array_equal(results["mask"][sure], expected["mask"][sure])
    assert sure.mean() > 0.9 and (min(size) < 20 or len(np.unique(results["mask"])) > 1)


def test_a_large_receptive_field_differs_at_the_seams_alone(maps):
    task = pixel_task.make()
    predictor = Predictor(task, pixel_task.convolution(3, task.input.shape, size=11))
    image = smooth(64, 64)
    _, blended = maps(predictor, image, Tiles(40, 8))
    different = np.abs(blended - whole(predictor, image)["probabilities"]).max(axis=-1) > 1e-4
    tops = lay(64, Tiles(40, 8), 8)
    (first, second) = tops.starts
    seam = np.arange(64)[(np.arange(64) >= second) & (np.arange(64) < first + tops.length)]
    rows, columns = np.nonzero(different)
    assert len(rows) and (np.isin(rows, seam) | np.isin(columns, seam)).all()


def test_a_deep_network_nearly_agrees(maps):
    """Pooling and upsampling on the same grid as in the whole, since tiles begin at multiples of the stride."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((None, None, 3))
    fine = keras.layers.Conv2D(6, 3, padding="same", activation="relu")(keras.layers.Rescaling(1 / 127.5, -1)(inputs))
    coarse = fine
    for _ in range(3):
        coarse = keras.layers.Conv2D(6, 3, padding="same", activation="relu")(keras.layers.MaxPooling2D()(coarse))
    joined = keras.layers.Concatenate()([fine, keras.layers.UpSampling2D(8)(coarse)])
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(joined))
    predictor = Predictor(pixel_task.make(), model)
    image = smooth(150, 170)
    results, blended = maps(predictor, image, Tiles(96, 40))
    expected = whole(predictor, image)
    assert np.abs(blended - expected["probabilities"]).mean() < 2e-3
    assert (results["mask"] == expected["mask"]).mean() > 0.99


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_two_classes_go_by_the_threshold(threshold):
    task = pixel_task.make(names=("background", "cell"))
    predictor = Predictor(task, task.model(), {"threshold": threshold})
    image = smooth(50, 70)
    expected = whole(predictor, image)
    mask = Tiler(predictor, Tiles(32, 8))(image)["mask"]
    sure = np.abs(expected["probabilities"][..., 1] - threshold) > 1e-4
    np.testing.assert_array_equal(mask[sure], (expected["probabilities"][..., 1] >= threshold)[sure])
    assert 0 < mask.mean() < 1


def test_one_tiler_serves_images_of_any_size(predictor):
    tiler = Tiler(predictor, Tiles(32, 8))
    for size in ((20, 30), (100, 64), (3, 3)):
        assert tiler(smooth(*size))["mask"].shape == size


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (0, None, "tile 0: give a tile's side in pixels, as 1024"),
        (-32, 8, "tile -32: give a tile's side"),
        (64, 0, "overlap 0: tiles share at least 1 pixel, or their seams show"),
        (64, 32, "overlap 32 is not smaller than half of tile 64: take an overlap of at most 31, or larger tiles"),
        (None, 8, "overlap 8 is of tiles, and there are none: give the tile's side too"),
    ],
)
def test_sizes_that_are_none(tile, overlap, message):
    with pytest.raises(InputError, match=message):
        as_asked(tile, overlap)


def test_sizes_as_asked():
    assert as_asked(None, None) is None
    assert as_asked(1024, None) == Tiles(1024, 64) and as_asked(512, 100) == Tiles(512, 100)
    for tile in (64, 96, 128):
        small = as_asked(tile, None)
        assert small == Tiles(tile, tile // 4)
        small.check(32)


@pytest.mark.parametrize(
    ("tiles", "stride", "message"),
    [
        (Tiles(1000, 64), 32, "tile 1000 is no multiple of input.stride 32: take 992 or 1024"),
        (Tiles(20, 4), 32, "tile 20 is no multiple of input.stride 32: take 32"),
        (
            Tiles(96, 40),
            32,
            "overlap 40 is 64 in steps of input.stride 32, more than half of tile 96: take tiles",
        ),
        (Tiles(32, 4), 32, "overlap 4 is 32 in steps of input.stride 32, more than half of tile 32.*at least 64"),
    ],
)
def test_sizes_that_do_not_go_with_the_stride(tiles, stride, message):
    task = pixel_task.make(stride=stride)
    with pytest.raises(InputError, match=message):
        Tiler(Predictor(task, task.model()), tiles)


def test_a_network_that_sees_images_resized_has_no_tiles():
    task = pixel_task.make(fit="stretch", size=16)
    with pytest.raises(InputError, match="^tiles need a network that sees .* own size, and input.fit is stretch"):
        Tiler(Predictor(task, task.model()), Tiles(64, 8))


def test_a_task_without_an_answer_for_each_pixel_has_no_tiles(digits_run):
    with pytest.raises(InputError, match="^Classification cannot merge results of tiles: predict without tiles$"):
        saccade.predict(digits_run, __file__, tile=1024)
