"""Metrics of detection against pycocotools by hand, loops, and cases computed by hand."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from saccade.models.detection.coco_map import Curves
from saccade.models.detection.drawing import MISSED, WRONG, draw, line, summary
from saccade.models.detection.evaluation import DetectionEvaluation
from saccade.models.detection.matching import KINDS, iou_matrix, judge
from saccade.models.detection.options import DetectionEvaluationOptions, DetectionResults
from saccade.models.detection.voc_ap import Scene, voc_ap
from saccade.models.errors import JobError

NAMES = ("car", "dog", "cup")
AT = {f"threshold/{name}": 0.5 for name in NAMES}
SEEDS = st.integers(0, 2**32 - 1)


def random_scene(random, objects=6, found=12, ignored=0.2, side=100):
    def boxes(count):
        low = random.uniform(0, side * 0.7, (count, 2))
        return np.concatenate([low, low + random.uniform(3, side * 0.4, (count, 2))], axis=1).astype(np.float32)

    truth = {"boxes": boxes(objects), "classes": random.integers(0, 3, objects).astype(np.int32)}
    truth |= {name: (random.random(objects) < ignored / 2).astype(np.int32) for name in ("crowd", "difficult")}
    sides = truth["boxes"][:, 2:] - truth["boxes"][:, :2]
    truth["area"] = sides.prod(1) * random.uniform(0.5, 1, objects).astype(np.float32)
    near = truth["boxes"][random.integers(0, max(objects, 1), found)] if objects else boxes(found)
    guesses = near + random.normal(0, 3, (found, 4)).astype(np.float32)
    guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2] + 1)
    scores = np.sort(random.random(found).astype(np.float32))[::-1]
    return truth, answer(guesses, scores, random.integers(0, 3, found))


def answer(boxes, scores, classes, threshold=0.5):
    """Results as the Predictor gives them."""
    boxes, scores = np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32)
    classes = np.asarray(classes, np.int32)
    served = scores >= threshold
    found = {"boxes": boxes[served], "scores": scores[served], "classes": classes[served]}
    return found | {
        "count": served.sum(),
        "candidate_boxes": boxes,
        "candidate_scores": scores,
        "candidate_classes": classes,
        "candidate_count": len(boxes),
    }


def truth_of(boxes, classes, **others):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    whole = {"boxes": boxes, "classes": np.asarray(classes, np.int32)}
    whole |= {name: np.zeros(len(boxes), np.int32) for name in ("crowd", "difficult")}
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return whole | {"area": area} | {name: np.asarray(value, np.int32) for name, value in others.items()}


def evaluated(scenes, results=None, protocol="coco", settings=AT):
    options = DetectionEvaluationOptions(protocol=protocol)
    evaluation = DetectionEvaluation(NAMES, results or DetectionResults(), options, settings)
    for number, (truth, found) in enumerate(scenes):
        evaluation.update(truth, found, f"image {number}", dict)
    return evaluation


def by_hand(evaluation, tmp_path):
    """pycocotools on the files that the evaluation leaves."""
    for name, content in evaluation.files().items():
        (tmp_path / name).write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "coco_truth.json"))
        compared = COCOeval(truth, truth.loadRes(str(tmp_path / "coco_detections.json")), "bbox")
        compared.evaluate()
        compared.accumulate()
        compared.summarize()
    return compared


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools_on_the_exported_files(seed, tmp_path):
    random = np.random.default_rng(seed)
    evaluation = evaluated([random_scene(random, int(random.integers(0, 8)), 10) for _ in range(12)])
    compared = by_hand(evaluation, tmp_path)
    names = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "ar_1", "ar_10", "ar_100")
    values = evaluation.values()
    for name, expected in zip(names, compared.stats, strict=False):
        if expected == -1:
            assert name not in values
        else:
            assert values[name].value == pytest.approx(expected, abs=1e-9)
    for at, name in enumerate(NAMES):
        precision = compared.eval["precision"][:, :, at, 0, -1]
        assert values[f"ap/{name}"].value == pytest.approx(precision.mean(), abs=1e-9)
    during = evaluation.values(intervals=False)
    assert during["map"].value == pytest.approx(compared.stats[0], abs=1e-9) and "map_small" not in during
    assert during["map"].low is None and values["map"].low <= values["map"].value <= values["map"].high
    for content in evaluation.files().values():
        json.loads(content)


@pytest.mark.parametrize("seed", range(3))
def test_weighing_every_image_once_gives_pycocotools_precision(seed):
    """What the intervals are resampled from."""
    random = np.random.default_rng(seed)
    evaluation = evaluated([random_scene(random) for _ in range(8)])
    compared = evaluation._coco.compare()
    precision = compared.eval["precision"][..., 0, -1]  # thresholds, recalls, classes
    np.testing.assert_allclose(Curves(compared).precisions(np.ones(8)), precision.mean(axis=(1, 2)), atol=1e-9)


def test_intervals_narrow_with_more_images():
    random = np.random.default_rng(0)
    few, many = ([random_scene(random) for _ in range(count)] for count in (10, 160))
    widths = [value.high - value.low for value in (evaluated(each).values()["map"] for each in (few, many))]
    assert widths[1] < widths[0] / 2


def test_nothing_found_and_nothing_there():
    box = [[10, 10, 30, 30]]
    assert evaluated([(truth_of(box, [0]), answer([], [], []))]).values()["map"].value == 0
    nothing = evaluated([(truth_of([], []), answer(box, [0.9], [0]))])
    values = nothing.values()
    assert "map" not in values and values["precision"].value == 0
    assert nothing.notes() == ["no image has an object that counts: there is no average precision"]
    with pytest.raises(JobError, match="no sample was evaluated"):
        evaluated([]).values()


def test_scores_that_are_no_numbers_stop_the_job():
    with pytest.raises(JobError, match="image 0: the network's answer is no number"):
        evaluated([(truth_of([], []), answer([[1, 1, 2, 2]], [np.nan], [0]))])


def greedy(found, found_classes, boxes, classes, threshold=0.5):
    """Which object each detection is right about, by a loop."""
    taken, right = set(), []
    for box, kind in zip(found, found_classes, strict=True):
        overlaps = iou_matrix([box], boxes)[0] if len(boxes) else []
        free = [(value, at) for at, value in enumerate(overlaps) if classes[at] == kind and at not in taken]
        best = max(free, default=(0, -1), key=lambda pair: (pair[0], -pair[1]))
        right.append(best[1] if best[0] >= threshold else -1)
        taken |= {right[-1]} - {-1}
    return right


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_right_are_those_that_a_loop_finds(seed):
    random = np.random.default_rng(seed)
    truth, found = random_scene(random, 5, 10, ignored=0)
    judged = judge(
        found["candidate_boxes"], found["candidate_classes"], truth["boxes"], truth["classes"], truth["crowd"]
    )
    expected = greedy(found["candidate_boxes"], found["candidate_classes"], truth["boxes"], truth["classes"])
    assert [at if kind == 0 else -1 for at, kind in zip(judged.objects, judged.kinds, strict=True)] == expected
    assert judged.missed.tolist() == [at not in expected for at in range(5)]


def test_what_is_wrong_about_each_box():
    truth = truth_of([[0, 0, 20, 20], [40, 40, 60, 60], [70, 0, 90, 20]], [0, 1, 0], crowd=[0, 0, 1])
    rows = [
        ([0, 0, 20, 19], 0, "right"),
        ([0, 1, 20, 20], 0, "duplicate"),
        ([40, 40, 60, 59], 2, "class"),
        ([45, 45, 70, 70], 1, "place"),
        ([45, 46, 70, 70], 0, "class and place"),
        ([5, 70, 20, 90], 1, "background"),
        ([75, 5, 85, 15], 0, "ignored"),
    ]
    boxes, classes, expected = zip(*rows, strict=True)
    found = answer(boxes, np.linspace(0.9, 0.6, len(rows)), classes)
    judged = judge(found["boxes"], found["classes"], truth["boxes"], truth["classes"], truth["crowd"])
    assert [KINDS[kind] for kind in judged.kinds] == list(expected)
    assert judged.missed.tolist() == [False, True, False]
    evaluation = evaluated([(truth, found)])
    assert evaluation.errors() == {
        "class": 1,
        "place": 1,
        "class and place": 1,
        "duplicate": 1,
        "background": 1,
        "missed": 0,  # the dog was meant, under another class and out of place
    }
    values = evaluation.values()
    assert values["precision"].value == pytest.approx(1 / 6) and values["recall"].value == 0.5
    assert values["f1"].value == pytest.approx(2 / 8)
    assert evaluation.confusion().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [2, 2, 0, 0]]
    (case,) = evaluation.worst(5)
    assert case.key == "image 0" and case.badness == pytest.approx(0.75)
    assert case.note == (
        "1 missed, 1 twice, 1 of another class, 1 out of place, 1 of another class and out of place, "
        "1 of the background"
    )
    (issue,) = evaluation.label_issues(5)
    assert issue.note == "dog 0.65 where truth has nothing"
    assert evaluation.scores() == {"image 0": pytest.approx(0.25)}


class TestThresholds:
    SCENES = (
        # right at 0.9, 0.8, 0.4; wrong at 0.6 and 0.2: F1 is 2/3 * ... best with all three that are right
        [
            (
                truth_of([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]] * 1, [0, 0, 0]),
                answer(
                    [[0, 0, 10, 10], [20, 0, 30, 10], [70, 70, 80, 80], [40, 0, 50, 10], [70, 20, 80, 30]],
                    [0.9, 0.8, 0.6, 0.4, 0.2],
                    [0] * 5,
                ),
            )
        ]
        * 4
    )

    def test_best_f1(self):
        """2/3 at 0.9, 4/5 at 0.8, 4/6 at 0.6, 6/7 at 0.4."""
        chosen = evaluated(self.SCENES).choose_settings()
        assert chosen["threshold/car"] == pytest.approx(0.3)  # between 0.4 and 0.2

    def test_the_lowest_with_a_precision(self):
        for least, expected in ((0.9, 0.7), (0.75, 0.3), (0.5, 0.1)):
            chosen = evaluated(self.SCENES, DetectionResults(threshold={"precision": least})).choose_settings()
            assert chosen["threshold/car"] == pytest.approx(expected)

    def test_a_number_stays(self):
        assert evaluated(self.SCENES, DetectionResults(threshold=0.7)).choose_settings() == {}

    def test_rare_classes_have_that_of_all_together(self, caplog):
        with caplog.at_level("INFO"):
            chosen = evaluated(self.SCENES).choose_settings()
        assert chosen["threshold/dog"] == chosen["threshold/car"]
        assert "less than 10 validation objects: the common threshold is taken for dog, cup" in caplog.text

    def test_without_objects_nothing_is_chosen(self):
        assert evaluated([(truth_of([], []), answer([], [], []))]).choose_settings() == {}


class TestVoc:
    TRUTH = truth_of([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], [0, 0, 0])

    def scene(self, truth, found):
        return Scene(
            truth["boxes"],
            truth["classes"],
            truth["difficult"],
            found["candidate_boxes"],
            found["candidate_scores"],
            found["candidate_classes"],
        )

    def test_by_hand(self):
        """Right, wrong, right: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3; the third object is not found."""
        found = answer([[0, 0, 10, 10], [70, 0, 80, 10], [20, 0, 30, 10]], [0.9, 0.8, 0.7], [0, 0, 0])
        scenes = [self.scene(self.TRUTH, found)]
        assert voc_ap(scenes, 0, eleven_points=False) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
        # recall 0, 0.1, 0.2, 0.3 have precision 1; 0.4, 0.5, 0.6 have 2/3; the other four have none
        assert voc_ap(scenes, 0, eleven_points=True) == pytest.approx((4 + 3 * 2 / 3) / 11)

    def test_difficult_objects_do_not_count_either_way(self):
        truth = self.TRUTH | {"difficult": np.array([0, 1, 0], np.int32)}
        found = answer([[20, 0, 30, 10], [0, 0, 10, 10], [40, 0, 50, 10]], [0.9, 0.8, 0.7], [0, 0, 0])
        for points in (True, False):
            assert voc_ap([self.scene(truth, found)], 0, points) == pytest.approx(1.0)
            assert voc_ap([self.scene(truth, answer([], [], []))], 0, points) == 0

    def test_a_second_box_of_an_object_is_wrong(self):
        found = answer([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8], [0, 0])
        assert voc_ap([self.scene(self.TRUTH, found)], 0, False) == pytest.approx(1 / 3)

    def test_a_class_that_is_not_there_has_none(self):
        assert np.isnan(voc_ap([self.scene(self.TRUTH, answer([], [], []))], 1, True))

    @pytest.mark.parametrize("protocol", ["voc07", "voc12"])
    def test_in_the_evaluation(self, protocol):
        scenes = [random_scene(np.random.default_rng(seed)) for seed in range(5)]
        values = evaluated(scenes, protocol=protocol).values()
        each = [voc_ap([self.scene(*scene) for scene in scenes], kind, protocol == "voc07") for kind in range(3)]
        assert values["voc_map"].value == pytest.approx(np.mean(each)) and "map" not in values
        assert values["voc_ap/dog"].value == pytest.approx(each[1])


def test_plots_can_be_drawn():
    random = np.random.default_rng(0)
    for protocol in ("coco", "voc12"):
        plots = evaluated([random_scene(random) for _ in range(4)], protocol=protocol).plots()
        assert list(plots) == ["average_precision", "precision_recall", "confusion", "errors"]
        for plot in plots.values():
            plot.savefig(io.BytesIO(), format="png")  # a warning of matplotlib's would be an error


class TestDrawing:
    TRUTH = truth_of([[10, 10, 60, 50], [70, 20, 95, 60]], [0, 1])
    FOUND = answer([[11, 10, 60, 49], [10, 70, 40, 90]], [0.9, 0.8], [0, 2])

    def test_marks_what_was_missed_and_what_is_wrong(self):
        image = np.full((100, 100, 3), 60, np.uint8)
        both = draw(NAMES, image, self.FOUND, self.TRUTH)
        assert both.dtype == np.uint8 and both.shape[1] > 2 * 320
        flat = both.reshape(-1, 3)
        assert (flat == MISSED).all(1).any() and (flat == WRONG).all(1).any()
        right = draw(NAMES, image, answer([[10, 10, 60, 50], [70, 20, 95, 60]], [0.9, 0.8], [0, 1]), self.TRUTH)
        assert not (right.reshape(-1, 3) == WRONG).all(1).any()

    @pytest.mark.parametrize("size", [(1, 1), (20, 300), (3000, 40)])
    def test_any_size_with_and_without(self, size):
        image = np.zeros((*size, 3), np.uint8)
        nothing = answer([], [], [])
        for results, truth in ((nothing, None), (None, truth_of([], [])), (None, None), (nothing, truth_of([], []))):
            assert draw(NAMES, image, results, truth).ndim == 3
        assert draw(NAMES, image, self.FOUND, self.TRUTH).dtype == np.uint8

    def test_in_words(self):
        assert summary(NAMES, self.TRUTH) == "1 car, 1 dog" and summary(NAMES, {"classes": []}) == "nothing"
        assert line(NAMES, self.FOUND) == {
            "count": 2,
            "boxes": [
                {"label": "car", "score": 0.9, "box": [11.0, 10.0, 60.0, 49.0]},
                {"label": "cup", "score": 0.8, "box": [10.0, 70.0, 40.0, 90.0]},
            ],
        }
