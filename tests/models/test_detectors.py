"""What every detector must do. A new one adds two lines."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from base_network import BaseNetworkTest
from box_overlap import iou

from saccade.models.detection.options import DetectionInput, DetectionOptions
from saccade.models.detection.roi_align import level_of, pyramid_roi_align, roi_align
from saccade.models.detection.task import Detection
from saccade.models.errors import InputError

NAMES = ("car", "dog")


def make(size=None, **options):
    image = DetectionInput(fit="pad") if size is None else DetectionInput(size=size)
    small = {"channels": 8, "head_layers": 1, "strides": [8, 16, 32, 64]} | {
        "anchor_sizes": [12, 20, 32, 48],
        "anchor_scales": [1.0, 1.2],
    }
    return Detection(NAMES, DetectionOptions(**small | options), image)


def truth_of(images):
    """Two objects, one and none, in turn; of each level's size."""
    boxes = np.full((len(images), 2, 4), -1, np.float32)
    classes = np.full((len(images), 2), -1, np.int32)
    boxes[::3] = [[2, 3, 14, 16], [14, 13, 34, 35]]
    classes[::3] = [0, 1]
    boxes[1::3], classes[1::3] = [[31, 32, 63, 64], [8, 8, 56, 58]], [1, 0]
    return {"boxes": boxes, "classes": classes} | {name: np.zeros_like(classes) for name in ("crowd", "difficult")}


