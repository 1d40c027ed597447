"""Detection as a task."""

import numpy as np
import pytest
import tensorflow as tf
from base_task import BaseTaskTest

from saccade.models.contract import Tile
from saccade.models.detection.options import DetectionInput, DetectionOptions, DetectionResults
from saccade.models.detection.task import Detection
from saccade.models.errors import InputError
from saccade.models.views import View

SMALL = (
    "backbone: mobilenet_v2, channels: 8, head_layers: 1, strides: [8, 16], anchor_sizes: [14, 20], "
    "anchor_scales: [1.0]"
)


class TestLetterbox(BaseTaskTest):
    recipe = "digit_boxes"
    overrides = ("data.count=40", "input.size=64", f"model={{name: retinanet, {SMALL}}}")
    changed_input = {"fit": "stretch"}
    changed_results = {"suppression": 0.7}
    changed_evaluation = {"protocol": "voc12"}


class TestNativeSize(BaseTaskTest):
    """The input pads: what is beside an image must not be seen."""

    recipe = "digit_boxes"
    overrides = ("data.count=40", "input={fit: pad, size: null}", f"model={{name: ssd, {SMALL}}}")
    changed_input = {"fill": 7}
    changed_results = {"max_detections": 3}
    changed_evaluation = {"protocol": "voc07"}


@pytest.fixture(scope="module")
def task():
    return Detection(
        ("car", "dog"), DetectionOptions(), DetectionInput(size=(40, 60), fit="stretch"), DetectionResults()
    )


def geometry(height, width, task):
    scale = np.array([[40 / height, 60 / width]], np.float32)
    return {"size": np.array([[height, width]]), "scale": scale, "offset": np.zeros((1, 2), np.float32)}


def outputs(boxes, scores):
    return {
        "boxes": tf.constant([boxes], tf.float32),
        "scores": tf.constant([scores], tf.float32),
        "frame": tf.constant([[40.0, 60.0]]),
    }


SETTINGS = {"threshold/car": 0.5, "threshold/dog": 0.3}


def test_boxes_come_in_pixels_of_the_original_and_labels_as_text(task):
    found = task.results(
        outputs([[6, 4, 12, 20], [30, 10, 90, 30], [6, 4, 12, 19]], [[0.9, 0.1], [0.2, 0.4], [0.8, 0.0]]),
        geometry(80, 240, task),
        SETTINGS,
    )
    assert found["count"].numpy().tolist() == [2]
    np.testing.assert_allclose(found["boxes"][0, :2], [[24, 8, 48, 40], [120, 20, 240, 60]], rtol=1e-5)
    assert found["labels"][0, :3].numpy().tolist() == [b"car", b"dog", b""]
    # the third is another box of the first car; of each box every class is a candidate
    np.testing.assert_allclose(found["candidate_scores"][0, :4], [0.9, 0.4, 0.2, 0.1])
    assert found["candidate_count"].numpy().tolist() == [4]


def test_a_mirrored_view_comes_back(task):
    turned = task.invert_view(outputs([[6, 4, 12, 20]], [[0.9, 0.1]]), View(mirrored=True))
    assert turned["boxes"].numpy().tolist() == [[[48, 4, 54, 20]]]
    part = task.invert_view(outputs([[6, 4, 12, 20]], [[0.9, 0.1]]), View(part=(7, 3, 40, 60)))
    assert part["boxes"].numpy().tolist() == [[[9, 11, 15, 27]]]


def test_several_models_are_joined_and_suppressed(task):
    one, other = outputs([[6, 4, 12, 20]], [[0.9, 0.1]]), outputs([[6, 4, 12, 19]], [[0.7, 0.0]])
    found = task.results(task.average([one, other]), geometry(40, 60, task), SETTINGS)
    assert found["count"].numpy().tolist() == [1] and found["scores"][0, 0] == np.float32(0.9)


