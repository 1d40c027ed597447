"""Calibration error, temperature, thresholds and suspicion, against plain loops and cases computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from saccade.models.classification.evaluation import MultiLabelEvaluation, SingleLabelEvaluation
from saccade.models.classification.metrics import (
    CalibrationError,
    at_precision,
    best_f1,
    fit_temperature,
    rescaled,
    suspected,
)


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def network(temperature, count=4000, seed=0):
    """Logits of five classes and labels drawn from their softmax; what a network of that temperature says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 5)) * 2
    labels = (softmax(logits).cumsum(axis=1) > generator.random((count, 1))).argmax(axis=1)
    return labels, softmax(logits / temperature).astype(np.float32)


def single(labels, probabilities, *more):
    evaluation = SingleLabelEvaluation([f"n{i}" for i in range(probabilities.shape[1])], *more)
    for i, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
        evaluation.update({"label": label}, {"class_id": row.argmax(), "probabilities": row}, str(i), dict)
    return evaluation


def several(labels, probabilities, thresholds):
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float32)
    evaluation = MultiLabelEvaluation([f"n{i}" for i in range(labels.shape[1])], thresholds)
    for i, (row, scores) in enumerate(zip(labels, probabilities, strict=True)):
        evaluation.update({"labels": row}, {"present": scores >= 0.5, "probabilities": scores}, str(i), dict)
    return evaluation


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_calibration_error_is_the_mean_gap_of_15_bins(seed, count):
    generator = np.random.default_rng(seed)
    confidence = np.append(generator.random(count), [0, 1 / 15, 1])  # a border belongs to the bin below it
    right = generator.random(count + 3) < 0.5
    expected = 0.0
    for m in range(15):
        chosen = (confidence > m / 15) & (confidence <= (m + 1) / 15) | ((confidence == 0) & (m == 0))
        if chosen.any():
            expected += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    error = CalibrationError(confidence, right)
    assert error(np.ones((1, count + 3))) == pytest.approx([expected])
    doubled = CalibrationError(np.append(confidence, confidence[0]), np.append(right, right[0]))
    twice = np.ones((1, count + 3))
    twice[0, 0] = 2
    assert error(twice) == pytest.approx(doubled(np.ones((1, count + 4))))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found(temperature):
    """A network whose logits are right but for a factor, told the temperature at which it speaks."""
    labels, said = network(1 / temperature)
    assert fit_temperature(said, labels) == pytest.approx(temperature, rel=0.05)
    labels, said = network(2 / temperature)
    assert fit_temperature(said, labels, made_at=2.0) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_log_loss():
    labels, said = network(0.4, count=300)
    found = fit_temperature(said, labels)
    losses = {t: metrics.log_loss(labels, rescaled(said, 1 / t)) for t in (*np.linspace(0.3, 7, 60), found)}
    assert min(losses, key=losses.get) == found


def test_rescaling_is_another_temperature_and_takes_zeros():
    labels, said = network(1.0, count=50)
    logits = np.log(said.astype(np.float64))
    np.testing.assert_allclose(rescaled(said, 1 / 2.5), softmax(logits / 2.5), rtol=1e-5)
    np.testing.assert_allclose(rescaled(np.array([[1.0, 0.0]], np.float32), 1.0), [[1, 0]], atol=1e-30)


def test_scaling_mends_the_calibration_error():
    labels, said = network(0.3)
    chosen = single(labels, said).choose_settings()
    before = single(labels, said).values(intervals=False)
    after = single(labels, rescaled(said, 1 / chosen["temperature"]).astype(np.float32)).values(intervals=False)
    assert before["calibration_error"].value > 0.15 and after["calibration_error"].value < 0.03
    assert after["log_loss"].value < before["log_loss"].value
    assert after["accuracy"] == before["accuracy"]


def test_the_temperature_stays_where_the_loss_says_nothing(caplog):
    labels, said = network(0.3, count=19)
    assert (
        single(labels, said).choose_settings() == {} and "19 validation samples there are less than 20" in caplog.text
    )
    assert single(said.argmax(axis=1), said).choose_settings() == {}
    labels, said = network(0.3, count=100)
    assert single(said.argmax(axis=1), said).choose_settings() == {} and "all are right" in caplog.text
    assert single(labels, said, 1.0, False).choose_settings() == {}
    assert single((said.argmax(axis=1) + 1) % 5, said).choose_settings()["temperature"] == pytest.approx(10, rel=1e-3)
    one_wrong = said.argmax(axis=1)
    one_wrong[said.max(axis=1).argmin()] += 1
    assert 0.1 <= single(one_wrong % 5, said).choose_settings()["temperature"] < 1


