"""Results of a classifier: what they mean."""

import numpy as np
import pytest
import tensorflow as tf

from saccade.models import find_task
from saccade.models.errors import InputError

TASK = find_task("classification")
NAMES = ("ant", "bee", "fly")
LOGITS = np.array([[1.0, 3.0, 2.0], [0.0, -1.0, -2.0]], np.float32)


def make(thresholds="best_f1", **options):
    results = TASK.ResultOptions(thresholds=thresholds)
    return TASK(NAMES, TASK.ModelOptions(name="lenet", **options), TASK.Input.Options(size=16), results)


def test_one_label_is_the_softmax_and_its_name():
    task = make()
    results = task.results(LOGITS, {}, task.settings)
    exponents = np.exp(LOGITS)
    np.testing.assert_allclose(results["probabilities"], exponents / exponents.sum(axis=1, keepdims=True), rtol=1e-6)
    assert results["class"].numpy().tolist() == [b"bee", b"ant"]
    assert results["class_id"].numpy().tolist() == [1, 0] and results["class_id"].dtype == tf.int32
    np.testing.assert_array_equal(results["score"], results["probabilities"].numpy().max(axis=1))
    assert task.settings == {"temperature": 1.0} and task.monitor == "accuracy"


def test_a_temperature_changes_how_sure_but_not_what():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(500, 3)).astype(np.float32)
    logits[:100, 1] = np.nextafter(logits[:100].max(axis=1), np.float32(9))  # the first by the smallest step
    for temperature in (0.3, 7.0):
        results = make().results(logits, {}, {"temperature": temperature})
        exponents = np.exp(logits / temperature)
        np.testing.assert_allclose(
            results["probabilities"], exponents / exponents.sum(axis=1, keepdims=True), rtol=1e-5
        )
        np.testing.assert_array_equal(results["class_id"], logits.argmax(axis=1))
        np.testing.assert_array_equal(results["score"], results["probabilities"].numpy().max(axis=1))


def test_several_labels_are_sigmoids_against_the_threshold():
    task = make(multi_label=True)
    results = task.results(LOGITS, {}, {"threshold/ant": 0.8, "threshold/bee": 0.96, "threshold/fly": 0.1})
    np.testing.assert_allclose(results["probabilities"], 1 / (1 + np.exp(-LOGITS)), rtol=1e-6)
    assert results["present"].numpy().tolist() == [[False, False, True], [False, False, True]]
    assert results["classes"].numpy().tolist() == [[b"ant", b"bee", b"fly"]] * 2
    assert task.settings == {f"threshold/{name}": 0.5 for name in NAMES}
    assert task.monitor == "mean_average_precision"
    assert set(make(multi_label=True, thresholds=0.3).settings.values()) == {0.3}


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ("best_f2", "did you mean best_f1"),
        ({"recall": 0.9}, "a mapping has the one key precision"),
        ({"precision": 90.0}, "lie between 0 and 1"),
        (-0.1, "lie between 0 and 1"),
    ],
)
def test_thresholds_that_cannot_be(thresholds, told):
    with pytest.raises(ValueError, match=told):
        make(multi_label=True, thresholds=thresholds)


def test_thresholds_for_one_label_are_refused():
    with pytest.raises(InputError, match="results.thresholds are for several labels an image: say model.multi_label"):
        make(thresholds=0.3).check_options()


def test_half_precision_logits_give_float32_results():
    assert make().results(tf.cast(LOGITS, tf.bfloat16), {}, {"temperature": 1.5})["probabilities"].dtype == tf.float32


def test_targets_are_one_hot_or_multi_hot():
    image = np.zeros((2, 16, 16, 3), np.uint8)
    x, y = make().targets({"image": tf.constant(image), "label": tf.constant([2, 0])})
    assert x.dtype == y.dtype == tf.float32
    assert y.numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    labels = [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    _, y = make(multi_label=True).targets({"image": tf.constant(image), "labels": tf.constant(labels)})
    assert y.numpy().tolist() == labels
