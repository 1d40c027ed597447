"""Classification through the jobs: real photographs, several labels, other starts; and what is wrong on purpose."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.train import train

NOTOP = "mobilenet_v2/mobilenet_v2_imagenet_notop.weights.h5"


@pytest.fixture
def hymenoptera(data_dir, weights_dir, tmp_path, monkeypatch):
    """The shipped recipe of ants and bees, with overrides."""
    monkeypatch.setenv("SACCADE_DATA", str(data_dir))
    monkeypatch.setenv("SACCADE_WEIGHTS", str(weights_dir))
    return lambda *overrides: load_recipe("hymenoptera", [f"train.run={tmp_path / 'run'}", *overrides])


def test_photographs_with_a_frozen_backbone(hymenoptera):
    """Small images and few epochs, for time."""
    run = train(hymenoptera("input.size=96", "train.epochs=8"))
    assert evaluate(run)["accuracy"].value > 0.7  # 5 standard deviations from a coin


@pytest.fixture
def pairs(tmp_path):
    """Images with two digits beside each other, and a table with both as labels."""
    digits = load_digits()
    random = np.random.default_rng(0)
    rows = ["path,labels"]
    chosen = np.flatnonzero(digits.target < 3)
    for number in range(400):
        left, right = random.choice(chosen, 2)
        image = np.hstack([digits.images[left], digits.images[right]])
        Image.fromarray(np.uint8(image * 15.9)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{digits.target[left]}|{digits.target[right]}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "pairs.csv"


def test_several_labels_from_a_table(pairs, digits_recipe, tmp_path):
    data = ["data={source: csv, separator: '|'}", f"data.path={pairs}", "model.multi_label=true"]
    settings = [
        "train.epochs=8",
        "train.batch=16",
        "input={size: [16, 32], fit: stretch}",
        f"train.run={tmp_path / 'run'}",
    ]
    run = train(digits_recipe(*data, *settings))
    values = evaluate(run)
    assert values["mean_average_precision"].value > 0.85
    assert 0 < values["exact_match"].value <= 1
    settings = json.loads((run / "predictor.json").read_text())["settings"]
    assert list(settings) == ["threshold/0", "threshold/1", "threshold/2"] and set(settings.values()) != {0.5}
    (said,) = Predictor.load(run).predict([pairs.parent / "0.png"])
    np.testing.assert_array_equal(said["present"], said["probabilities"] >= np.float32(list(settings.values())))


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["input.size=7"], ["input.size: 7 x 7", "lenet", "at least 8 x 8"]),
        (["model.weights=imagenet"], ["model.weights: lenet has no ImageNet weights"]),
        (["model.weights=/no/such.weights.h5"], ["model.weights: no file or folder /no/such.weights.h5"]),
        (["model.multi_label=true"], ["digits", "labels", "data.source=csv"]),
        (["data={source: folder, path: /no/such/folder}"], ["data.path=/no/such/folder: no such folder"]),
        (["results.thresholds=0.3"], ["results.thresholds are for several labels an image"]),
        (
            ["model.multi_label=true", "results.thresholds=best"],
            ["'results.thresholds' is 'best': did you mean best_f1"],
        ),
        (["model.freeze=7"], ["model.freeze: no level of stride 7"]),
    ],
)
def test_wrong_on_purpose(overrides, parts, digits_recipe, tmp_path):
    with pytest.raises(InputError) as caught:
        train(digits_recipe(*overrides, f"train.run={tmp_path / 'run'}"))
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_weights_of_another_architecture(digits_run, digits_recipe, tmp_path):
    weights = digits_run / "best.weights.h5"
    recipe = digits_recipe("model.name=resnet20", f"model.weights={weights}", f"train.run={tmp_path / 'run'}")
    with pytest.raises(InputError, match=r"best\.weights\.h5: not the weights of resnet20: expected .*; found"):
        train(recipe)
