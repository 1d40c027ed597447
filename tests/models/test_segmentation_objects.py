"""Objects from masks, and the average precision of objects, by hand and against an assignment by brute force."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from skimage.draw import disk

from saccade.models.segmentation.evaluation import SegmentationEvaluation
from saccade.models.segmentation.instances import objects
from saccade.models.segmentation.metrics import THRESHOLDS, precisions
from saccade.models.segmentation.options import SegmentationResults

CELLS = ("background", "cell")


def parted(mask, names=CELLS, instances="components", pixels=1, neck=0.75):
    options = SegmentationResults(instances=instances, instance_pixels=pixels, instance_neck=neck)
    return objects(np.asarray(mask, np.uint8), names, options)


def discs(*centres, radius=9, size=(40, 60)):
    mask = np.zeros(size, np.uint8)
    for centre in centres:
        mask[disk(centre, radius, shape=size)] = 1
    return mask


def test_components_touch_by_a_side():
    mask = [[1, 0, 1], [0, 1, 1], [0, 0, 255]]
    np.testing.assert_array_equal(parted(mask), [[1, 0, 2], [0, 2, 2], [0, 0, 0]])


def test_objects_of_two_classes_are_two():
    np.testing.assert_array_equal(parted([[1, 1, 2, 0, 1]], ("background", "rose", "tulip")), [[1, 1, 3, 0, 2]])


def test_small_objects_are_dropped_and_the_rest_is_numbered_anew():
    np.testing.assert_array_equal(parted([[1, 0, 1, 1, 0, 1, 1, 1]], pixels=2), [[0, 0, 1, 1, 0, 2, 2, 2]])


def test_watershed_parts_discs_that_touch():
    mask = discs((20, 14), (20, 29), (20, 48))
    assert parted(mask).max() == 2
    found = parted(mask, instances="watershed")
    assert found.max() == 3 and ((found > 0) == (mask > 0)).all()
    middles = sorted(np.argwhere(found == number).mean(axis=0)[1] for number in (1, 2, 3))
    assert middles == pytest.approx([14, 29, 48], abs=1)
    assert parted(mask, instances="watershed", neck=9).max() == 2


def test_watershed_parts_a_chain():
    mask = discs((20, 14), (20, 29), (20, 44))
    assert parted(mask).max() == 1
    assert parted(mask, instances="watershed").max() == 3


def test_a_neck_has_a_depth():
    """Two squares of 21 pixels, joined by a bar of 11: 11 pixels to the outside in their middles, 6 on the bar."""
    mask = np.zeros((31, 91))
    mask[5:26, 5:26] = mask[5:26, 65:86] = mask[10:21, 26:65] = 1
    assert [parted(mask, instances="watershed", neck=neck).max() for neck in (4, 6)] == [2, 1]


def turned(angle, long, wide, ellipse, middle=(0.0, 0.0)):
    rows, columns = np.mgrid[-45:45, -45:45]
    rows, columns = rows - middle[0], columns - middle[1]
    along = np.abs(columns * np.cos(angle) + rows * np.sin(angle)) / long
    across = np.abs(rows * np.cos(angle) - columns * np.sin(angle)) / wide
    return along**2 + across**2 < 1 if ellipse else np.maximum(along, across) < 1


@settings(max_examples=60)
@given(
    st.floats(0, np.pi),
    st.floats(5, 42),
    st.floats(0.1, 1),
    st.booleans(),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_watershed_leaves_convex_objects_whole(angle, long, share, ellipse, middle):
    """Rods, rectangles and ellipses, thin and wide, at any angle and place."""
    mask = turned(angle, long, max(2, share * long), ellipse, middle)
    assert parted(mask, instances="watershed").max() == parted(mask).max()  # a thin one's tip may be pixels of its own


@pytest.mark.parametrize(
    "mask",
    [
        turned(0, 40, 12, ellipse=True),
        turned(0, 42, 5, ellipse=False),
        turned(0, 42, 30, ellipse=False),
        discs((0, 30), radius=20),  # goes on beyond the image
        np.ones((1, 1)),
        np.ones((1, 50)),
        np.ones((40, 30)),
        1 - np.eye(1, 600).reshape(20, 30),  # all but one corner
    ],
    ids=["ellipse", "rod", "rectangle", "half a disc", "one pixel", "line", "full", "nearly full"],
)
def test_watershed_finds_one_object(mask):
    found = parted(mask, instances="watershed")
    assert found.max() == 1 and ((found > 0) == (mask > 0)).all()


def test_watershed_keeps_what_has_no_peak():
    """As high everywhere: single pixels, a line, and an image that is all object."""
    mask = np.zeros((12, 12), np.uint8)
    mask[1, 1] = mask[4:6, 2:4] = mask[9, 3:5] = 1
    assert parted(mask, instances="watershed").max() == 3
    full = parted(np.ones((6, 7)), instances="watershed")
    assert (full > 0).all()
    for nothing in (0, 255):
        assert parted(np.full((4, 4), nothing), instances="watershed").max() == 0
        assert parted([[nothing]], instances="watershed").max() == 0


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["components", "watershed"]))
def test_every_pixel_belongs_to_one_object(seed, instances):
    mask = (np.random.default_rng(seed).random((14, 17)) < 0.6).astype(np.uint8)
    found = parted(mask, instances=instances)
    assert ((found > 0) == (mask > 0)).all()
    assert set(np.unique(found)) - {0} == set(range(1, found.max() + 1))
    assert all(parted(found == number).max() == 1 for number in range(1, found.max() + 1))


def test_objects_grow_over_their_boundary():
    mask = np.array([[2, 2, 2, 2, 2, 2, 2, 0, 2], [2, 1, 1, 2, 2, 1, 2, 0, 2], [2, 2, 2, 2, 2, 2, 2, 0, 2]])
    found = parted(mask, ("background", "interior", "boundary"))
    left, right = found[:, :4], found[:, 4:7]
    assert (left == found[1, 1]).all() and (right == found[1, 5]).all() and found[1, 1] != found[1, 5]
    assert (found[:, 7:] == 0).all()  # no interior


def test_average_precision_by_hand():
    truth = np.zeros((4, 20), int)
    truth[:, :5], truth[:, 6:10], truth[:, 12:17] = 7, 3, 900  # 20, 16 and 20 pixels
    said = np.zeros((4, 20), int)
    said[:, :4] = 1  # 16 of 20: 0.8
    said[:2, 6:10] = 2  # 8 of 16: exactly 0.5, which is not above it
    said[:, 13:18] = 5  # 16 of 24: 2/3
    said[0, 19] = 4  # too much
    found = precisions(truth, said)
    expected = [2 / 5] * 4 + [1 / 6] * 2 + [0] * 4  # 0.50 to 0.65, 0.70 and 0.75, beyond: 0.8 is not above 0.80
    np.testing.assert_allclose(found, expected)


def test_average_precision_without_objects():
    nothing, one = np.zeros((3, 3), int), np.ones((3, 3), int)
    assert np.isnan(precisions(nothing, nothing)).all()
    assert (precisions(one, nothing) == 0).all() and (precisions(nothing, one) == 0).all()
    assert (precisions(one, one * 5) == 1).all()


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0, 0.6))
def test_average_precision_equals_the_best_assignment(seed, noise):
    generator = np.random.default_rng(seed)
    truth = np.kron(generator.integers(0, 6, (4, 5)), np.ones((3, 3), int)) * 11
    said = np.where(generator.random(truth.shape) < noise, generator.integers(0, 60, truth.shape), truth)
    ids, numbers = (np.setdiff1d(np.unique(each), [0]) for each in (truth, said))
    overlaps = np.array(
        [[((truth == i) & (said == k)).sum() / ((truth == i) | (said == k)).sum() for k in numbers] for i in ids]
    ).reshape(len(ids), len(numbers))
    expected = []
    for threshold in THRESHOLDS:
        rows, columns = linear_sum_assignment(-(overlaps > threshold).astype(float))
        hits = (overlaps[rows, columns] > threshold).sum()
        expected.append(hits / (len(ids) + len(numbers) - hits))
    np.testing.assert_allclose(precisions(truth, said), expected)


def test_the_evaluation_means_over_images():
    evaluation = SegmentationEvaluation(CELLS, SegmentationResults(instances="components", threshold=0.5))
    both, one = discs((20, 14), (20, 45)), discs((20, 14))
    truth = both.astype(np.uint16)
    truth[:, 30:] *= 2
    nothing = np.zeros_like(both)
    for number, (mask, instances, said) in enumerate(
        [(both, truth, both), (both, truth, one), (nothing, nothing, nothing)]
    ):
        evaluation.update({"mask": mask, "instances": instances}, {"mask": said}, str(number), dict)
    values = evaluation.values()
    assert list(values)[:10] == [
        "dice",
        "iou",
        "mean_iou",
        "mean_dice",
        "micro_iou",
        "micro_dice",
        "pixel_accuracy",
        "ap_50",
        "ap_75",
        "mean_ap",
    ]
    assert [values[name].value for name in ("ap_50", "ap_75", "mean_ap")] == pytest.approx([0.75] * 3)
    assert values["ap_50"].low == pytest.approx(0.5) and values["ap_50"].high == pytest.approx(1)
    plots = evaluation.plots()
    assert list(plots) == ["iou", "confusion", "average_precision"]
    plots["average_precision"].savefig(io.BytesIO(), format="png")


def precision(mask, instances, said, pixels=10):
    options = SegmentationResults(instances="components", threshold=0.5, instance_pixels=pixels)
    evaluation = SegmentationEvaluation(CELLS, options)
    evaluation.update({"mask": mask, "instances": np.asarray(instances, np.uint16)}, {"mask": said}, "image", dict)
    return evaluation.values(intervals=False).get("ap_50")


def test_slivers_of_objects_where_nothing_counts_are_not_too_many():
    """On the left a cell, found; on the right nothing counts, and an object found there reaches over the line."""
    said = np.zeros((20, 40), np.uint8)
    said[:6, :6] = 1
    mask = said.copy()
    mask[:, 20:] = 255
    half = said.copy()
    half[:, 18:30] = 1  # 2 of its 12 columns count
    assert precision(mask, mask == 1, half).value == 1
    most = said.copy()
    most[:, 12:26] = 1  # 8 of 14: this one is too many
    assert precision(mask, mask == 1, most).value == 0.5
    small = said.copy()
    small[:4, 18:22] = 1  # 8 of its 16 pixels count
    assert precision(mask, mask == 1, small, pixels=10).value == 1
    assert precision(mask, mask == 1, small, pixels=8).value == 0.5


def test_an_object_in_a_wide_border_where_nothing_counts_is_found():
    """As in Pascal VOC: most of what was found lies on the border, and what is left is right."""
    mask, said = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    mask[4:16, 4:16], said[4:16, 4:16] = 255, 1
    mask[7:13, 7:13] = 1
    assert precision(mask, mask == 1, said).value == 1
    assert precision(mask, mask == 1, np.zeros_like(said)).value == 0


def test_objects_where_nothing_counts_are_left_out():
    evaluation = SegmentationEvaluation(CELLS, SegmentationResults(instances="components", threshold=0.5))
    mask, said = discs((20, 14), (20, 45)), discs((20, 14))
    instances = mask.astype(np.uint16)
    instances[:, 30:] *= 2
    mask[:, 30:] = 255
    evaluation.update({"mask": mask, "instances": instances}, {"mask": said}, "image", dict)
    assert evaluation.values(intervals=False)["mean_ap"].value == 1
    assert "mean_ap" in evaluation.values(intervals=False)


def test_without_any_object_there_is_no_precision():
    evaluation = SegmentationEvaluation(CELLS, SegmentationResults(instances="watershed", threshold=0.5))
    nothing = np.zeros((5, 5), np.uint8)
    evaluation.update({"mask": nothing, "instances": nothing}, {"mask": nothing}, "image", dict)
    assert "mean_ap" not in evaluation.values() and "average_precision" not in evaluation.plots()
