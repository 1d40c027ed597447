"""Runs of an earlier version, whose keys stood elsewhere, are read as they are; their files are recorded ones."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from refusals import refused

from saccade.models.ensemble import Ensemble
from saccade.models.errors import InputError
from saccade.models.options import Options, move_keys
from saccade.models.predictor import Predictor
from saccade.models.restoring import restore_task
from saccade.models.views import Views
from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.run import Run

DIGITS = """\
task: classification
data: {source: digits, validation: 0.1, test: 0.2, use: {}, max_bad: 0.01, leaks: refuse}
input: {size: 16, fit: stretch, fill: 114, stride: 32}
augment: []
model: {name: lenet, weights: none, freeze: none, batch_norm: null, batch_norm_momentum: 0.9, dropout: 0.0,
  label_smoothing: 0.0, multi_label: false, calibrate: false, thresholds: best_f1, loss: cross_entropy,
  focal_gamma: 2.0, l1: 0.0, l2: 0.0, class_weights: none, sampling: natural}
results: {}
train:
  run: FOLDER
  seed: 0
  epochs: 1
  batch: 32
  optimizer: {name: adam, learning_rate: 0.001, weight_decay: 0.0, clip_norm: null, clip_value: null, ema: null,
    accumulate: 1, stages: {}, groups: {}, beta_1: 0.9, beta_2: 0.999, epsilon: 1.0e-07}
  schedule: {name: constant, warmup: 0.0}
  head: null
  select: {maximise: null, minimise: null, subject_to: {}}
  early_stopping: null
  precision: float32
  jit: false
  callbacks: []
  memory: 1024
