"""Areas under curves and their intervals, against scikit-learn and plain resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from saccade.models.classification import metrics as own_metrics
from saccade.models.classification.metrics import Areas, Ranking
from saccade.models.metrics import bootstrap
from saccade.models.metrics.bootstrap import measured


def some(seed, count, steps, share=0.4):
    generator = np.random.default_rng(seed)
    labels = generator.random(count) < share
    labels[:2] = True, False
    scores = np.round((generator.random(count) + 0.5 * labels) * steps) / steps
    return labels, scores, generator.integers(0, 3, count).astype(float) + (np.arange(count) < 2)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 50), st.sampled_from([2, 8, 1000]))
def test_weighted_areas_equal_scikit_learn(seed, count, steps):
    labels, scores, weights = some(seed, count, steps)
    roc, average = Ranking(labels, scores).areas(np.stack([np.ones(count), weights]))
    for place, each in enumerate((None, weights)):
        assert roc[place] == pytest.approx(metrics.roc_auc_score(labels, scores, sample_weight=each))
        assert average[place] == pytest.approx(metrics.average_precision_score(labels, scores, sample_weight=each))


@pytest.mark.parametrize("most", [0, 10**6])
def test_what_is_quoted_is_scikit_learn_s(most, monkeypatch):
    """Of few samples and of many, whose resamples follow the slopes; a class that all samples have has no ROC area."""
    monkeypatch.setattr(own_metrics, "MAX_RESAMPLED", most)
    generator = np.random.default_rng(0)
    labels, scores = generator.random((80, 3)) < [0.3, 0.5, 2], generator.random((80, 3)).round(1)
    areas = Areas(labels, scores)
    roc = [metrics.roc_auc_score(labels[:, i], scores[:, i]) for i in range(2)]
    average = [metrics.average_precision_score(labels[:, i], scores[:, i]) for i in range(3)]
    assert areas.roc[:2].tolist() == roc and np.isnan(areas.roc[2]) and areas.average_precision.tolist() == average
    for rows in (1, 2):
        assert np.array(areas.means(np.ones((rows, 80)))).tolist() == [[np.mean(roc)] * rows, [np.mean(average)] * rows]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 30), st.sampled_from([3, 1000]))
def test_slopes_are_those_of_small_steps(seed, count, steps):
    labels, scores, _ = some(seed, count, steps)
    each = Ranking(labels, scores)
    step = 1e-6
    up, down = (np.array(each.areas(1 + sign * step * np.eye(count))) for sign in (1, -1))
    np.testing.assert_allclose(np.array(each.slopes()), (up - down) / (2 * step), atol=1e-6)


def test_a_class_without_the_other_side_has_no_roc_area():
    areas = Areas(np.array([[1, 0, 1], [1, 0, 0]], bool), np.array([[0.2, 0.1, 0.7], [0.4, 0.3, 0.6]]))
    np.testing.assert_array_equal(areas.roc, [np.nan, np.nan, 1])
    np.testing.assert_array_equal(areas.average_precision, [1, np.nan, 1])
    roc, average = areas.means(np.array([[1.0, 1.0], [2.0, 0.0]]))
    np.testing.assert_array_equal(roc, [1, np.nan])  # the second resample has nobody without the last class
    np.testing.assert_array_equal(average, [1, 1])


def test_intervals_of_many_samples_follow_the_slopes_and_agree(monkeypatch):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 600)[:, None] == np.arange(4)
    scores = generator.normal(size=(600, 4)) + 1.5 * labels

    def intervals():
        areas = Areas(labels, scores)
        return measured(lambda weights: dict(zip("ab", areas.means(weights), strict=True)), 600, True)

    exact = intervals()
    monkeypatch.setattr(own_metrics, "MAX_RESAMPLED", 0)
    linear = intervals()
    for name, value in exact.items():
        assert linear[name].value == pytest.approx(value.value)
        width = value.high - value.low
        assert (linear[name].low, linear[name].high) == pytest.approx((value.low, value.high), abs=0.15 * width)


def test_resampling_is_bounded_and_independent_of_how_much_is_done_at_once(monkeypatch):
    done = []

    def mean(weights):
        done.append(weights.shape)
        assert (weights.sum(axis=1) == 50).all()
        return {"mean": weights @ np.arange(50) / 50}

    whole = measured(mean, 50, True)
    assert done == [(1, 50), (1000, 50)]
    monkeypatch.setattr(bootstrap, "MAX_DRAWS_AT_ONCE", 350)
    assert measured(mean, 50, True) == whole and done[-1] == (6, 50)
    done.clear()
    monkeypatch.setattr(bootstrap, "MAX_DRAWS", 50 * 300)
    measured(mean, 50, True)
    assert sum(rows for rows, _ in done[1:]) == 300


def test_a_metric_that_is_not_defined_is_left_out():
    assert measured(lambda weights: {"a": np.full(len(weights), np.nan)}, 3, True) == {}