def test_an_object_on_the_seam_of_two_tiles_is_found_once(task):
    def tile(left, boxes, scores):
        count = len(boxes)
        results = {
            "candidate_boxes": np.array(boxes, np.float32).reshape(-1, 4),
            "candidate_scores": np.array(scores, np.float32),
            "candidate_classes": np.zeros(count, np.int32),
        }
        return Tile(results, 0, left, np.ones(40, np.float32), np.ones(60, np.float32))

    tiles = [
        tile(0, [[40, 5, 60, 25]], [0.8]),
        tile(40, [[0, 5, 22, 25], [30, 5, 40, 20]], [0.9, 0.7]),
        tile(80, [], []),
    ]
    found = task.merge_tiles(iter(tiles), (40, 140), SETTINGS)
    np.testing.assert_allclose(found["boxes"], [[40, 5, 62, 25], [70, 5, 80, 20]])
    assert found["labels"].tolist() == [b"car", b"car"] and found["count"] == 2


class TestDifference:
    def found(self, *rows):
        boxes, scores, classes = zip(*rows, strict=True) if rows else ((), (), ())
        return {
            "boxes": np.array(boxes, np.float32).reshape(-1, 4),
            "scores": np.array(scores, np.float32),
            "classes": np.array(classes, np.int32),
        }

    def test_the_order_of_equal_boxes_does_not_matter(self, task):
        a, b = ([0, 0, 10, 10], 0.9, 0), ([20, 0, 30, 10], 0.9, 1)
        assert task.difference(self.found(a, b), self.found(b, a)) == 0

    def test_scores_and_places_count(self, task):
        a = ([0, 0, 10, 10], 0.9, 0)
        assert task.difference(self.found(a), self.found(([0, 0, 10, 10], 0.8, 0))) == pytest.approx(0.1, rel=1e-5)
        assert task.difference(self.found(a), self.found(([0, 0, 11, 10], 0.9, 0))) == pytest.approx(0.1, rel=1e-5)

    def test_another_class_or_a_box_too_many_counts(self, task):
        a, weak = ([0, 0, 10, 10], 0.9, 0), ([50, 0, 60, 10], 0.5, 0)
        assert task.difference(self.found(a, weak), self.found(([0, 0, 10, 10], 0.9, 1), weak)) >= 0.89
        assert task.difference(self.found(a, weak), self.found(weak)) == pytest.approx(0.9)

    def test_a_box_at_the_threshold_may_be_there_or_not(self, task):
        a, at = ([0, 0, 10, 10], 0.9, 0), ([50, 0, 60, 10], 0.5, 0)
        assert task.difference(self.found(a, at), self.found(a)) == 0
        assert task.difference(self.found(), self.found()) == 0


def test_boxes_that_cannot_be_of_this_image(task):
    good = {"boxes": np.array([[0, 0, 60, 41]], np.float32), "classes": np.array([1])}
    task.check((40, 60), good)
    with pytest.raises(InputError, match=r"box 0 is 0, 0, 60, 90, and the image is 60 x 40 pixels \(width x height\)"):
        task.check((40, 60), good | {"boxes": np.array([[0, 0, 60, 90]], np.float32)})
    with pytest.raises(InputError, match="box 0 is of class 2, and there are 2 classes"):
        task.check((40, 60), good | {"classes": np.array([2])})


def test_data_without_classes():
    with pytest.raises(InputError, match="detection needs at least one class and the data has none"):
        Detection((), DetectionOptions(), DetectionInput(), DetectionResults()).model()


@pytest.mark.parametrize(
    ("value", "said"),
    [("best_f2", "best_f1"), ({"recall": 0.9}, "a mapping has the one key precision"), (1.5, "lie between 0 and 1")],
)
def test_thresholds_that_are_none(value, said):
    with pytest.raises(ValueError, match=said):
        DetectionResults(threshold=value)


def test_crop_is_refused():
    with pytest.raises(ValueError, match="it would cut off objects: take letterbox, stretch or pad"):
        DetectionInput(size=64, fit="crop")
