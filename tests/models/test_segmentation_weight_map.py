"""The U-Net paper's weight map against a naive one, and by hand; targets in the tf.data graph."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from saccade.models.segmentation.losses import REACH, make_targets, weight_map, weight_maps
from saccade.models.segmentation.options import SegmentationOptions


def naive(mask, peak, sigma):
    """One full distance transform for each object."""
    distances = []
    for label in set(np.unique(mask).tolist()) - {0, 255}:
        numbers, count = ndimage.label(mask == label, np.ones((3, 3)))
        distances += [ndimage.distance_transform_edt(numbers != each) for each in range(1, count + 1)]
    if len(distances) < 2:
        return np.zeros(mask.shape)
    first, second = np.sort(distances, axis=0)[:2]
    return peak * np.exp(-((first + second) ** 2) / (2 * sigma**2))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    share=st.sampled_from([0.005, 0.02, 0.1, 0.4]),
    sigma=st.sampled_from([0.5, 1.0, 3.0, 5.0]),
)
def test_it_is_the_naive_one(seed, height, width, share, sigma):
    generator = np.random.default_rng(seed)
    mask = np.where(
        generator.random((height, width)) < share, generator.choice([1, 2, 255], (height, width)), 0
    ).astype(np.uint8)
    found = weight_map(mask, 10.0, sigma)
    assert found.shape == mask.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, naive(mask, 10.0, sigma), atol=10 * np.exp(-(REACH**2) / 2), rtol=1e-4)


def test_many_objects_over_a_large_mask():
    """Each far larger than what a window leaves out, so that a wrong margin would show."""
    mask = np.zeros((120, 150), np.uint8)
    for row in range(0, 110, 11):
        for column in range(row % 3, 140, 13):
            mask[row : row + 8, column : column + 9] = 1 + (row + column) % 2
    np.testing.assert_allclose(weight_map(mask, 10.0, 5.0), naive(mask, 10.0, 5.0), atol=4e-3, rtol=1e-4)


def test_a_gap_by_hand():
    """Two objects, three pixels apart: in the gap d1 + d2 is 4 everywhere, within an object d2 is the distance."""
    mask = np.zeros((1, 12), np.int32)
    mask[0, [2, 3, 7, 8]] = 1
    total = np.abs(np.arange(12)[:, None] - np.array([[2, 3], [7, 8]])[:, None]).min(axis=-1).sum(axis=0)
    np.testing.assert_allclose(weight_map(mask, 8.0, 5.0)[0], 8 * np.exp(-(total**2) / 50), rtol=1e-5)
    assert total[4:7].tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("rows", "some"),
    [
        (["...", "...", "..."], False),
        (["11.", "11.", "..."], False),  # one object has no second
        (["1..", ".1.", "..1"], False),  # corners touch
        (["1..", "...", "..1"], True),
        (["12.", "12.", "..."], True),  # objects of two classes are two
        (["xxx", "xxx", "xx1"], False),  # what does not count is no object
        (["1x1", "1x1", "1x1"], True),
    ],
)
def test_what_is_an_object(rows, some):
    mask = np.array([[{".": 0, "x": 255}.get(each) or int(each.replace(".", "0")) for each in row] for row in rows])
    assert (weight_map(mask, 10.0, 2.0) > 0).any() == some


def test_a_boundary_is_no_object():
    """Three classes: a lone cell in its ring has no second object; of two cells the gap is that of their interiors."""
    lone = np.zeros((1, 14), np.uint8)
    lone[0, 1:6] = [2, 1, 1, 1, 2]
    assert weight_map(lone, 8.0, 5.0).max() > 7  # without being told, the ring beside the cell would be one
    assert (weight_map(lone, 8.0, 5.0, boundary=2) == 0).all()
    two = lone.copy()
    two[0, 6:11] = [2, 1, 1, 1, 2]
    found = weight_map(two, 8.0, 5.0, boundary=2)[0]
    np.testing.assert_allclose(found[[5, 6]], 8 * np.exp(-(3**2) / 50), rtol=1e-5)  # 1 and 2 pixels to the interiors
    options = SegmentationOptions(loss="boundary", boundary_weight=8.0)
    targets = make_targets(tf.constant(two[np.newaxis]), ("background", "interior", "boundary"), options)
    np.testing.assert_array_equal(targets[0, 0, :, 1], found)


def test_a_batch_is_its_masks():
    masks = np.random.default_rng(0).integers(0, 3, (3, 9, 11)).astype(np.uint8)
    expected = np.stack([weight_map(mask, 6.0, 2.0) for mask in masks])
    np.testing.assert_array_equal(weight_maps(masks, 6.0, 2.0), expected)
    assert weight_maps(masks[:0], 6.0, 2.0).shape == (0, 9, 11)


@pytest.mark.parametrize("loss", ["boundary", {"boundary": 0.5, "dice": 1.0}, "cross_entropy", {"dice": 1.0}])
def test_targets_in_the_pipeline(loss):
    """In parallel maps of tf.data, from masks whose size is not known before."""
    options = SegmentationOptions(loss=loss, boundary_weight=6.0, boundary_sigma=2.0)
    masks = np.random.default_rng(0).choice(np.array([0, 0, 1, 2, 255], np.uint8), (12, 10, 8))
    spec = tf.TensorSpec((None, None), tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter(masks), output_signature=spec).batch(4)
    targets = data.map(lambda mask: make_targets(mask, ("none", "a", "b"), options), num_parallel_calls=4)
    found = np.concatenate([each.numpy() for each in targets])
    if "boundary" not in loss:
        assert targets.element_spec == tf.TensorSpec((None, None, None), tf.int32)
        np.testing.assert_array_equal(found, masks)
    else:
        assert targets.element_spec == tf.TensorSpec((None, None, None, 2), tf.float32)
        np.testing.assert_array_equal(found[..., 0], masks)
        np.testing.assert_array_equal(found[..., 1], weight_maps(masks, 6.0, 2.0))
