"""Knobs of the training loop in whole, tiny trainings: resume, averaged weights, precision, selection by bounds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.run import Run
from saccade.pipelines.train import dry_run, train
from saccade.pipelines.training.fitting import Interrupted
from saccade.serving.export import export

KNOBS = (
    "augment=[{Affine: {rotate: [-10, 10], p: 0.5}}]",
    "train.optimizer={name: adamw, ema: 0.9, accumulate: 3, clip_norm: 1.0, learning_rate: 0.01}",
    "train.optimizer.stages={2: 0.0, 4: 0.5}",
    "train.schedule={name: polynomial, warmup: 1}",
    "train.select={minimise: log_loss}",
)


def test_a_stopped_training_with_every_knob_goes_on_to_the_same_weights(tiny, stop_at, state_of):
    recipe = tiny(*KNOBS, "train.callbacks=[stop_at:StopAt]")
    straight = train(tiny(*KNOBS, "train.callbacks=[stop_at:StopAt]", "train.run=straight"))
    run = Path(recipe.train.run)
    samples = json.loads((straight / "provenance.json").read_text())["data"]["samples"]["train"]
    # amid the first epoch and a group of accumulated gradients, at its last step, amid the second
    for steps in (2, math.ceil(samples / 8) - 2, 2):
        stop_at.steps = steps
        with pytest.raises(Interrupted):
            train(recipe)
        assert not Run(run).progress.finished
    assert train(recipe) == run
    for once, again in zip(Run(straight).history(), Run(run).history(), strict=True):  # training metrics, too
        assert {"loss", "accuracy", "val_accuracy"} < once.keys()
        assert once.keys() ^ again.keys() <= {"samples_per_second"}  # an epoch of one step has no rate
        for name in once.keys() - {"seconds", "samples_per_second"}:
            assert again[name] == once[name], name
    expected, found = state_of(straight), state_of(run)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (run / "best.weights.h5").read_bytes() == (straight / "best.weights.h5").read_bytes()
    assert Run(run).progress == Run(straight).progress

    model = Predictor.load(run).model
    average, last = model.trainable_variables, [found[f"model/{i}"] for i in range(len(model.trainable_variables))]
    np.testing.assert_array_equal(average[0], last[0])  # the first stage's factor is 0
    assert not np.array_equal(average[2], last[2])  # what is kept is the average, what goes on is not


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.optimizer.stages={8: 0.5}"], r"^train\.optimizer\.stages: no level of stride 8: this model has 2, 4$"),
        (
            ["model.freeze=all", "train.optimizer.stages={4: 0.5}"],
            r"^train\.optimizer\.stages: this phase trains the head",
        ),
        (
            ["train.head={optimizer: {stages: {4: 0.5}}}"],
            r"^train\.head\.optimizer\.stages: this phase trains the head alone: leave them out$",
        ),
        (["train.select={maximise: acuracy}"], r"^train\.select: .*'acuracy': did you mean accuracy\?"),
        (["train.select={maximise: log_loss}"], r"^train\.select: log_loss is better lower: say minimise$"),
        (
            ["train.select={subject_to: {recall/below_: '> 0.5'}}"],
            r"^train\.select\.subject_to: .*did you mean recall/below",
        ),
    ],
)
def test_what_is_refused_before_the_first_epoch_leaves_no_run(tiny, tmp_path, overrides, message):
    with pytest.raises(InputError, match=message):
        train(tiny(*overrides))
    assert not (tmp_path / "run").exists()


def test_clipping_is_of_one_kind(tiny):
    with pytest.raises(InputError, match=r"'train\.optimizer' is .*: clip_norm or clip_value, not both$"):
        tiny("train.optimizer={clip_norm: 1.0, clip_value: 1.0}")


def test_bounds_that_are_not_kept_to_are_said_and_noted(tiny, caplog):
    bounds = "{latency_ms: '< 0.001', recall/below: '> 1', log_loss: '< 100'}"
    run = train(tiny(f"train.select={{maximise: accuracy, subject_to: {bounds}}}"))
    progress = Run(run).progress
    assert progress.latency_ms > 0.001 and progress.violation > 0
    latency, recall = progress.unkept
    assert (latency["metric"], latency["bound"], latency["value"]) == ("latency_ms", "< 0.001", progress.latency_ms)
    lines = {line["epoch"]: line["val_recall/below"] for line in Run(run).history()}
    assert recall["value"] == pytest.approx(lines[progress.best_epoch])
    assert recall["closest"] == lines[recall["closest_epoch"]] == max(lines.values())
    assert "train.select.subject_to: recall/below is" in caplog.text
    assert "train.select.subject_to: latency_ms is" in caplog.text
    assert "not < 0.001, whatever the epoch" in caplog.text  # told after the first epoch already
    assert "log_loss is" not in caplog.text
    assert json.loads((run / "state.json").read_text())["unkept"] == progress.unkept


def test_a_dry_run_may_lack_a_class_and_steps_for_an_update(tiny, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("saccade.pipelines.train.DRY_RUN_SAMPLES", 8)  # the first ones, all of one class
    knobs = ["train.select={subject_to: {recall/below: '> 0.5'}}", "train.optimizer.accumulate=2"]
    run = dry_run(tiny(*knobs), tmp_path)
    assert Run(run).progress.unkept[0]["value"] is None
    assert "optimizer.accumulate: phase 'all' has 1 steps, fewer than one update takes" in caplog.text


def test_half_precision_with_its_scaled_loss_goes_on_where_it_stopped(tiny, tmp_path, stop_at, state_of):
    recipe = tiny("train.precision=mixed_float16", "train.epochs=1", "train.callbacks=[stop_at:StopAt]")
    stop_at.steps = 2
    with pytest.raises(Interrupted):
        train(recipe)
    stopped = state_of(tmp_path / "run")
    finished = state_of(train(recipe))
    steps = {name for name, value in finished.items() if value.dtype == np.int64 and value != stopped[name]}
    assert len(steps) == 2  # Keras' own count in the wrapper and that of the optimizer inside both go on
    assert all(finished[name] > stopped[name] > 0 for name in steps)


def test_mixed_precision_is_exported_in_float32(tiny, tmp_path, caplog):
    run = train(tiny("train.precision=mixed_bfloat16", "train.epochs=1", "train.optimizer={ema: 0.9, clip_value: 1.0}"))
    assert "mixed_bfloat16 is several times slower than float32 on a CPU" in caplog.text
    assert Predictor.load(run).model.get_layer("c1").compute_dtype == "float32"
    assert (export(run, tmp_path / "bundles", "tiny") / "saved_model.pb").is_file()


def test_fine_tuning_keeps_the_statistics_of_batch_norm_through_a_stop(tiny, stop_at, state_of):
    """Two phases from a former run, with stages; what is kept is what was validated."""
    former = train(tiny("model.name=resnet20", "train.epochs=0", "train.run=former"))
    knobs = ["model.name=resnet20", "results.calibrate=false", f"model.weights={former}"]
    knobs += [
        "train.epochs=1",
        "train.head={epochs: 1}",
        "augment=[{HorizontalFlip: {p: 0.5}}]",
        "train.optimizer.stages={2: 0.5}",
    ]
    knobs += ["train.select={minimise: log_loss}", "train.callbacks=[stop_at:StopAt]"]
    straight = train(tiny(*knobs, "train.run=straight"))
    stop_at.steps = 6  # in the second phase
    with pytest.raises(Interrupted):
        train(tiny(*knobs))
    run = train(tiny(*knobs))
    assert (run / "best.weights.h5").read_bytes() == (straight / "best.weights.h5").read_bytes()
    assert state_of(run).keys() == state_of(straight).keys()

    before, after = (Predictor.load(folder).model.weights for folder in (former, run))
    still = [new.path for old, new in zip(before, after, strict=True) if np.array_equal(old, new)]
    assert len(still) == 4 * 19 and all("_bn/" in path for path in still)
    metrics = json.loads((run / "evaluation/validation/metrics.json").read_text())
    best = min(line["val_log_loss"] for line in Run(run).history())
    assert metrics["metrics"]["log_loss"]["value"] == pytest.approx(best, rel=1e-4)


def test_a_second_phase_that_spoils_all_loses_nothing_of_the_first(tiny):
    head = "train.head={epochs: 4, optimizer: {name: adam, learning_rate: 0.01}}"
    ruin = "train.optimizer={name: adam, learning_rate: 1.0}"
    run = train(tiny(head, ruin, "results.calibrate=false", "train.select={minimise: log_loss}"))
    losses = [line["val_log_loss"] for line in Run(run).history()]
    assert len(losses) == 6 and min(losses[4:]) > min(losses[:4])
    metrics = json.loads((run / "evaluation/validation/metrics.json").read_text())
    assert metrics["metrics"]["log_loss"]["value"] == pytest.approx(min(losses[:4]), rel=1e-4)
    assert Run(run).progress.best_epoch == losses.index(min(losses)) + 1
