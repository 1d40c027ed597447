"""The evaluation job, against scikit-learn on the Predictor's own answers."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.checking.splits import split
from saccade.pipelines.evaluate import evaluate
from saccade.pipelines.recipe import load_recipe
from saccade.pipelines.run import recipe_file


def test_the_test_split_is_quoted_with_intervals(digits_run):
    values = evaluate(digits_run)
    recipe = load_recipe(recipe_file(digits_run))
    source, _ = recipe.open()
    positions = split(source, recipe.data)["test"]
    truth = [int(source.truth(position)["label"]) for position in positions]
    answers = Predictor.load(digits_run).predict([source.read(position) for position in positions])
    said = [int(answer["class"].decode()) for answer in answers]
    assert values["accuracy"].value == pytest.approx(accuracy_score(truth, said))
    assert values["f1_macro"].value == pytest.approx(f1_score(truth, said, average="macro"))
    assert values["accuracy"].low < values["accuracy"].value < values["accuracy"].high
    folder = digits_run / "evaluation" / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["figures"]["accuracy"]["value"] == values["accuracy"].value
    cases = (folder / "worst.jsonl").read_text().splitlines()
    assert len(cases) == len(list((folder / "worst").iterdir())) > 0
    for name in ("confusion.png",):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200


def write_digits(folder, names, picture=True):
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((8, 8), 100 * number + int(name), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_all_of_other_data(digits_run, tmp_path):
    write_digits(tmp_path, "0123456789")
    values = evaluate(digits_run, "all", ["data={source: folder}", f"data.path={tmp_path}"])
    answers = Predictor.load(digits_run).predict(sorted(tmp_path.rglob("*.png")))
    right = [answer["class"].decode() == str(number // 2) for number, answer in enumerate(answers)]
    assert values["accuracy"].value == pytest.approx(np.mean(right))


def test_other_classes_are_refused(digits_run, tmp_path):
    write_digits(tmp_path, "012")
    with pytest.raises(InputError, match="other classes than the run: 3, 4"):
        evaluate(digits_run, "test", ["data={source: folder}", f"data.path={tmp_path}"])


def test_only_data_can_be_changed(digits_run):
    with pytest.raises(InputError, match=r"only data\.\* can be changed"):
        evaluate(digits_run, "test", ["model.name=resnet20"])


def test_an_empty_split(digits_run):
    with pytest.raises(InputError, match=r"the test split is empty \(data\.test is its share"):
        evaluate(digits_run, "test", ["data.test=0"])


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        evaluate(tmp_path)
