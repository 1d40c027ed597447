"""Plots of classification: what is drawn, and that it can be drawn for few and for many classes."""

import io

import numpy as np
import pytest

from saccade.models.classification.evaluation import MultiLabelEvaluation, SingleLabelEvaluation


def single(labels, probabilities, names, temperature=1.0):
    evaluation = SingleLabelEvaluation(names, temperature)
    for label, row in zip(labels, probabilities, strict=True):
        evaluation.update({"label": label}, {"class_id": np.argmax(row), "probabilities": row}, "image", dict)
    return evaluation


def several(labels, probabilities, names):
    evaluation = MultiLabelEvaluation(names)
    for row, scores in zip(labels, probabilities, strict=True):
        scores = np.asarray(scores)
        evaluation.update({"labels": row}, {"present": scores >= 0.5, "probabilities": scores}, "image", dict)
    return evaluation


def saved(plot):
    """Draws it in full; a warning of matplotlib's would be an error."""
    plot.savefig(io.BytesIO(), format="png")
    return plot


@pytest.mark.parametrize("count", [2, 30, 102])
def test_confusion_for_few_and_for_many_classes(count):
    names = [f"class number {i} with $ome very long name" for i in range(count)]
    plot = saved(single(np.arange(count), np.eye(count), names).plots()["confusion"])
    numbers = [text.get_text() for text in plot.axes[0].texts]
    assert numbers == (["1"] * count if count <= 30 else [])
    assert len(plot.axes[0].get_yticklabels()) == count


def test_curves_are_named_with_their_areas():
    plots = single([0, 0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], ("_rose", "$tulip$")).plots()
    for name, entries, title in (
        ("roc", ["0.500  _rose", "0.500  $tulip$"], "mean ROC area 0.500"),
        ("precision_recall", ["0.750  _rose", "0.583  $tulip$"], "mean average precision 0.667"),
    ):
        plot = saved(plots[name])
        assert [text.get_text() for text in plot.legends[0].get_texts()] == entries
        assert plot.axes[0].get_title() == title


def test_of_many_classes_the_worst_are_drawn():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 5)
    rows = np.eye(40)[labels] * (labels >= 6)[:, None] + generator.random((200, 40))  # the first six are guessed
    plots = single(labels, rows / rows.sum(axis=1, keepdims=True), [f"n{i:02}" for i in range(40)]).plots()
    names = {text.get_text().split()[1] for text in saved(plots["roc"]).legends[0].get_texts()}
    assert len(names) == 10 and names > {f"n{i:02}" for i in range(6)}
    assert "the 10 of 40 classes with the smallest" in plots["roc"].axes[0].get_title()


def test_a_split_with_one_class_alone_has_no_roc_curve():
    plots = single([0, 0], [[0.9, 0.1], [0.2, 0.8]], ("a", "b")).plots()
    assert saved(plots["roc"]).axes[0].get_title() == "no class has a curve: no ROC area"
    assert saved(plots["precision_recall"]).legends[0].get_texts()[0].get_text() == "1.000  a"


def test_reliability_before_and_after_scaling():
    """Ten answers of 0.75, of which six are right; at temperature 1 they would be 0.9."""
    labels = [0] * 6 + [1] * 4
    after = saved(single(labels, [[0.75, 0.25]] * 10, ("a", "b"), temperature=2.0).plots()["reliability"])
    told = [text.get_text() for text in after.legends[0].get_texts()]
    assert told == [
        "before scaling: calibration error 0.300",
        "after scaling, at temperature 2: calibration error 0.150",
    ]
    points = [each.get_offsets().data.tolist() for each in after.axes[0].collections]
    np.testing.assert_allclose(points, [[[0.9, 0.6]], [[0.75, 0.6]]], rtol=1e-6)
    plain = saved(single(labels, [[0.75, 0.25]] * 10, ("a", "b")).plots()["reliability"])
    assert [text.get_text() for text in plain.legends[0].get_texts()] == ["not scaled: calibration error 0.150"]


def test_several_labels_show_where_their_thresholds_are():
    labels = [[1, 0], [0, 1], [1, 1]]
    plots = several(labels, [[0.9, 0.1], [0.8, 0.3], [0.7, 0.6]], ("cat", "dog")).plots()
    assert list(plots) == ["average_precision", "roc", "precision_recall"]
    bars, curves = saved(plots["average_precision"]), saved(plots["precision_recall"])
    assert {text.get_text() for text in bars.axes[0].get_yticklabels()} == {"cat", "dog"}
    dots = [line.get_xydata()[0].tolist() for line in curves.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [[1, 2 / 3], [1 / 2, 1]])
    saved(plots["roc"])
