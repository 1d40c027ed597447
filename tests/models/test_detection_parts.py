"""The parts of detectors against references in NumPy that loop over boxes."""

import numpy as np
import pytest
import tensorflow as tf
from box_overlap import iou
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.models.detection.anchors import AnchorGenerator
from saccade.models.detection.box_coder import BoxCoder
from saccade.models.detection.matcher import Matcher
from saccade.models.detection.nms import above, suppress, top_proposals

SEEDS = st.integers(0, 2**32 - 1)


def random_boxes(random, count, side=64.0):
    low = random.uniform(0, side - 4, (count, 2))
    return np.concatenate([low, np.minimum(low + random.uniform(2, side / 2, (count, 2)), side)], 1).astype(np.float32)


def test_anchors_stand_round_the_middle_of_each_cell_of_each_level():
    make = AnchorGenerator([8, 16], [20.0, 40.0], [1.0, 1.5], [0.5, 2.0])
    expected = []
    for stride, size in ((8, 20.0), (16, 40.0)):
        for row in range(-(-40 // stride)):
            for column in range(-(-52 // stride)):
                for scale in (1.0, 1.5):
                    for ratio in (0.5, 2.0):
                        width, height = size * scale / ratio**0.5, size * scale * ratio**0.5
                        x, y = (column + 0.5) * stride, (row + 0.5) * stride
                        expected.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    np.testing.assert_allclose(make(40, 52), expected, rtol=1e-6)
    graph = tf.function(
        lambda height, width: make(height, width), [tf.TensorSpec([], tf.int32)] * 2
    )  # sides that follow the image
    np.testing.assert_allclose(graph(tf.constant(40), tf.constant(52)), expected, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, objects=st.integers(0, 6))
def test_anchors_learn_what_a_loop_says(seed, objects):
    random = np.random.default_rng(seed)
    anchors, boxes = random_boxes(random, 40), random_boxes(random, objects)
    classes, ignored = random.integers(0, 3, objects), random.random(objects) < 0.25
    matcher = Matcher(0.5, 0.3)
    # a second image, in which nothing is but what fills the batch
    both = np.stack([boxes, np.full_like(boxes, -1)]), np.stack([classes, np.full_like(classes, -1)]).astype(np.int32)
    found = matcher(anchors, *both, np.stack([ignored, ignored]))

    wanted = [at for at in range(objects) if not ignored[at]]
    best_of = {at: max(iou(boxes[at], anchor) for anchor in anchors) for at in wanted}
    for number, anchor in enumerate(anchors):
        overlaps = {at: iou(boxes[at], anchor) for at in wanted}
        most = max(overlaps.values(), default=0.0)
        forced = [at for at, value in overlaps.items() if value > 0 and np.isclose(value, best_of[at], rtol=1e-5)]
        positive = most >= 0.5 or bool(forced)
        assert found.positive[0, number] == positive
        if positive:
            chosen = max(forced or overlaps, key=overlaps.get)
            assert found.classes[0, number] == classes[chosen]
            np.testing.assert_array_equal(found.boxes[0, number], boxes[chosen])
        else:
            covered = any(_inside(anchor, boxes[at]) >= 0.5 for at in range(objects) if ignored[at])
            assert found.classes[0, number] == -1
            assert found.counts[0, number] == (most < 0.3 and not covered)
    for at in range(objects):
        assert float(found.best[0, at]) == pytest.approx(best_of.get(at, 0.0), abs=1e-5)
    assert not found.positive[1].numpy().any() and found.counts[1].numpy().all()


def _inside(anchor, box):
    across, down = min(anchor[2], box[2]) - max(anchor[0], box[0]), min(anchor[3], box[3]) - max(anchor[1], box[1])
    return max(0.0, across) * max(0.0, down) / ((anchor[2] - anchor[0]) * (anchor[3] - anchor[1]))


def test_an_object_that_no_anchor_overlaps_well_is_learned_by_its_best_one():
    anchors = np.array([[0, 0, 40, 40], [40, 0, 80, 40]], np.float32)
    found = Matcher()(anchors, np.array([[[42, 2, 50, 10]]], np.float32), np.array([[1]], np.int32))
    assert found.positive.numpy().tolist() == [[False, True]] and float(found.best[0, 0]) == pytest.approx(64 / 1600)


def test_no_object_at_all_is_all_background():
    anchors = np.array([[0, 0, 40, 40]], np.float32)
    found = Matcher()(anchors, np.zeros((2, 0, 4), np.float32), np.zeros((2, 0), np.int32))
    assert found.counts.numpy().all() and not found.positive.numpy().any() and found.best.shape == (2, 0)


def test_matching_runs_under_xla():
    random = np.random.default_rng(0)
    anchors, boxes = random_boxes(random, 40), random_boxes(random, 5)[np.newaxis]
    classes = np.zeros((1, 5), np.int32)
    compiled = tf.function(Matcher(), jit_compile=True)(tf.constant(anchors), tf.constant(boxes), tf.constant(classes))
    for ours, plain in zip(compiled, Matcher()(anchors, boxes, classes), strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_boxes_come_back_from_their_deltas(seed):
    random = np.random.default_rng(seed)
    anchors, boxes = random_boxes(random, 20), random_boxes(random, 40).reshape(2, 20, 4)
    coder = BoxCoder()
    deltas = coder.encode(boxes, anchors)
    np.testing.assert_allclose(coder.decode(deltas, anchors), boxes, atol=1e-3)
    sides, own = anchors[:, 2:] - anchors[:, :2], boxes[..., 2:] - boxes[..., :2]
    offsets = ((boxes[..., :2] + boxes[..., 2:]) - (anchors[:, :2] + anchors[:, 2:])) / 2 / sides / 0.1
    np.testing.assert_allclose(deltas, np.concatenate([offsets, np.log(own / sides) / 0.2], -1), atol=1e-3)


def test_a_wild_prediction_gives_a_finite_box():
    decoded = BoxCoder().decode(tf.constant([[[0.0, 0.0, 1e4, 1e4]]]), np.array([[0, 0, 8, 8]], np.float32))
    sides = decoded[0, 0, 2:] - decoded[0, 0, :2]
    np.testing.assert_allclose(sides, [500, 500], rtol=1e-5)  # 1000 / 16 times the anchor


def greedy(boxes, scores, max_iou, most):
    kept = []
    for kind in range(scores.shape[1]):
        mine = []
        for at in np.argsort(-scores[:, kind], kind="stable"):
            if scores[at, kind] > 0.001 and all(iou(boxes[at], boxes[other]) <= max_iou for other in mine):
                mine.append(at)
        kept += [(scores[at, kind], kind, at) for at in mine[:most]]
    return sorted(kept, reverse=True)[:most]


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, most=st.sampled_from([5, 100]))
def test_suppression_is_greedy_class_by_class(seed, most):
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, 60, 40.0).reshape(2, 30, 4), random.random((2, 30, 3)).astype(np.float32) ** 3
    found = suppress(tf.constant(boxes), tf.constant(scores), 0.5, most)
    for i in range(2):
        expected = greedy(boxes[i], scores[i], 0.5, most)
        assert found.count[i] == len(expected)
        count = len(expected)
        np.testing.assert_allclose(found.scores[i, :count], [score for score, _, _ in expected])
        assert found.classes[i, :count].numpy().tolist() == [kind for _, kind, _ in expected]
        np.testing.assert_array_equal(found.boxes[i, :count], boxes[i][[at for _, _, at in expected]])
        assert not found.scores[i, count:].numpy().any() and not found.boxes[i, count:].numpy().any()


def test_a_box_without_area_is_dropped():
    boxes = np.array([[[5, 5, 5, 9], [1, 1, 4, 4]]], np.float32)
    found = suppress(tf.constant(boxes), tf.constant([[[0.9], [0.8]]]), 0.5, 10)
    assert found.count.numpy() == [1] and found.scores[0, 0] == np.float32(0.8)


def test_each_class_has_a_threshold_of_its_own():
    boxes = np.array([[[0, 0, 4, 4], [10, 0, 14, 4], [20, 0, 24, 4], [30, 0, 34, 4]]], np.float32)
    scores = np.array([[[0.9, 0], [0, 0.6], [0.4, 0], [0, 0.3]]], np.float32)
    found = above(suppress(tf.constant(boxes), tf.constant(scores), 0.5, 100), tf.constant([0.5, 0.3]))
    assert found.count.numpy() == [3]
    np.testing.assert_allclose(found.scores[0, :3], [0.9, 0.6, 0.3])
    assert found.classes[0, :3].numpy().tolist() == [0, 1, 1] and found.boxes[0, 2, 0] == 30
    assert not found.scores[0, 3:].numpy().any()


def test_proposals_are_those_of_the_highest_scores():
    random = np.random.default_rng(0)
    boxes, scores = random_boxes(random, 50)[np.newaxis], random.random((1, 50, 2)).astype(np.float32)
    _, kept = top_proposals(tf.constant(boxes), tf.constant(scores), 10)
    assert sorted(kept.numpy().max(-1)[0]) == pytest.approx(sorted(scores.max(-1)[0])[-10:])
    assert top_proposals(tf.constant(boxes), tf.constant(scores), 1000)[0].shape == (1, 50, 4)
