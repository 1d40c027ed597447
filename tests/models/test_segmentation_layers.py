"""Pooling and unpooling by place, bilinear kernels, and the accuracy that training shows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from saccade.models.segmentation.fcn import bilinear
from saccade.models.segmentation.layers import BilinearUpsampling, MaxPoolingWithPlaces, MaxUnpooling
from saccade.models.segmentation.segmenter import PixelAccuracy


@pytest.fixture
def maps():
    """Float32 `[2, 6, 8, 3]` with many equal values, as behind ReLU."""
    return np.maximum(np.random.default_rng(0).integers(-3, 4, (2, 6, 8, 3)), 0).astype(np.float32)


def pooled_by_hand(maps):
    """Maxima, and all else at zero: window by window in NumPy; the first of equal ones counts."""
    count, height, width, channels = maps.shape
    maxima, kept = np.zeros((count, height // 2, width // 2, channels), "float32"), np.zeros_like(maps)
    for n, i, j, c in np.ndindex(maxima.shape):
        window = maps[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        row, column = np.unravel_index(window.argmax(), (2, 2))
        maxima[n, i, j, c] = window[row, column]
        kept[n, 2 * i + row, 2 * j + column, c] = window[row, column]
    return maxima, kept


def test_unpooling_puts_each_maximum_back(maps):
    maxima, kept = pooled_by_hand(maps)
    found, places = MaxPoolingWithPlaces()(maps)
    np.testing.assert_array_equal(found, maxima)
    np.testing.assert_array_equal(MaxUnpooling()(found, places), kept)
    assert places.dtype == "int32" and set(np.unique(places)) == {0, 1, 2, 3}


def test_unpooling_equals_tensorflows_argmax_and_scatter(maps):
    maxima, places = tf.nn.max_pool_with_argmax(maps, 2, 2, "VALID", include_batch_in_index=True)
    other = np.random.default_rng(1).normal(size=maxima.shape).astype("float32")
    expected = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(other, [-1]), [maps.size])
    found = MaxUnpooling()(other, MaxPoolingWithPlaces()(maps)[1])
    np.testing.assert_array_equal(found, tf.reshape(expected, maps.shape))


def test_gradients_go_to_the_maxima_alone(maps):
    _, kept = pooled_by_hand(maps + 1)
    variable = tf.Variable(maps + 1)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(MaxUnpooling()(*MaxPoolingWithPlaces()(variable)))
    np.testing.assert_array_equal(tape.gradient(total, variable), kept > 0)


@pytest.mark.parametrize("jit", [False, True])
def test_pooling_and_unpooling_follow_the_size(maps, jit):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, MaxUnpooling()(*MaxPoolingWithPlaces()(image)))
    assert model.output_shape == (None, None, None, 3)
    call = tf.function(model, [tf.TensorSpec([None, None, None, 3])], jit_compile=jit)
    for each in (maps, maps[:1, :4, :2]):
        np.testing.assert_array_equal(call(each), pooled_by_hand(each)[1])


def test_unpooling_survives_its_configuration(maps):
    image = keras.Input((6, 8, 3))
    model = keras.Model(image, MaxUnpooling()(*MaxPoolingWithPlaces()(image)))
    np.testing.assert_array_equal(keras.Model.from_config(model.get_config())(maps), model(maps))


@pytest.mark.parametrize("factor", [2, 8])
def test_the_bilinear_kernel_is_bilinear_resizing_away_from_the_border(factor):
    scores = np.random.default_rng(0).normal(size=(1, 6, 5, 3)).astype("float32")
    up = keras.layers.Conv2DTranspose(
        3, 2 * factor, strides=factor, padding="same", use_bias=False, kernel_initializer=bilinear
    )
    inside = (slice(None), slice(factor, -factor), slice(factor, -factor))
    expected = tf.image.resize(scores, [6 * factor, 5 * factor])
    np.testing.assert_allclose(up(scores)[inside], expected[inside], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_upsampling_is_tensorflows_in_graphs_of_any_size(dtype):
    layer = BilinearUpsampling(4, dtype=dtype)
    call = tf.function(layer, [tf.TensorSpec([None, None, None, 2], dtype)])
    for shape in ((1, 3, 5, 2), (2, 1, 2, 2)):
        maps = tf.cast(np.random.default_rng(0).normal(size=shape), dtype)
        found = call(maps)
        assert found.dtype == dtype
        expected = tf.cast(tf.image.resize(maps, [4 * shape[1], 4 * shape[2]]), dtype)
        np.testing.assert_array_equal(tf.cast(found, "float32"), tf.cast(expected, "float32"))
    assert layer.compute_output_shape((None, None, 3, 2)) == (None, None, 12, 2)
    assert BilinearUpsampling.from_config(layer.get_config()).factor == 4


def test_accuracy_counts_the_pixels_that_count():
    logits = np.zeros((2, 2, 2, 3), "float32")
    logits[..., 1] = 1.0  # says 1 everywhere
    ids = np.array([[[1, 0], [255, 1]], [[255, 255], [255, 2]]], np.int32)
    weighed = np.stack([ids, np.full(ids.shape, 7.5)], axis=-1).astype("float32")  # ids, and what they weigh in a loss
    for truth in (ids, weighed):
        accuracy = PixelAccuracy()
        accuracy.update_state(truth, logits)
        assert float(accuracy.result()) == pytest.approx(2 / 4)
        accuracy.update_state(truth[:1, :1, :1], logits[:1, :1, :1])
        assert float(accuracy.result()) == pytest.approx(3 / 5)


def test_accuracy_of_nothing_is_zero():
    accuracy = PixelAccuracy()
    accuracy.update_state(np.full((1, 2, 2), 255), np.zeros((1, 2, 2, 3)))
    assert float(accuracy.result()) == 0.0