class DetectorTest(BaseNetworkTest):
    sizes = ((64, 64), (96, 128))
    any_size = True
    options: dict
    values = len(NAMES)
    steps = 60

    def task(self, size):
        return make(size, **self.options)

    def truth(self, images):
        return truth_of(images)

    def output(self, images):
        count = sum(-(-images.shape[1] // stride) * -(-images.shape[2] // stride) for stride in (8, 16, 32, 64)) * 6
        return {"classes": (len(images), count, self.values), "boxes": (len(images), count, 4)}

    def test_learns_four_images_by_heart(self, images):
        """The boxes it then finds are those that it was shown."""
        keras.utils.set_random_seed(0)
        task = make(self.sizes[0], **self.options)
        model = task.model()
        model.compile(optimizer=keras.optimizers.Adam(2e-3))
        x, y = task.targets({"image": images, **self.truth(images)})
        first = model.train_on_batch(x, y, return_dict=True)["loss"]
        for _ in range(self.steps):
            last = model.train_on_batch(x, y, return_dict=True)["loss"]
        assert last < 0.3 * first
        for layer in model.encoder.layers:  # few steps: the moving statistics lag behind
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0
        model(x, training=True)
        outputs = task.infer(model, x, {})
        size = np.tile([self.sizes[0]], (len(x), 1))
        as_it_is = {"scale": np.ones((len(x), 2), np.float32), "offset": np.zeros((len(x), 2), np.float32)}
        found = task.results(outputs, {"size": size} | as_it_is, {f"threshold/{name}": 0.3 for name in NAMES})
        for i in (0, 1):
            expected = self.truth(images)
            there = expected["classes"][i] >= 0
            for box, kind in zip(expected["boxes"][i][there], expected["classes"][i][there], strict=True):
                near = np.array([iou(each, box) >= 0.5 for each in found["candidate_boxes"][i].numpy() if each.any()])
                assert (found["candidate_classes"][i].numpy()[: len(near)][near] == kind).any()


class TestRetinaNet(DetectorTest):
    options = {"name": "retinanet"}


class TestSSD(DetectorTest):
    options = {"name": "ssd"}
    values = len(NAMES) + 1


class TestPlainSSD(DetectorTest):
    options = {"name": "ssd", "neck": "plain"}
    values = len(NAMES) + 1


class TestFasterRCNN(DetectorTest):
    options = {"name": "faster_rcnn"}

    def output(self, images):
        count = super().output(images)["classes"][1]
        n, height, width = images.shape[:3]
        maps = {str(each): (n, -(-height // each), -(-width // each), 8) for each in (8, 16, 32, 64)}
        return {"objectness": (n, count, 1), "boxes": (n, count, 4), "maps": maps}


class TestClassAgnosticFasterRCNN(TestFasterRCNN):
    options = {"name": "faster_rcnn", "class_agnostic": True}


class TestYoloGrid(DetectorTest):
    options = {"name": "yolo_grid"}
    steps = 80

    def truth(self, images):
        """At most one object, as two in one cell are too many."""
        return {name: value[:, 1:] for name, value in truth_of(images).items()}

    def output(self, images):
        return len(images), -(-images.shape[1] // 32), -(-images.shape[2] // 32), 12


class TestLocalizer(DetectorTest):
    options = {"name": "localizer"}
    any_size = False
    boxes = 2

    def truth(self, images):
        """At most one object."""
        return {name: value[:, 1:] for name, value in truth_of(images).items()}

    def output(self, images):
        return {"classes": (len(images), 3), "boxes": (len(images), self.boxes, 4)}


class TestClassAgnosticLocalizer(TestLocalizer):
    options = {"name": "localizer", "class_agnostic": True}
    boxes = 1


def test_a_localizer_needs_one_size():
    with pytest.raises(InputError, match="input.fit: localizer says where in a frame of one size: take letterbox"):
        make(None, name="localizer").model()


def sampled(features, box, stride, bins):
    """ROI align by a loop: bilinear samples at the middles of 2 x 2 parts of each bin."""
    height, width = features.shape[:2]
    found = np.zeros((bins, bins, features.shape[2]))
    low, step = box[:2] / stride, (box[2:] - box[:2]) / stride / bins
    for row in range(bins):
        for column in range(bins):
            for dy in (0.25, 0.75):
                for dx in (0.25, 0.75):
                    y = np.clip(low[1] + (row + dy) * step[1] - 0.5, 0, height - 1)
                    x = np.clip(low[0] + (column + dx) * step[0] - 0.5, 0, width - 1)
                    top, left = int(min(y, height - 2)), int(min(x, width - 2))
                    y, x = y - top, x - left
                    found[row, column] += (
                        features[top, left] * (1 - y) * (1 - x)
                        + features[top, left + 1] * (1 - y) * x
                        + features[top + 1, left] * y * (1 - x)
                        + features[top + 1, left + 1] * y * x
                    ) / 4
    return found


def test_roi_align_by_a_loop():
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 9, 7, 3)).astype(np.float32)
    low = random.uniform(0, 30, (6, 2))
    boxes = np.concatenate([low, np.minimum(low + random.uniform(4, 40, (6, 2)), [56, 72])], axis=1).astype(np.float32)
    owners = np.array([0, 1, 1, 0, 1, 0], np.int32)
    found = roi_align(tf.constant(features), tf.constant(boxes), tf.constant(owners), 8, 5)
    for box, owner, each in zip(boxes, owners, found, strict=True):
        np.testing.assert_allclose(each, sampled(features[owner], box, 8, 5), atol=1e-4)


def test_each_box_is_looked_up_in_the_level_of_its_size():
    boxes = np.array([[[0, 0, 30, 30], [0, 0, 112, 112], [0, 0, 230, 230], [0, 0, 2000, 2000]]], np.float32)
    assert level_of(boxes[0], [8, 16, 32]).numpy().tolist() == [0, 0, 1, 2]
    maps = {8: tf.ones([1, 64, 64, 2]), 16: tf.fill([1, 32, 32, 2], 2.0), 32: tf.fill([1, 16, 16, 2], 3.0)}
    found = pyramid_roi_align(maps, tf.constant(boxes), 3)
    assert found.shape[2:] == (3, 3, 2)
    np.testing.assert_allclose(found[0, :, 0, 0, 0], [1, 1, 2, 3], rtol=1e-6)


def test_yolo_loss_by_a_loop():
    """Equation 3 of the paper, cell by cell."""
    task = make((64, 64), name="yolo_grid")
    model, random = task.model(), np.random.default_rng(0)
    said = random.uniform(0.05, 0.95, (1, 2, 2, 12)).astype(np.float32)
    boxes, classes = np.array([[[4, 6, 30, 28], [40, 34, 60, 62]]], np.float32), np.array([[1, 0]], np.int32)
    batch = {"boxes": boxes, "classes": classes, "crowd": 0 * classes, "difficult": 0 * classes}
    x, y = task.targets({"image": np.zeros((1, 64, 64, 3), np.float32), **batch})
    expected, responsible = 0.0, set()
    for box, kind in zip(boxes[0], classes[0], strict=True):
        centre = (box[:2] + box[2:]) / 2 / 32
        column, row = centre.astype(int)
        overlaps, values = [], said[0, row, column]
        for b in range(2):
            x_, y_, w, h = values[5 * b : 5 * b + 4]
            middle, half = (np.array([column + x_, row + y_])) * 32, np.array([w**2, h**2]) * 32
            overlaps.append(iou([*(middle - half), *(middle + half)], box))
        best = int(np.argmax(overlaps))
        responsible.add((row, column, best))
        own = values[5 * best : 5 * best + 5]
        expected += 5 * np.sum((own[:2] - (centre - [column, row])) ** 2)
        expected += 5 * np.sum((own[2:4] - np.sqrt((box[2:] - box[:2]) / 64)) ** 2)
        expected += (own[4] - overlaps[best]) ** 2
        expected += np.sum((values[10:] - np.eye(2)[kind]) ** 2)
    for row in range(2):
        for column in range(2):
            for b in range(2):
                if (row, column, b) not in responsible:
                    expected += 0.5 * said[0, row, column, 5 * b + 4] ** 2
    assert float(model.compute_loss(x, y, tf.constant(said))) == pytest.approx(expected, rel=1e-5)


def random_case(values):
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (2, 12, values)).astype(np.float32)
    positive = random.random((2, 12)) < 0.3
    positive[1] = False
    counts = positive | (random.random((2, 12)) < 0.7)
    classes = np.where(positive, random.integers(0, len(NAMES), (2, 12)), -1).astype(np.int32)
    return logits, positive, counts, classes


def matches(positive, counts, classes):
    from saccade.models.detection.matcher import Matches

    return Matches(None, tf.constant(classes), tf.constant(positive), tf.constant(counts), None)


def test_focal_loss_by_a_loop():
    logits, positive, counts, classes = random_case(len(NAMES))
    expected = 0.0
    for i, a in np.argwhere(counts):
        for kind, logit in enumerate(logits[i, a].astype(np.float64)):
            p = 1 / (1 + np.exp(-logit))
            right = classes[i, a] == kind
            expected -= 0.25 * (1 - p) ** 2 * np.log(p) if right else 0.75 * p**2 * np.log(1 - p)
    model = make((64, 64), name="retinanet").model()
    found = float(model.classification_loss(logits, matches(positive, counts, classes)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_hardest_of_the_background_count_three_times_as_many_as_objects():
    logits, positive, counts, classes = random_case(len(NAMES) + 1)
    expected = 0.0
    for i in range(2):
        log_p = logits[i].astype(np.float64) - np.log(np.exp(logits[i].astype(np.float64)).sum(-1, keepdims=True))
        expected -= sum(log_p[a, classes[i, a]] for a in np.flatnonzero(positive[i]))
        background = sorted((-log_p[a, -1] for a in np.flatnonzero(counts[i] & ~positive[i])), reverse=True)
        expected += sum(background[: 3 * int(positive[i].sum()) or 10])
    model = make((64, 64), name="ssd").model()
    found = float(model.classification_loss(logits, matches(positive, counts, classes)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_ignored_objects_are_neither_learned_nor_background(random_images):
    """The loss does not depend on what is said where a crowd is."""
    task = make((64, 64), name="retinanet")
    model = task.model()
    images = random_images(1, 64, 64)
    boxes, classes = np.array([[[0, 0, 64, 64]]], np.float32), np.zeros((1, 1), np.int32)
    crowd = {"boxes": boxes, "classes": classes, "crowd": np.ones_like(classes), "difficult": np.zeros_like(classes)}
    x, y = task.targets({"image": images, **crowd})
    outputs = model(x)
    anchors = model.anchors(64, 64).numpy()
    inside = ((anchors >= 0) & (anchors <= 64)).all(1)[np.newaxis, :, np.newaxis]
    changed = outputs | {"classes": tf.where(inside, 5.0, outputs["classes"])}
    first, second = (float(model.compute_loss(x, y, each)) for each in (outputs, changed))
    assert first == pytest.approx(second)
    _, plain = task.targets({"image": images, **crowd, "crowd": np.zeros_like(classes)})
    assert model.compute_loss(x, plain, changed) > model.compute_loss(x, y, changed)


def test_anchor_recall_is_the_fraction_of_objects_that_some_anchor_covers(random_images):
    task = make((64, 64), name="ssd", strides=[16], anchor_sizes=[32], anchor_scales=[1.0], anchor_ratios=[1.0])
    model = task.model()
    boxes = np.array([[[8, 8, 40, 40], [0, 0, 6, 6], [-1, -1, -1, -1]]], np.float32)
    classes = np.array([[0, 1, -1]], np.int32)
    batch = {"boxes": boxes, "classes": classes, "crowd": 0 * classes, "difficult": 0 * classes}
    x, y = task.targets({"image": random_images(1, 64, 64), **batch})
    model.compute_loss(x, y, model(x))
    assert model.anchor_recall.result() == 0.5


@pytest.mark.parametrize(
    ("size", "options", "said"),
    [
        ((32, 32), {}, "input.size: 32 x 32 is smaller than the coarsest of model.strides, 64"),
        (
            None,
            {"strides": [64, 128], "anchor_sizes": None},
            "model.strides: mobilenet_v2 ends at stride 32: begin with 32 or less",
        ),
        (None, {"name": "retinet"}, "did you mean retinanet"),
        ((64, 64), {"freeze": 7}, "model.freeze: no level of stride 7"),
    ],
)
def test_refusals(size, options, said):
    with pytest.raises(InputError, match=said):
        make(size, **options).model()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strides": [8, 32]}, "each is twice the one before"),
        ({"anchor_sizes": [32.0]}, "anchor_sizes has 1 values for 4 strides"),
        ({"negative_iou": 0.6}, "negative_iou 0.6 is above positive_iou 0.5"),
        ({"anchor_ratios": [0.0]}, "greater than 0"),
        ({"backbone": "mobilnet_v2"}, "did you mean mobilenet_v2"),
    ],
)
def test_options_that_contradict_each_other(options, said):
    with pytest.raises(ValueError, match=said):
        make(**options)
