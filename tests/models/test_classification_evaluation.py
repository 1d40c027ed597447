"""Metrics of classification against scikit-learn and cases computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from saccade.models.classification.evaluation import MultiLabelEvaluation, SingleLabelEvaluation
from saccade.models.errors import JobError

NAMES = tuple("abcdefgh")


def single(labels, probabilities, names=NAMES):
    evaluation = SingleLabelEvaluation(names)
    for i, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
        results = {"class_id": np.int32(np.argmax(row)), "probabilities": np.asarray(row, np.float32)}
        evaluation.update({"label": np.int32(label)}, results, f"image{i}", dict)
    return evaluation


def several(labels, probabilities, names=NAMES, threshold=0.5):
    evaluation = MultiLabelEvaluation(names)
    for i, (row, scores) in enumerate(zip(labels, probabilities, strict=True)):
        results = {"present": np.asarray(scores) >= threshold, "probabilities": np.asarray(scores, np.float32)}
        evaluation.update({"labels": np.asarray(row, np.float32)}, results, f"image{i}", dict)
    return evaluation


def some_answers(seed, count=300):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 8, count)
    logits = generator.normal(size=(count, 8)) + 2 * np.eye(8)[labels]
    return labels, (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


def test_notes_name_the_classes_that_are_never_predicted():
    labels = [0, 0, 1, 2, 3]
    said = np.eye(5, dtype=np.float32)[[0, 1, 0, 0, 4]]  # of d a sample, of e none
    assert single(labels, said, tuple("abcde")).notes() == [
        "never predicted: c, d (of 5 classes)",
        "never predicted where they are: b (of 5 classes)",
    ]
    assert single([0, 1], np.eye(2)).notes() == []
    assert several([[1, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.4]], ("ant", "bee")).notes() == [
        "never predicted: bee (of 2 classes)"
    ]
    many = single(np.arange(20), np.eye(20)[np.zeros(20, int)], tuple(f"c{i}" for i in range(20)))
    assert many.notes() == [f"never predicted: {', '.join(f'c{i}' for i in range(1, 13))} and 7 more (of 20 classes)"]


def test_a_case_by_hand():
    evaluation = single([0, 0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], ("rose", "tulip"))
    values = {name: value.value for name, value in evaluation.values(intervals=False).items()}
    assert values == pytest.approx(
        {
            "accuracy": 0.75,
            "f1_macro": (2 / 3 + 0.8) / 2,
            "roc_auc": 0.5,
            "average_precision": (3 / 4 + 7 / 12) / 2,
            "log_loss": -np.log([0.9, 0.2, 0.6, 0.7]).mean(),
            "calibration_error": (0.1 + 0.8 + 0.4 + 0.3) / 4,
            "precision/rose": 1.0,
            "precision/tulip": 2 / 3,
            "recall/rose": 0.5,
            "recall/tulip": 1.0,
            "f1/rose": 2 / 3,
            "f1/tulip": 0.8,
            "roc_auc/rose": 0.5,
            "roc_auc/tulip": 0.5,
            "average_precision/rose": (1 + 2 / 4) / 2,
            "average_precision/tulip": (1 / 2 + 2 / 3) / 2,
        }
    )


def test_equals_scikit_learn():
    labels, probabilities = some_answers(0)
    said = probabilities.argmax(axis=1)
    values = {name: value.value for name, value in single(labels, probabilities).values(intervals=False).items()}
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(labels, said))
    assert values["top_5"] == pytest.approx(metrics.top_k_accuracy_score(labels, probabilities, k=5))
    assert values["f1_macro"] == pytest.approx(metrics.f1_score(labels, said, average="macro"))
    rows = probabilities.astype(np.float64)
    assert values["log_loss"] == pytest.approx(
        metrics.log_loss(labels, rows / rows.sum(axis=1, keepdims=True)), rel=1e-5
    )
    one_hot = labels[:, None] == np.arange(8)
    for name, expected in (
        ("precision", metrics.precision_score(labels, said, average=None)),
        ("recall", metrics.recall_score(labels, said, average=None)),
        ("f1", metrics.f1_score(labels, said, average=None)),
        ("roc_auc", metrics.roc_auc_score(one_hot, probabilities, average=None)),
        ("average_precision", metrics.average_precision_score(one_hot, probabilities, average=None)),
    ):
        np.testing.assert_allclose([values[f"{name}/{each}"] for each in NAMES], expected)
        if name in values:
            assert values[name] == pytest.approx(expected.mean())
    assert next(iter(values)) == "accuracy"


def test_intervals_hold_the_value_and_narrow_with_more_samples():
    few, many = (single(*some_answers(1, count)).values() for count in (100, 2500))
    assert all((value.low is None) == ("/" in name) for name, value in few.items())
    for name in ("accuracy", "top_5", "f1_macro", "log_loss", "roc_auc", "average_precision"):
        assert few[name].low <= few[name].value <= few[name].high
        assert (many[name].high - many[name].low) == pytest.approx((few[name].high - few[name].low) / 5, rel=0.35)
    assert few["recall/a"].low is None
    # The normal approximation of a share.
    share = many["accuracy"].value
    assert many["accuracy"].high - many["accuracy"].low == pytest.approx(
        2 * 1.96 * np.sqrt(share * (1 - share) / 2500), rel=0.1
    )


def test_intervals_are_the_same_each_time():
    assert single(*some_answers(2)).values() == single(*some_answers(2)).values()


def test_a_smaller_loss_or_error_is_better():
    values = single(*some_answers(3)).values(intervals=False)
    assert not values["log_loss"].higher_is_better and not values["calibration_error"].higher_is_better
    assert values["accuracy"].higher_is_better


def test_top_5_only_with_more_than_five_classes():
    assert "top_5" not in single([0], [[0.2] * 5], NAMES[:5]).values(intervals=False)
    assert "top_5" in single([0], [[0.1] * 6], NAMES[:6]).values(intervals=False)


def test_a_class_without_samples_is_left_out():
    evaluation = single([0, 0, 1], [[0.9, 0.1, 0], [0.2, 0, 0.8], [0, 1, 0]], ("a", "b", "c"))  # "c" is said once
    values = {name: value.value for name, value in evaluation.values().items()}
    assert values["f1_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert not [name for name in values if name.endswith("/c")]


def test_says_that_there_was_no_sample():
    with pytest.raises(JobError, match="no sample was evaluated"):
        SingleLabelEvaluation(NAMES).values()
    with pytest.raises(JobError, match="no sample was evaluated"):
        MultiLabelEvaluation(NAMES).worst(3)


def test_the_worst_are_the_surest_mistakes():
    evaluation = single([0, 1, 1, 0], [[0.9, 0.1], [0.98, 0.02], [0.6, 0.4], [0.3, 0.7]], ("rose", "tulip"))
    worst = evaluation.worst(2)
    assert [case.key for case in worst] == ["image1", "image3"]
    assert worst[0].note == "said rose 0.98, is tulip" and worst[0].badness == pytest.approx(0.98)
    assert len(evaluation.worst(10)) == 3


def test_grows_while_it_is_read():
    evaluation = single([0], [[0.9, 0.1]], ("a", "b"))
    assert evaluation.values(intervals=False)["accuracy"].value == 1.0
    evaluation.update({"label": 1}, {"class_id": 0, "probabilities": np.array([0.9, 0.1])}, "next", dict)
    assert evaluation.values(intervals=False)["accuracy"].value == 0.5


def test_several_labels_by_hand():
    labels = [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    probabilities = [[0.9, 0.6, 0.1], [0.4, 0.7, 0.1], [0.6, 0.1, 0.2]]
    values = several(labels, probabilities, ("a", "b", "c")).values(intervals=False)
    assert {name: value.value for name, value in values.items()} == pytest.approx(
        {
            "exact_match": 0.0,
            "mean_average_precision": ((1 + 2 / 3) / 2 + 1) / 2,
            "f1_macro": (1 / 2 + 2 / 3) / 2,
            "f1_micro": 4 / 7,
            "roc_auc": (1 / 2 + 1) / 2,
            "precision/a": 1 / 2,
            "precision/b": 1 / 2,
            "recall/a": 1 / 2,
            "recall/b": 1.0,
            "f1/a": 1 / 2,
            "f1/b": 2 / 3,
            "average_precision/a": (1 + 2 / 3) / 2,
            "average_precision/b": 1.0,
            "roc_auc/a": 1 / 2,
            "roc_auc/b": 1.0,
        }
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([1, 4, 100]))
def test_several_labels_equal_scikit_learn(seed, count, steps):
    """Few steps: many samples of equal score."""
    generator = np.random.default_rng(seed)
    labels = generator.random((count, 3)) < 0.4
    probabilities = (np.round(generator.random((count, 3)) * steps) / steps).astype(np.float32)
    values = several(labels, probabilities, NAMES[:3]).values(intervals=False)
    there = labels.any(axis=0)
    for name, i in zip(NAMES, np.flatnonzero(there), strict=False):
        name = NAMES[i]
        expected = metrics.average_precision_score(labels[:, i], probabilities[:, i])
        assert values[f"average_precision/{name}"].value == pytest.approx(expected)
        if not labels[:, i].all():
            expected = metrics.roc_auc_score(labels[:, i], probabilities[:, i])
            assert values[f"roc_auc/{name}"].value == pytest.approx(expected)
        else:
            assert f"roc_auc/{name}" not in values
    assert ("mean_average_precision" in values) == there.any()
    if there.any():
        said = probabilities >= 0.5
        scores = metrics.f1_score(labels, said, average=None, zero_division=0)
        assert values["f1_macro"].value == pytest.approx(np.mean(scores[there]))
        assert values["f1_micro"].value == pytest.approx(
            metrics.f1_score(labels, said, average="micro", zero_division=0)
        )
        assert values["exact_match"].value == pytest.approx(metrics.accuracy_score(labels, said))


def test_several_labels_have_intervals():
    generator = np.random.default_rng(4)
    labels = generator.random((200, 3)) < 0.3
    values = several(labels, np.clip(labels * 0.4 + generator.random((200, 3)) * 0.6, 0, 1), NAMES[:3]).values()
    for name in ("mean_average_precision", "f1_macro", "f1_micro", "exact_match", "roc_auc"):
        assert values[name].low < values[name].value < values[name].high


def test_the_worst_of_several_labels():
    evaluation = several([[1, 0], [0, 0], [1, 1]], [[0.1, 0.2], [0.3, 0.97], [0.9, 0.8]], ("cat", "dog"))
    assert [(case.key, case.note) for case in evaluation.worst(5)] == [
        ("image1", "said dog 0.97, is not"),
        ("image0", "missed cat 0.10"),
    ]


def test_scores_are_right_or_wrong():
    assert single([0, 1], [[0.9, 0.1], [0.98, 0.02]], ("a", "b")).scores() == {"image0": 1.0, "image1": 0.0}
    evaluation = several([[1, 0], [1, 1]], [[0.9, 0.2], [0.9, 0.2]], ("cat", "dog"))
    assert evaluation.scores() == {"image0": 1.0, "image1": 0.0}


def test_suspects_are_told_in_words():
    labels, probabilities = [0, 0, 0, 1, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]]
    (case,) = single(labels, probabilities, ("rose", "tulip")).label_issues(5)
    assert case.key == "image2" and case.badness == pytest.approx(0.9)
    assert case.note == "labelled rose 0.10, looks like tulip 0.90"
    labels, probabilities = [[label, 1] for label in labels], [row[::-1] for row in probabilities]
    (case,) = several(labels, probabilities, ("bud", "leaf")).label_issues(1)
    assert case.note == "labelled not bud, the model says 0.90" and case.key == "image2"
