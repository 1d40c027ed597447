"""Answers with degrees: the worst, median and best of them; and truth that turns out wrong during an evaluation."""

import io
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from saccade.models.classification.evaluation import SingleLabelEvaluation
from saccade.models.errors import InputError, RecipeError
from saccade.models.predictor import Predictor
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions, SegmentationResults
from saccade.models.segmentation.task import Segmentation
from saccade.pipelines.data.source import ImageSource
from saccade.pipelines.evaluating.evaluation_files import write_evaluation
from saccade.pipelines.evaluating.validation import evaluate_positions
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.report.content import read_evaluation
from saccade.pipelines.report.report import report

NAMES = ("background", "cell")


class Squares(ImageSource):
    """Grey images of their own number with a mask each: a square that grows."""

    class_names = NAMES

    def __init__(self, count):
        self.keys = self.groups = [f"square{number}" for number in range(count)]
        self.splits = {}

    def truth(self, position):
        mask = np.zeros((8, 10), np.uint8)
        mask[: position % 8, : position % 8] = 1
        return {"mask": mask}

    def encoded(self, position):
        stream = io.BytesIO()
        Image.fromarray(np.full((8, 10, 3), position, np.uint8)).save(stream, "PNG")
        return stream.getvalue()


class Broken(Squares):
    """Every fourth mask cannot be used."""

    def truth(self, position):
        mask = super().truth(position)["mask"]
        if position % 4 == 1:
            return {"mask": mask[:, 1:]}
        if position % 4 == 2:
            raise InputError("mask is a JPEG: its noise is no class")
        if position % 4 == 3:
            raise FileNotFoundError(2, "No such file or directory", "a.png")
        return {"mask": mask}


@pytest.fixture(scope="module")
def predictor():
    """Says of every pixel that it is background."""
    task = Segmentation(NAMES, SegmentationOptions(), SegmentationInput(stride=2), SegmentationResults(threshold=0.6))
    pixels = keras.Input((None, None, 3))
    undecided = keras.layers.Conv2D(2, 1, kernel_initializer="zeros")(pixels)  # 0.5, below the threshold
    return Predictor(task, keras.Model(pixels, undecided))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_worst_the_median_and_the_best(predictor, tmp_path):
    source = Squares(16)
    evaluation, bad = evaluate_positions(predictor, source, range(16))
    assert bad == {}
    write_evaluation(evaluation, bad, source, "test", predictor, tmp_path)
    scores, folder = evaluation.scores(), tmp_path / "evaluation" / "test"
    ordered = sorted(scores.values())
    shown = {name: lines(folder / f"{name}.jsonl") for name in ("worst", "median", "best")}
    assert [scores[case["key"]] for case in shown["worst"]] == ordered[:12]
    assert [scores[case["key"]] for case in shown["median"]] == ordered[6:10]
    assert [scores[case["key"]] for case in shown["best"]] == ordered[:-5:-1]
    assert shown["best"][0]["note"] == "score 1.00" and shown["best"][0]["badness"] == 0
    assert shown["median"][0]["note"].startswith("mean IoU 0.4")
    found = read_evaluation(tmp_path, "test", predictor.fingerprint)
    assert [len(cases) for cases in (found.worst, found.median, found.best)] == [12, 4, 4]
    for case in (*found.median, *found.best):
        with Image.open(case.image) as image:
            assert image.width > 600


def test_few_samples_have_few_of_each_and_equal_ones_none(predictor, tmp_path):
    for count, expected in ((5, 1), (1, None)):
        source = Squares(count)
        evaluation, _ = evaluate_positions(predictor, source, range(count))
        write_evaluation(evaluation, {}, source, "test", predictor, tmp_path)
        for name in ("median", "best"):
            path = tmp_path / "evaluation" / "test" / f"{name}.jsonl"
            assert (len(lines(path)) if path.exists() else None) == expected
            assert path.with_suffix("").exists() == path.exists()


def test_wrong_truth_is_set_aside_and_named(predictor):
    evaluation, bad = evaluate_positions(predictor, Broken(8), range(8), batch=3)
    assert list(evaluation.scores()) == ["square0", "square4"]
    assert {position: bad[position] for position in (1, 2, 3)} == {
        1: "mask is 8 x 9, its image 8 x 10 (height x width)",
        2: "mask is a JPEG: its noise is no class",
        3: "its truth: a.png: No such file or directory",
    }


def test_a_class_that_nobody_named_stops_the_evaluation(predictor):
    class Wrong(Squares):
        def truth(self, position):
            raise RecipeError("name the classes")

    with pytest.raises(RecipeError, match="^name the classes$"):
        evaluate_positions(predictor, Wrong(8), range(8))


class Graded(SingleLabelEvaluation):
    """An evaluation whose scores are how sure it was of the truth."""

    def scores(self):
        labels, _, probabilities = self._arrays
        return dict(zip(self._keys, probabilities[range(len(labels)), labels].astype(float).tolist(), strict=True))


def test_the_report_shows_them(digits_run, tmp_path):
    run = shutil.copytree(digits_run, tmp_path / "digits")
    predictor = Predictor.load(run)
    source, task = load_recipe(run / "recipe.yaml").open()
    evaluation = Graded(task.class_names)
    answers = predictor.predict([source.read(position)["bytes"] for position in range(9)])
    for position, results in enumerate(answers):
        truth = {"label": (source.truth(position)["label"] + position % 2) % 10}  # each other one is wrong
        evaluation.update(truth, results, source.keys[position], dict)
    write_evaluation(evaluation, {}, source, "test", predictor, run)
    report(run)
    page = (run / "report.html").read_text(encoding="utf-8")
    part = page.split("<h2>Worst, median, best</h2>")[1].split("</section>")[0]
    places = [part.index(f"<h3>{name}</h3>") for name in ("The worst", "Median", "The best")]
    assert places == sorted(places)
    assert "The worst mistakes" not in page
    folder = run / "evaluation" / "test"
    for name in ("worst", "median", "best"):
        assert all(case["key"] in part for case in lines(folder / f"{name}.jsonl"))
