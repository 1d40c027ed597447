"""The training job: what it leaves, how it goes on, what it refuses."""

import json
import math
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from saccade.models.errors import InputError, JobError
from saccade.models.files import saving
from saccade.models.predictor import Predictor
from saccade.pipelines.recipe import load_recipe
from saccade.pipelines.run import Run, recipe_file
from saccade.pipelines.train import dry_run, train
from saccade.pipelines.training.checkpoint import save_weights
from saccade.pipelines.training.watch import Interrupted


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_holds_everything(digits_run):
    history = lines(digits_run / "history.jsonl")
    assert [line["epoch"] for line in history] == [1, 2]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["val_accuracy"] > 0.5  # ten classes
    assert {"pictures_per_second", "seconds", "learning_rate", "val_f1_macro"} <= set(history[0])
    provenance = json.loads((digits_run / "provenance.json").read_text())
    assert sum(provenance["data"]["samples"].values()) == 1797
    assert provenance["packages"]["keras"] == keras.__version__
    assert len(lines(digits_run / "proof" / "samples.jsonl")) == 8
    metrics = json.loads((digits_run / "evaluation" / "validation" / "metrics.json").read_text())
    assert metrics["metrics"]["accuracy"]["value"] == pytest.approx(max(line["val_accuracy"] for line in history))
    for name in (
        "recipe.yaml",
        "best.weights.h5",
        "last.npz",
        "log.txt",
        "quarantine.jsonl",
        "evaluation/validation/worst.jsonl",
    ):
        assert (digits_run / name).is_file()
    for name in ("training_samples.png", "curves.png"):
        with Image.open(digits_run / name) as picture:
            assert min(picture.size) > 100
    assert any((digits_run / "events").rglob("*tfevents*"))


def test_validation_figures_are_the_predictors(digits_run):
    best = max(line["val_accuracy"] for line in lines(digits_run / "history.jsonl"))
    metrics = json.loads((digits_run / "evaluation" / "validation" / "metrics.json").read_text())
    assert metrics["fingerprint"] == Predictor.load(digits_run).fingerprint
    assert metrics["metrics"]["accuracy"]["value"] == pytest.approx(best)


def test_a_stopped_training_goes_on_to_the_same_weights(digits_run, digits_recipe, tmp_path, stop_at, state_of):
    recipe = digits_recipe("train.callbacks=[stop_at:StopAt]", "train.run=run")
    samples = json.loads((digits_run / "provenance.json").read_text())["data"]["samples"]["train"]
    for steps in (5, math.ceil(samples / 64) - 5, 7):  # amid the first epoch, at its last step, amid the second
        stop_at.steps = steps
        with pytest.raises(Interrupted):
            train(recipe)
        assert not Run(tmp_path / "run").progress.finished
    train(recipe)
    assert [line["epoch"] for line in Run(tmp_path / "run").history()] == [1, 2]
    expected, found = state_of(digits_run), state_of(tmp_path / "run")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_finished_run_is_not_overwritten(digits_run):
    recipe = load_recipe(recipe_file(digits_run))
    with pytest.raises(InputError, match=r"this run is finished; choose another with train\.run=FOLDER"):
        train(recipe)


def test_another_recipes_run_is_not_overwritten(digits_run):
    recipe = load_recipe(recipe_file(digits_run), ["train.seed=7"])
    with pytest.raises(InputError, match=r"another recipe \(train\.seed is 0 there and 7 here\)"):
        train(recipe)


def test_a_folder_of_something_else_is_not_used(digits_recipe, tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="this is no run, and it is not empty"):
        train(digits_recipe(f"train.run={tmp_path}"))


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a user that can become another")
def test_no_permission_to_write(digits_recipe, tmp_path):
    os.chmod(tmp_path, 0o555)
    recipe = digits_recipe(f"train.run={tmp_path / 'run'}")
    os.seteuid(65534)
    try:
        with pytest.raises(InputError, match="no permission to write here"):
            Run.of(recipe).begin(recipe)
    finally:
        os.seteuid(0)


