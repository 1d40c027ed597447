"""Metrics of segmentation against scikit-learn and cases computed by hand."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from saccade.models.errors import InputError, JobError
from saccade.models.segmentation.evaluation import SegmentationEvaluation
from saccade.models.segmentation.options import SegmentationResults

NAMES = ("background", "rose", "tulip", "daisy")


def evaluated(pairs, names=NAMES, **options):
    """An evaluation fed with pairs of truth and what was said; with two classes that is the probability."""
    evaluation = SegmentationEvaluation(names, SegmentationResults(**options))
    for number, (truth, said) in enumerate(pairs):
        truth, said = np.asarray(truth, np.uint8), np.asarray(said)
        results = {"mask": said.astype(np.uint8), "size": np.array(said.shape, np.int32)}
        if said.dtype.kind == "f":
            said = said.astype(np.float32)
            results["mask"] = (said >= (options.get("threshold") or 0.5)).astype(np.uint8)
            results["probabilities"] = np.stack([1 - said, said], axis=-1)
        evaluation.update({"mask": truth}, results, f"image{number}", dict)
    return evaluation


def some_masks(seed, count=6, classes=4, ignored=0.1):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        size = generator.integers(1, 9, 2)
        truth = generator.integers(0, classes, size)
        said = np.where(generator.random(size) < 0.6, truth, generator.integers(0, classes, size))
        yield np.where(generator.random(size) < ignored, 255, truth), said


def plain(evaluation):
    return {name: value.value for name, value in evaluation.values(intervals=False).items()}


def test_notes_name_the_classes_that_are_never_predicted():
    missed = ([[0, 1, 1, 2], [255, 0, 0, 0]], [[0, 0, 0, 0], [3, 0, 1, 0]])
    assert evaluated([missed]).notes() == [
        "never predicted: tulip (of 4 classes)",
        "never predicted where they are: rose (of 4 classes)",
    ]
    found = ([[0, 1, 2, 3]], [[0, 1, 2, 3]])
    assert evaluated([missed, found]).notes() == []


def test_a_case_by_hand():
    truth = [[0, 0, 0, 1], [0, 0, 1, 255]]
    said = [[0, 0, 1, 1], [0, 0, 0, 1]]
    values = plain(evaluated([(truth, said)], ("background", "cell"), threshold=0.5))
    assert list(values)[:7] == [
        "dice",
        "iou",
        "mean_iou",
        "mean_dice",
        "micro_iou",
        "micro_dice",
        "pixel_accuracy",
    ]
    assert values == pytest.approx(
        {
            "dice": 2 / 4,
            "iou": 1 / 3,
            "dice/cell": 2 / 4,
            "iou/cell": 1 / 3,
            "mean_iou": (1 / 3 + 4 / 6) / 2,
            "mean_dice": (2 / 4 + 8 / 10) / 2,
            "micro_iou": 5 / 9,
            "micro_dice": 5 / 7,
            "pixel_accuracy": 5 / 7,
            "iou/background": 4 / 6,
            "dice/background": 8 / 10,
        }
    )


def test_several_classes_begin_with_the_mean():
    assert next(iter(plain(evaluated(some_masks(0))))) == "mean_iou"


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_equals_scikit_learn(seed, classes):
    names = tuple(map(str, range(classes)))
    pairs = list(some_masks(seed, classes=classes))
    values = plain(evaluated(pairs, names, threshold=0.5))
    truth, said = (np.concatenate([np.ravel(pair[side]) for pair in pairs]) for side in (0, 1))
    truth, said = truth[truth != 255], said[truth != 255]
    there = [i for i in range(classes) if i in truth or i in said]
    matrix = metrics.confusion_matrix(truth, said, labels=range(classes))
    np.testing.assert_array_equal(evaluated(pairs, names, threshold=0.5)._confusion.matrix, matrix)
    ious = metrics.jaccard_score(truth, said, average=None, labels=there)
    dices = metrics.f1_score(truth, said, average=None, labels=there)
    assert {name for name in values if name.startswith("iou/")} == {f"iou/{i}" for i in there}
    for metric, each in (("iou", ious), ("dice", dices)):
        np.testing.assert_allclose([values[f"{metric}/{i}"] for i in there], each)
        assert values[f"mean_{metric}"] == pytest.approx(each.mean())
    assert values["micro_iou"] == pytest.approx(metrics.jaccard_score(truth, said, average="micro", labels=there))
    assert values["micro_dice"] == pytest.approx(metrics.f1_score(truth, said, average="micro", labels=there))
    assert values["pixel_accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert values["micro_dice"] == values["pixel_accuracy"]


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_order_does_not_matter(random):
    pairs = list(some_masks(1))
    shuffled = random.sample(pairs, len(pairs))
    assert plain(evaluated(shuffled)) == plain(evaluated(pairs))


def test_how_pixels_stand_in_images_does_not_matter():
    """Pooled: one image of all pixels gives the same metrics as many of some."""
    pairs = list(some_masks(2))
    whole = [np.concatenate([np.ravel(pair[side]) for pair in pairs])[np.newaxis] for side in (0, 1)]
    assert plain(evaluated([whole])) == plain(evaluated(pairs))


def test_a_class_is_absent_only_where_neither_truth_nor_result_has_it():
    values = plain(evaluated([([[0, 0, 1, 1]], [[0, 0, 1, 2]])]))
    assert "iou/daisy" not in values and values["iou/tulip"] == 0
    assert values["mean_iou"] == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_two_classes_of_which_the_second_is_nowhere():
    values = plain(evaluated([([[0, 0, 255]], [[0, 0, 0]])], ("background", "cell"), threshold=0.5))
    assert values["dice"] == values["iou"] == 1 and "dice/cell" not in values


def test_what_is_ignored_does_not_count_in_what_was_said():
    values = plain(evaluated([([[0, 0, 255, 255]], [[0, 0, 3, 3]])]))
    assert values["mean_iou"] == 1 and "iou/daisy" not in values


def test_intervals_hold_the_value_and_narrow_with_more_images():
    few, many = (evaluated(some_masks(3, count)).values() for count in (20, 500))
    assert all(value.low <= value.value <= value.high for value in few.values())
    for name in ("mean_iou", "pixel_accuracy", "iou/rose"):
        assert (many[name].high - many[name].low) == pytest.approx((few[name].high - few[name].low) / 5, rel=0.5)
    assert evaluated(some_masks(3, 20)).values() == few


def test_probabilities_are_needed_only_to_choose_a_threshold():
    options = SegmentationResults()
    assert "probabilities" in SegmentationEvaluation(("background", "cell"), options).needs
    assert SegmentationEvaluation(NAMES, options).needs == ("mask", "size")
    fixed = SegmentationEvaluation(("background", "cell"), SegmentationResults(threshold=0.3))
    assert fixed.needs == ("mask", "size") and fixed.choose_settings() == {}
    assert evaluated(some_masks(0)).choose_settings() == {}


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([4, 64, 1024, 5000]))
def test_no_threshold_is_better_than_the_chosen_one(seed, steps):
    """Few steps: many pixels of equal probability, some of them on a threshold."""
    generator = np.random.default_rng(seed)
    pairs = []
    for _ in range(3):
        truth = generator.random((8, 8)) < 0.3
        probability = np.clip(0.4 * truth + 0.6 * generator.random((8, 8)), 0, 1)
        probability = (np.round(probability * steps) / steps).astype(np.float32)
        pairs.append((np.where(generator.random((8, 8)) < 0.1, 255, truth), probability))
    evaluation = evaluated(pairs, ("background", "cell"))
    (chosen,) = evaluation.choose_settings().values()

    truth, probability = (np.concatenate([np.ravel(pair[side]) for pair in pairs]) for side in (0, 1))
    truth, probability = truth[truth != 255], probability[truth != 255]
    said = probability >= (np.arange(1, 1024)[:, np.newaxis] / 1024).astype(np.float32)
    dice = 2 * (said & (truth == 1)).sum(axis=1) / (said.sum(axis=1) + (truth == 1).sum())
    assert 0 < chosen < 1
    assert metrics.f1_score(truth, probability >= np.float32(chosen)) == pytest.approx(dice.max())


def test_of_equally_good_thresholds_the_middle_is_chosen():
    truth = np.array([[0, 0, 1, 1]])
    evaluation = evaluated([(truth, np.array([[0.1, 0.2, 0.6, 0.9]]))], ("background", "cell"))
    assert evaluation.choose_settings()["threshold"] == pytest.approx(0.4, abs=2 / 1024)


def test_without_the_second_class_there_is_no_threshold(caplog):
    evaluation = evaluated([(np.zeros((2, 2)), np.full((2, 2), 0.7))], ("background", "cell"))
    assert evaluation.choose_settings() == {}
    assert "no validation mask has a pixel of 'cell'" in caplog.text


def test_an_answer_that_is_no_number_is_told():
    results = {"mask": np.zeros((1, 2), np.uint8), "probabilities": np.full((1, 2, 2), np.nan, np.float32)}
    with pytest.raises(JobError, match="^a.png: the network's answer is no number: lower"):
        evaluated([], NAMES[:2]).update({"mask": np.array([[0, 1]], np.uint8)}, results, "a.png", dict)


def test_scores_and_the_worst():
    right = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
    bad = np.array([[0, 0, 0, 0, 1, 2, 2, 0, 0, 0]])
    little = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 1, 0]])
    pairs = [(right, right), (right, bad), (np.full((1, 10), 255), right), (right, little)]
    evaluation = evaluated(pairs)
    scores = evaluation.scores()
    assert scores == pytest.approx({"image0": 1, "image1": (4 / 7 + 1 / 6 + 0) / 3, "image3": (4 / 5 + 5 / 6) / 2})
    cases = evaluation.worst(5)
    assert [case.key for case in cases] == ["image1", "image3"] and evaluation.worst(1) == cases[:1]
    assert cases[0].note == "mean IoU 0.25; tulip 0.00: 0.0 % of the image missed, 20.0 % too much"
    assert cases[1].note == "mean IoU 0.82; background 0.80: 0.0 % of the image missed, 10.0 % too much"
    assert cases[1].badness == pytest.approx(1 - scores["image3"])


def test_it_grows_while_it_is_read():
    evaluation = evaluated([([[0, 1]], [[0, 1]])])
    assert plain(evaluation)["mean_iou"] == 1
    evaluation.update({"mask": np.array([[0, 1]], np.uint8)}, {"mask": np.array([[0, 0]], np.uint8)}, "next", dict)
    assert plain(evaluation)["mean_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_says_that_nothing_was_evaluated():
    with pytest.raises(JobError, match="no sample was evaluated"):
        evaluated([]).values()
    with pytest.raises(InputError, match="no pixel of these 2 images counts: their masks are all 255"):
        evaluated([([[255]], [[0]])] * 2).values()


@pytest.mark.parametrize("truth", [[[0, 1, 2]], [[0, 9]]])
def test_a_mask_that_does_not_fit_changes_nothing(truth):
    evaluation = evaluated([([[0, 1]], [[0, 1]])])
    before = evaluation.values()
    with pytest.raises(InputError, match="mask"):
        evaluation.update({"mask": np.array(truth, np.uint8)}, {"mask": np.array([[0, 0]], np.uint8)}, "bad", dict)
    assert evaluation.values() == before


@pytest.mark.parametrize("count", [2, 31])
def test_plots_for_few_and_for_many_classes(count):
    names = tuple(f"class {i} with $ome long name" for i in range(count))
    pairs = list(some_masks(5, 4, count))
    plots = evaluated(pairs, names, threshold=0.5).plots()
    assert list(plots) == ["iou", "confusion"]
    for plot in plots.values():
        plot.savefig(io.BytesIO(), format="png")  # a warning of matplotlib's would be an error


def test_plots_show_shares_and_intervals():
    plots = evaluated([([[0, 0, 0, 1]], [[0, 0, 1, 1]])], ("background", "cell"), threshold=0.5).plots()
    axes = plots["confusion"].axes[0]
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "67", (1, 0): "33", (1, 1): "100"}
    bars = plots["iou"].axes[0]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([1 / 2, 2 / 3])
    assert len(bars.lines) == 2
