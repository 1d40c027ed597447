"""Class weights against scikit-learn and by hand; balanced epochs; what is wrong is told in one line."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight

from saccade.models import find_task
from saccade.models.classification.losses import balanced_epoch, class_weights
from saccade.models.errors import InputError

TASK = find_task("classification")
NAMES = ("daisy", "rose", "tulip")


def weights(given, labels, **options):
    truths = [{"labels" if options.get("multi_label") else "label": label} for label in labels]
    return class_weights(TASK.ModelOptions(class_weights=given, **options), NAMES, truths)


@given(labels=st.lists(st.integers(0, 2), min_size=3, max_size=60).filter(lambda labels: len(set(labels)) == 3))
def test_balanced_weights_are_those_of_scikit_learn(labels):
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(labels))
    found = weights("balanced", labels)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32 and np.mean(found[labels]) == pytest.approx(1, rel=1e-5)


def test_named_weights_are_one_on_average_over_the_samples():
    found = weights({"rose": 4.0}, [0, 0, 0, 1, 2, 2])
    np.testing.assert_allclose(found, np.array([1, 4, 1]) * 6 / 9, rtol=1e-6)


def test_weights_of_labels_are_negatives_over_positives():
    labels = np.array([[1, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]], np.float32)
    np.testing.assert_allclose(weights("balanced", labels, multi_label=True), [2 / 3, 4, 3 / 2], rtol=1e-6)
    np.testing.assert_allclose(weights({"rose": 4.0}, labels, multi_label=True), [1, 4, 1])


@pytest.mark.parametrize(
    ("given", "labels", "options", "message"),
    [
        ({"roes": 2.0}, [0, 1, 2], {}, r"model\.class_weights: the data has no class 'roes': did you mean rose\?"),
        (
            {"rose": 2.0},
            [0, 0, 2],
            {},
            r"no training sample has the class 'rose'.*as 'model.class_weights=\{daisy: 2\.0\}'",
        ),
        (
            "balanced",
            [0, 1, 1],
            {},
            r"no training sample has the class 'tulip'.*as 'model.class_weights=\{rose: 2\.0\}'",
        ),
        ("balanced", np.eye(3)[:2], {"multi_label": True}, "no training sample has the class 'tulip'"),
        (
            "balanced",
            np.array([[1, 0, 1], [0, 1, 1]]),
            {"multi_label": True},
            "every training sample has the label 'tulip', which cannot be balanced",
        ),
    ],
)
def test_absent_classes_are_refused(given, labels, options, message):
    with pytest.raises(InputError, match=message) as caught:
        weights(given, labels, **options)
    assert "\n" not in str(caught.value)


def test_a_class_without_samples_needs_no_weight():
    assert weights({"rose": 3.0}, [0, 0, 1]).shape == (3,)


@given(
    labels=st.lists(st.sampled_from([0, 3, 4, 9]), min_size=1, max_size=80).map(np.array),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_balanced_epoch(labels, seed):
    chosen = balanced_epoch(labels, np.random.default_rng(seed))
    assert len(chosen) == len(labels) and chosen.dtype == np.int64
    present = np.unique(labels)
    counts = np.array([np.sum(labels[chosen] == label) for label in present])
    assert counts.sum() == len(labels) and np.ptp(counts) <= 1
    for label in present:  # without replacement until a class is used up
        times = np.bincount(chosen, minlength=len(labels))[labels == label]
        assert np.ptp(times) <= 1
    np.testing.assert_array_equal(chosen, balanced_epoch(labels, np.random.default_rng(seed)))


def test_balanced_epochs_differ_and_use_all_of_the_rare_class():
    labels = np.repeat([0, 1], [90, 10])
    one, other = (balanced_epoch(labels, np.random.default_rng((0, epoch))) for epoch in (0, 1))
    assert not np.array_equal(one, other)
    assert set(one[labels[one] == 1]) == set(range(90, 100))
    assert np.abs(np.diff(np.flatnonzero(labels[one] == 1))).max() < 20  # shuffled, not one class after the other


def test_the_task_arranges_its_epochs():
    truths = [{"label": np.int32(label)} for label in [0] * 9 + [1] * 3]
    options = {"name": "lenet"}
    natural = TASK(("a", "b"), TASK.ModelOptions(**options), TASK.Input.Options())
    balanced = TASK(("a", "b"), TASK.ModelOptions(sampling="balanced", **options), TASK.Input.Options())
    assert sorted(natural.batch_sampler(truths, 4)(np.random.default_rng(0))) == list(range(12))
    assert np.sum(balanced.batch_sampler(truths, 4)(np.random.default_rng(0)) < 9) == 6


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"sampling": "balanced", "multi_label": True}, "an image with several labels has no one class"),
        ({"sampling": "balanced", "class_weights": "balanced"}, "class_weights are balanced already"),
        ({"class_weights": {"rose": 0}}, "greater than 0"),
        ({"class_weights": {"rose": float("nan")}}, "finite number"),
        ({"class_weights": "even"}, "'none' or 'balanced'"),
        ({"loss": "hinge"}, "'cross_entropy' or 'focal'"),
        ({"focal_gamma": -1}, "greater than or equal to 0"),
        ({"l2": -0.1}, "greater than or equal to 0"),
    ],
)
def test_options_are_checked(options, part):
    with pytest.raises(ValidationError, match=part):
        TASK.ModelOptions(**options)


def test_weights_survive_the_run():
    options = TASK.ModelOptions(class_weights={"rose": 2.0})
    assert TASK.ModelOptions(**json.loads(json.dumps(options.model_dump(mode="json")))) == options