def test_a_full_disk_loses_nothing(digits_run, tmp_path):
    """A limit on the size of files stands in for a full disk: the kernel refuses the write in the same way."""
    import resource

    model = Predictor.load(digits_run).model
    target = tmp_path / "best.weights.h5"
    save_weights(model, target)
    before = target.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="the disk is full; what was saved before is intact"), saving(tmp_path):
            save_weights(model, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_dry_run_does_everything_on_a_few_samples(digits_recipe, tmp_path):
    recipe = digits_recipe()
    run = dry_run(recipe, tmp_path)
    assert len(lines(run / "history.jsonl")) == 1
    assert Run(run).progress.finished


STOP_NOW = """
import keras

class StopNow(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert "val_accuracy" in logs
        self.model.stop_training = True
"""


def test_a_callback_of_the_users_own_may_stop_the_training(digits_recipe, tmp_path, monkeypatch):
    (tmp_path / "stop_now.py").write_text(STOP_NOW)
    monkeypatch.chdir(tmp_path)
    run = train(digits_recipe("train.callbacks=[stop_now:StopNow]", "train.run=run"))
    assert len(lines(run / "history.jsonl")) == 1
    assert Run(run).progress.finished


def test_a_loss_that_is_no_number_is_a_failure(digits_recipe, tmp_path):
    recipe = digits_recipe(f"train.run={tmp_path / 'run'}", "train.optimizer={name: sgd, learning_rate: 1e30}")
    with pytest.raises(JobError, match=r"the loss is nan in epoch 1: lower train\.optimizer\.learning_rate"):
        train(recipe)


def test_early_stopping(digits_recipe, tmp_path):
    overrides = [
        "train.epochs=9",
        "train.early_stopping={patience: 1, min_delta: 0.9}",
        f"train.run={tmp_path / 'run'}",
    ]
    run = train(digits_recipe(*overrides))
    assert len(lines(run / "history.jsonl")) == 2


def test_augmentation_errors_are_told_before_the_data_is_read(digits_recipe, tmp_path):
    recipe = digits_recipe("augment=[HorizontalFlop]", f"train.run={tmp_path / 'run'}")
    with pytest.raises(InputError, match="did you mean HorizontalFlip"):
        train(recipe)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def photos(tmp_path):
    """Forty pictures of two classes: a bright half above, or below."""
    random = np.random.default_rng(0)
    for label in ("above", "below"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            picture = random.integers(0, 100, (20, 24, 3), dtype=np.uint8)
            picture[:10] += np.uint8(120 * (label == "above"))
            picture[10:] += np.uint8(120 * (label == "below"))
            Image.fromarray(picture).save(tmp_path / "photos" / label / f"{number:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def photo_recipe(photos, digits_recipe):
    split = "data={source: folder, validation: 0.2, test: 0.2}"
    fixed = (split, f"data.path={photos}", f"train.run={photos.parent / 'run'}")
    return lambda *overrides: digits_recipe(*fixed, *overrides)


def test_a_bad_picture_within_the_budget_is_set_aside(photos, photo_recipe, caplog):
    (photos / "above" / "text.jpg").write_text("no picture")
    (photos / "below" / "cut.png").write_bytes((photos / "below" / "00.png").read_bytes()[:200])
    run = train(photo_recipe("data.max_bad=10%"))
    entries = {entry["key"]: entry["reason"] for entry in lines(run / "quarantine.jsonl")}
    assert set(entries) == {"above/text.jpg", "below/cut.png"}
    findings = json.loads((run / "findings.json").read_text())
    assert {entry["key"]: entry["reason"] for entry in findings["bad"]} == entries
    assert sum(findings["samples"].values()) == 42
    assert "above/text.jpg" in caplog.text


def test_bad_pictures_past_the_budget_stop_the_job(photos, photo_recipe):
    (photos / "above" / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"1 of 41 pictures cannot be used.*text\.jpg.*data\.max_bad"):
        train(photo_recipe())


def test_leaks_are_refused_unless_allowed(photos, photo_recipe):
    for split in ("train", "val", "test"):
        for label in ("above", "below"):
            (photos / split / label).mkdir(parents=True)
    for label in ("above", "below"):
        for number, path in enumerate(sorted((photos / label).iterdir())):
            path.rename(photos / ("train", "train", "val", "test")[number % 4] / label / path.name)
        (photos / label).rmdir()
    twin = next((photos / "train" / "above").iterdir())
    (photos / "test" / "above" / "twin.png").write_bytes(twin.read_bytes())
    with pytest.raises(InputError, match=r"twin\.png.*data\.leaks=allow"):
        train(photo_recipe())
    run = train(photo_recipe("data.leaks=allow"))
    ((one, other),) = json.loads((run / "findings.json").read_text())["leaks"]
    assert (one["split"], other["split"]) == ("train", "test")
    assert one["where"].endswith(twin.name) and other["key"] == "test/above/twin.png"


def test_a_picture_that_is_lost_while_training_is_named(photos, photo_recipe, monkeypatch):
    from saccade.pipelines.sources.folder import Folder

    recipe = photo_recipe("train.memory=0")
    read, last_of_the_preparation = Folder.read, Path(recipe.train.run) / "proof" / "samples.jsonl"

    def vanishing(self, position):
        if last_of_the_preparation.is_file():
            raise FileNotFoundError(2, "No such file or directory", self.where(position))
        return read(self, position)

    monkeypatch.setattr(Folder, "read", vanishing)
    with pytest.raises(JobError, match=r"training failed: .*No such file.*\.png"):
        train(recipe)


def test_two_phases(digits_recipe, tmp_path, caplog):
    overrides = ["train.head={epochs: 1}", "train.epochs=1", f"train.run={tmp_path / 'run'}"]
    run = train(digits_recipe(*overrides))
    assert [line["epoch"] for line in lines(run / "history.jsonl")] == [1, 2]
    assert "phase 'head'" in caplog.text and "phase 'all'" in caplog.text


def test_a_frozen_backbone_trains_its_head_on_features_computed_once(digits_recipe, tmp_path, digits_run):
    frozen = ["augment=[]", "model.freeze=all", f"model.weights={digits_run}", f"train.run={tmp_path / 'run'}"]
    recipe = digits_recipe(*frozen)
    train(recipe)
    before, after = Predictor.load(digits_run).model, Predictor.load(tmp_path / "run").model
    for old, new in zip(before.split()[0].weights, after.split()[0].weights, strict=True):
        np.testing.assert_array_equal(old, new)
