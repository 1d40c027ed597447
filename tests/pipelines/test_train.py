"""The training job: what it leaves, how it goes on, what it refuses."""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from saccade.models.errors import InputError, JobError
from saccade.models.files import saving
from saccade.models.predictor import Predictor
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.run import Run, recipe_file
from saccade.pipelines.train import dry_run, train
from saccade.pipelines.training.checkpoint import save_weights


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_holds_everything(digits_run):
    history = lines(digits_run / "history.jsonl")
    assert [line["epoch"] for line in history] == [1, 2]
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["val_accuracy"] > 0.5  # ten classes
    assert {"samples_per_second", "seconds", "learning_rate", "val_f1_macro"} <= set(history[0])
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
        with Image.open(digits_run / name) as image:
            assert min(image.size) > 100
    assert any((digits_run / "events").rglob("*tfevents*"))


def test_validation_metrics_are_the_predictors(digits_run):
    best = max(line["val_accuracy"] for line in lines(digits_run / "history.jsonl"))
    metrics = json.loads((digits_run / "evaluation" / "validation" / "metrics.json").read_text())
    assert metrics["fingerprint"] == Predictor.load(digits_run).fingerprint
    assert metrics["metrics"]["accuracy"]["value"] == pytest.approx(best)


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


STOP_NOW = """
import keras

class StopNow(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert "val_accuracy" in logs
        self.model.stop_training = True
"""


def test_a_callback_of_the_users_own_may_stop_the_training(tiny, tmp_path, monkeypatch):
    (tmp_path / "stop_now.py").write_text(STOP_NOW)
    monkeypatch.chdir(tmp_path)
    run = train(tiny("train.callbacks=[stop_now:StopNow]", "train.run=run"))
    assert len(lines(run / "history.jsonl")) == 1
    assert Run(run).progress.finished


def test_a_loss_that_is_no_number_is_a_failure(tiny):
    recipe = tiny("train.optimizer={name: sgd, learning_rate: 1e30}")
    with pytest.raises(JobError, match=r"the loss is nan in epoch 1: lower train\.optimizer\.learning_rate"):
        train(recipe)


def test_early_stopping(tiny):
    run = train(tiny("train.epochs=9", "train.early_stopping={patience: 1, min_delta: 0.9}"))
    assert len(lines(run / "history.jsonl")) == 2


def test_augmentation_errors_are_told_before_the_data_is_read(digits_recipe, tmp_path):
    recipe = digits_recipe("augment=[HorizontalFlop]", f"train.run={tmp_path / 'run'}")
    with pytest.raises(InputError, match="did you mean HorizontalFlip"):
        train(recipe)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def own_photos(photos, tmp_path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(photos, tmp_path / "photos"))


@pytest.fixture
def photo_recipe(own_photos, tiny):
    """A recipe on that copy whose run is not trained, unless told."""
    return lambda *overrides: tiny(f"data.path={own_photos}", "train.epochs=0", *overrides)


def test_a_bad_image_within_the_budget_is_set_aside(own_photos, photo_recipe, caplog):
    photos = own_photos
    (photos / "above" / "text.jpg").write_text("no image")
    (photos / "below" / "cut.png").write_bytes((photos / "below" / "00.png").read_bytes()[:200])
    run = train(photo_recipe("data.max_bad=10%"))
    entries = {entry["key"]: entry["reason"] for entry in lines(run / "quarantine.jsonl")}
    assert set(entries) == {"above/text.jpg", "below/cut.png"}
    findings = json.loads((run / "findings.json").read_text())
    assert {entry["key"]: entry["reason"] for entry in findings["bad"]} == entries
    assert sum(findings["samples"].values()) == 52
    assert "above/text.jpg" in caplog.text


def test_bad_images_past_the_budget_stop_the_job(own_photos, photo_recipe):
    (own_photos / "above" / "text.jpg").write_text("no image")
    with pytest.raises(InputError, match=r"1 of 51 samples cannot be used.*text\.jpg.*data\.max_bad"):
        train(photo_recipe())


def test_leaks_are_refused_unless_allowed(own_photos, photo_recipe):
    photos = own_photos
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


def test_an_image_that_is_lost_while_training_is_named(tiny, monkeypatch):
    from saccade.pipelines.data.formats.folder import Folder

    recipe = tiny("train.memory=0")
    read, last_of_the_preparation = Folder.read, Path(recipe.train.run) / "proof" / "samples.jsonl"

    def vanishing(self, position):
        if last_of_the_preparation.is_file():
            raise FileNotFoundError(2, "No such file or directory", self.where(position))
        return read(self, position)

    monkeypatch.setattr(Folder, "read", vanishing)
    with pytest.raises(JobError, match=r"training failed: .*No such file.*\.png"):
        train(recipe)


def test_a_frozen_backbone_of_a_former_run_trains_its_head_on_features_computed_once(tiny, digits_run, caplog):
    run = train(tiny("model.freeze=all", f"model.weights={digits_run}", "train.epochs=1"))
    assert "skipped: logits/" in caplog.text and "(other classes)" in caplog.text
    before, after = Predictor.load(digits_run).model, Predictor.load(run).model
    for old, new in zip(before.split()[0].weights, after.split()[0].weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_without_epochs_the_weights_that_a_model_begins_with_are_the_run(tiny, tmp_path, caplog):
    """No sample need be there to train on or to validate with; the dry run knows it too."""
    recipe = tiny("train.epochs=0", "train.head={epochs: 3}", "data.test=0.99999", "data.validation=0")
    for run in (train(recipe), dry_run(recipe, tmp_path / "dry")):
        assert json.loads((run / "provenance.json").read_text())["data"]["samples"]["train"] == 0
        progress = Run(run).progress
        assert progress.finished and (progress.epoch, progress.best_epoch) == (0, None)
        for name in ("history.jsonl", "last.npz", "curves.png", "training_samples.png", "evaluation"):
            assert not (run / name).exists()
        assert len(lines(run / "proof" / "samples.jsonl")) == 8
        assert Predictor.load(run).predict(np.zeros((9, 9, 3), np.uint8))[0]["class"] in (b"above", b"below")
    assert "phase" not in caplog.text
    with pytest.raises(InputError, match="this run is finished"):
        train(recipe)


def test_epochs_need_samples(tiny):
    with pytest.raises(InputError, match="the train split of 50 samples is empty"):
        train(tiny("data.test=0.99999", "data.validation=0"))