LABELS = np.array([1, 1, 0, 1, 0, 0], bool)
SCORES = np.array([0.9, 0.7, 0.6, 0.4, 0.2, 0.1], np.float32)


def test_thresholds_by_hand():
    assert best_f1(LABELS, SCORES) == pytest.approx(0.3)  # 0.857 with three of four, 0.8 with two of two
    assert at_precision(LABELS, SCORES, 0.9) == (pytest.approx(0.65), 1.0)
    assert at_precision(LABELS, SCORES, 0.75) == (pytest.approx(0.3), 0.75)
    assert at_precision(LABELS, SCORES, 0.5) == (pytest.approx(0.05), 0.5)
    unreachable = at_precision(~LABELS, SCORES, 0.9)  # at best half of all six
    assert unreachable == (pytest.approx(0.05), 0.5)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([2, 5, 1000]), st.floats(0.1, 1))
def test_thresholds_are_the_best_of_all(seed, count, steps, wanted):
    """Against all thresholds in turn; few steps: many samples of equal score."""
    generator = np.random.default_rng(seed)
    scores = (np.round(generator.random(count) * steps) / steps).astype(np.float32)
    labels = generator.random(count) < 0.4
    labels[generator.integers(count)] = True
    by_f1 = {cut: metrics.f1_score(labels, scores >= cut) for cut in np.unique(scores)}
    found = np.float32(best_f1(labels, scores))
    assert metrics.f1_score(labels, scores >= found) == pytest.approx(max(by_f1.values()))
    precisions = {cut: labels[scores >= cut].mean() for cut in np.unique(scores)}
    reachable = min(wanted, max(precisions.values()))
    lowest = min(cut for cut, precision in precisions.items() if precision >= reachable)
    threshold, reached = at_precision(labels, scores, wanted)
    np.testing.assert_array_equal(scores >= np.float32(threshold), scores >= lowest)
    assert reached == pytest.approx(precisions[lowest])


def test_a_threshold_between_neighbouring_floats():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    assert best_f1(np.array([True, False]), np.array([high, low])) == high


def test_thresholds_of_all_labels(caplog):
    labels = np.stack([LABELS, ~LABELS, np.zeros(6, bool)], axis=1)
    scores = np.stack([SCORES] * 3, axis=1)
    assert several(labels, scores, "best_f1").choose_settings() == {
        "threshold/n0": pytest.approx(0.3),
        "threshold/n1": pytest.approx(0.05),
    }
    assert "no validation sample has the label, its threshold stays as it is: n2" in caplog.text
    assert "less than 10 validation samples have the label, its threshold is rough: n0, n1" in caplog.text
    chosen = several(labels, scores, {"precision": 0.9}).choose_settings()
    assert chosen == {"threshold/n0": pytest.approx(0.65), "threshold/n1": pytest.approx(0.05)}
    assert "no threshold reaches precision 0.9 on validation, the highest is taken: n1 (0.50)" in caplog.text
    assert several(labels, scores, 0.3).choose_settings() == {} == several(labels, scores, 1).choose_settings()


def test_suspects_by_hand():
    """Self-confidence: 0.6 of class 0, 0.7 of class 1, 0.5 of class 2."""
    given_labels = np.array([0, 0, 0, 1, 1, 2, 2])
    probabilities = np.array(
        [
            [0.9, 0.05, 0.05],
            [0.8, 0.1, 0.1],
            [0.1, 0.75, 0.15],  # looks like class 1
            [0.2, 0.6, 0.2],
            [0.1, 0.8, 0.1],
            [0.65, 0.25, 0.1],  # looks like class 0
            [0.05, 0.05, 0.9],
        ]
    )
    samples, other = suspected(given_labels, probabilities)
    assert samples.tolist() == [2, 5] and other.tolist() == [1, 0]


def test_suspects_are_the_labels_that_were_spoilt():
    labels, said = network(0.2, count=1000)
    sure = np.flatnonzero((said.max(axis=1) > 0.99) & (said.argmax(axis=1) == labels))[:20]
    labels[sure] = (labels[sure] + 1) % 5
    found = {case.key for case in single(labels, said).label_issues(200)}
    assert {str(i) for i in sure} <= found