evaluate: {}
export: {folder: FOLDER/bundles, name: null, keep_samples: null}
"""
DIGITS_PREDICTOR = """\
{"task": "classification", "class_names": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "model": {"name": "lenet",
"freeze": "none", "batch_norm": null, "batch_norm_momentum": 0.9, "dropout": 0.0, "label_smoothing": 0.0, "multi_label":
false, "calibrate": false, "thresholds": "best_f1", "loss": "cross_entropy", "focal_gamma": 2.0, "l1": 0.0, "l2": 0.0,
"class_weights": "none", "sampling": "natural"}, "input": {"size": 16, "fit": "stretch", "fill": 114, "stride": 32},
"results": {}, "learned": {}, "settings": {"temperature": 1.0}, "format": 2, "evaluate": {}, "import_paths": []}
"""
SCENES_PREDICTOR = """\
{"task": "segmentation", "class_names": ["background", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "model": {
"name": "unet", "freeze": "none", "batch_norm": null, "batch_norm_momentum": 0.9, "backbone": "none", "width": 4,
"depth": 1, "upsampling": "transposed", "dropout": 0.0, "loss": {"cross_entropy": 1.0, "dice": 1.0}, "class_weights":
"none", "focal_gamma": 2.0, "tversky_alpha": 0.3, "boundary_weight": 10.0, "boundary_sigma": 5.0, "threshold": null,
"instances": "watershed", "instance_neck": 0.75, "instance_pixels": 10}, "input": {"size": null, "fit": "pad", "fill":
114, "stride": 4}, "results": {}, "learned": {}, "settings": {}, "format": 2, "evaluate": {}, "import_paths": []}
"""
STATE = """\
{"phase": 0, "epoch": 1, "step": 0, "best": 0.8, "best_epoch": 1, "violation": 0, "latency_ms": null, "fitted": null,
"unkept": [], "finished": false}
"""
OVERRIDES = ["model={name: lenet}", "augment=[]", "train.epochs=1", "train.optimizer={name: adam}"]
OVERRIDES += ["train.schedule={name: constant}", "train.select={}"]
"""What this run was made with, of the shipped recipe `digits`, but for `model.calibrate=false`."""


def written(folder, predictor, recipe=None):
    """A run of those files, with weights as they begin."""
    folder.mkdir()
    (folder / "predictor.json").write_text(predictor)
    (folder / "best.weights.h5").touch()
    restore_task(folder).task.model().save_weights(folder / "best.weights.h5")
    if recipe is not None:
        (folder / "recipe.yaml").write_text(recipe.replace("FOLDER", str(folder)))
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return written(tmp_path_factory.mktemp("former") / "digits", DIGITS_PREDICTOR, DIGITS)


def fingerprint_of_format_2(text, kind, model):
    said = json.loads(text)
    names = ("class_names", "model", "input", "results", "learned", "settings", "ensemble")
    identity = {"task": kind} | {name: said[name] for name in names if name in said}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(np.asarray(weight).tobytes())
    return digest.hexdigest()[:16]


def test_its_keys_are_read_and_its_fingerprint_stays(digits, tmp_path):
    predictor = Predictor.load(digits)
    results = predictor.task.result_options
    assert (results.calibrate, results.thresholds, predictor.task.model_options.name) == (False, "best_f1", "lenet")
    kind = "saccade.models.classification.task:Classification"
    assert predictor.fingerprint == fingerprint_of_format_2(DIGITS_PREDICTOR, kind, predictor.model)

    predictor = Predictor.load(written(tmp_path / "scenes", SCENES_PREDICTOR))
    assert predictor.task.result_options.instances == "watershed" and "instances" in predictor.task.truth
    kind = "saccade.models.segmentation.task:Segmentation"
    assert predictor.fingerprint == fingerprint_of_format_2(SCENES_PREDICTOR, kind, predictor.model)


def test_an_ensemble_of_such_runs_is_read(digits, tmp_path):
    said = json.loads(DIGITS_PREDICTOR)
    views = {"flip": False, "crops": 1, "crop_share": 0.875}
    said["ensemble"] = {"members": [said["model"]] * 2, "input": said["input"], "views": views}
    (folder := tmp_path / "both").mkdir()
    (folder / "predictor.json").write_text(json.dumps(said))
    members = [Predictor.load(digits) for _ in range(2)]
    task = members[0].task
    made = Ensemble(task, [task, task], [each.model for each in members], Views(**views))
    made.save_weights(folder / "best.weights.h5")
    predictor = Predictor.load(folder)
    kind = "saccade.models.classification.task:Classification"
    assert predictor.fingerprint == fingerprint_of_format_2(json.dumps(said), kind, predictor.model)
    image = np.full((16, 16, 3), 90, np.uint8)
    (alone,), (both,) = members[0].predict(image), predictor.predict(image)
    assert both["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)


def test_it_is_evaluated_and_written_anew_in_the_present_format(digits, tmp_path):
    assert 0 <= evaluate(digits)["accuracy"].value <= 1
    before = json.loads((digits / "predictor.json").read_text())
    Predictor.load(digits).describe(tmp_path, "classification")
    now = json.loads((tmp_path / "predictor.json").read_text())
    assert (before["format"], now["format"]) == (2, 3)
    assert now["results"] == {"calibrate": False, "thresholds": "best_f1"} and "calibrate" not in now["model"]
    assert now["model"] | now["results"] == before["model"]


def test_its_training_is_resumed(digits):
    """By its folder, and by the command that began it, as it is typed today."""
    (digits / "state.json").write_text(STATE)
    recipe = load_recipe(digits)
    assert recipe.results.calibrate is False and recipe.train.run == str(digits)
    assert Run.of(recipe).progress.epoch == 1
    again = load_recipe("digits", [*OVERRIDES, "results.calibrate=true", f"train.run={digits}"])  # incidental
    assert Run.of(again).progress.epoch == 1
    other = replace(recipe, results=recipe.results.model_copy(update={"thresholds": 0.5}))
    with pytest.raises(InputError, match=r"another recipe \(results.thresholds is 'best_f1' there and 0.5 here\)"):
        Run.of(other)


@pytest.mark.parametrize("override", ["model.calibrate=true", "model={name: lenet, calibrate: true}"])
def test_what_is_typed_is_of_today(digits, tmp_path, override):
    """In a run of then and in one of now."""
    with refused(f"'{override}'", "model.calibrate") as caught:
        load_recipe(digits, [override])
    assert str(caught.value).endswith("'model.calibrate' is 'results.calibrate' now")
    (tmp_path / "recipe.yaml").write_text(load_recipe(digits).to_yaml())
    (tmp_path / "state.json").write_text(STATE)
    with refused(f"'{override}'", "model.calibrate"):
        load_recipe(tmp_path, [override])


def test_overrides_win_over_keys_that_moved(digits):
    assert load_recipe(digits, ["results.calibrate=true"]).results.calibrate is True
    assert load_recipe(digits, ["results={thresholds: best_f1}"]).results.calibrate is True  # the whole section


def test_outside_of_a_run_its_recipe_is_one_to_be_put_right(digits, tmp_path):
    text = (digits / "recipe.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text)
    with refused(field="model.calibrate") as caught:
        load_recipe(tmp_path / "mine.yaml")
    assert str(caught.value).endswith("mine.yaml:6: 'model.calibrate' is 'results.calibrate' now")


def test_what_is_older_or_newer_says_so(digits, tmp_path):
    for number in (1, 4):
        (tmp_path / "predictor.json").write_text(json.dumps(json.loads(DIGITS_PREDICTOR) | {"format": number}))
        (tmp_path / "best.weights.h5").touch()
        with refused(str(tmp_path)):
            Predictor.load(tmp_path)


class Model(Options):
    moved = {"threshold": "results.threshold", "old": "model.new"}


@pytest.mark.parametrize(
    ("sections", "typed", "moved"),
    [
        (
            {"model": {"a": 1, "threshold": 0.3}, "results": None},
            (),
            {"model": {"a": 1}, "results": {"threshold": 0.3}},
        ),
        ({"model": {"threshold": 0.3}}, (), {"model": {}, "results": {"threshold": 0.3}}),
        ({"model": {"old": 1}, "results": {}}, (), {"model": {"new": 1}, "results": {}}),
        (
            {"model": {"threshold": 0.3}, "results": {"threshold": 0.5}},
            [("results", "threshold")],
            {"model": {}, "results": {"threshold": 0.5}},
        ),
        ({"model": {"threshold": 0.3}, "results": {}}, [("results",)], {"model": {}, "results": {}}),
        ({"model": {"threshold": 0.3}}, [("model", "threshold")], {"model": {"threshold": 0.3}}),
        ({"model": None}, (), {"model": None}),
    ],
)
def test_keys_move_between_sections(sections, typed, moved):
    before = yaml.safe_dump(sections)
    assert move_keys(sections, {"model": Model}, typed) == moved
    assert yaml.safe_dump(sections) == before
