"""The ensemble job: what it leaves is used like a run; against what the runs say alone."""

import json
import shutil

import numpy as np
import pytest

import saccade
from saccade.cli import main
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.data.splits import split
from saccade.pipelines.evaluating.ensemble import recipes_in_agreement
from saccade.pipelines.evaluating.validation import settle
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.train import train


def changed(run, folder, old="", new="", seed=0):
    """A copy of a run: other words in its recipe, and with a seed other weights."""
    shutil.copytree(run, folder)
    recipe = (folder / "recipe.yaml").read_text()
    assert old in recipe
    (folder / "recipe.yaml").write_text(recipe.replace(old, new))
    if seed:
        model, generator = Predictor.load(run).model, np.random.default_rng(seed)
        model.set_weights([each + generator.normal(0, 0.1, each.shape) for each in model.get_weights()])
        model.save_weights(folder / "best.weights.h5")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("members")


@pytest.fixture(scope="module")
def two(digits_run, folder):
    """Two runs with starts of their own."""
    return digits_run, changed(digits_run, folder / "b", seed=1)


@pytest.fixture(scope="module")
def of_one_start(digits_run, folder):
    """Two runs that began with the weights of a third."""
    start = ("\n  weights: none", f"\n  weights: {digits_run}")
    return tuple(changed(digits_run, folder / name, *start, seed=seed) for seed, name in ((2, "c"), (3, "d")))


@pytest.fixture(scope="module")
def made(two, tmp_path_factory):
    """Their ensemble, by the command line, in a folder that has to be made."""
    out = tmp_path_factory.mktemp("made") / "new" / "both"
    assert main(["ensemble", *map(str, two), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def images(two):
    recipe = load_recipe(two[0] / "recipe.yaml")
    source, _ = recipe.open()
    return [source.read(position)["bytes"] for position in split(source, recipe.data)["test"][:12]]


def as_trained(run):
    """A run's Predictor before validation chose a temperature for it: that is what is averaged."""
    settled = Predictor.load(run)
    return Predictor(settled.task, settled.model)


def scaled(probabilities, predictor):
    """The mean has a temperature of its own, chosen on validation."""
    powers = probabilities ** (1 / predictor.settings["temperature"])
    return powers / powers.sum(axis=1, keepdims=True)


def test_two_runs_are_the_mean_of_their_probabilities(two, made, images):
    said = [[answer["probabilities"] for answer in as_trained(run).predict(images)] for run in two]
    assert np.abs(np.subtract(*said)).max() > 0.01
    together = saccade.load(made)
    answers = [answer["probabilities"] for answer in together.predict(images)]
    np.testing.assert_allclose(answers, scaled(np.mean(said, axis=0), together), atol=1e-5)


def test_it_has_what_a_run_has(two, made):
    recipe = load_recipe(made / "recipe.yaml")
    assert recipe.train.run == str(made)
    assert recipe.data == load_recipe(two[0] / "recipe.yaml").data
    told = json.loads((made / "provenance.json").read_text())
    assert [each["run"] for each in told["ensemble"]["members"]] == [str(run) for run in two]
    assert [each["fingerprint"] for each in told["ensemble"]["members"]] == [
        Predictor.load(run).fingerprint for run in two
    ]
    assert told["data"] == json.loads((two[0] / "provenance.json").read_text())["data"]
    assert told["ensemble"]["average"] == "probabilities" and told["ensemble"]["views"]["crops"] == 1
    proof = [{file.name: file.read_bytes() for file in (run / "proof").iterdir()} for run in (made, two[0])]
    assert proof[0] == proof[1] and len(proof[0]) == 9
    metrics = json.loads((made / "evaluation" / "validation" / "metrics.json").read_text())
    assert metrics["fingerprint"] == Predictor.load(made).fingerprint
    assert [each.name for each in made.parent.iterdir()] == [made.name]


def test_it_is_evaluated_exported_and_proven_without_its_members(made, images, tmp_path):
    alone = shutil.copytree(made, tmp_path / "elsewhere")
    values = saccade.evaluate(alone, "validation")
    metrics = json.loads((made / "evaluation" / "validation" / "metrics.json").read_text())
    assert values["accuracy"].value == metrics["metrics"]["accuracy"]["value"]
    bundle = saccade.export(alone, tmp_path / "bundles", "both")  # proves itself, or fails
    import tensorflow as tf

    served = tf.saved_model.load(bundle).signatures["serving_default"](bytes=tf.constant(images))
    here = [answer["probabilities"] for answer in saccade.load(alone).predict(images)]
    np.testing.assert_allclose(served["probabilities"], here, atol=1e-6)
    assert json.loads((bundle / "assets.extra" / "saccade.json").read_text())["fingerprint"] == metrics["fingerprint"]


def test_it_has_a_report(made, tmp_path):
    page = saccade.report(shutil.copytree(made, tmp_path / "both")).read_text(encoding="utf-8")
    assert "It is the mean of the probabilities of 2 runs." in page
    assert "It trained for" not in page and "Learning curves" not in page
    for each in json.loads((made / "provenance.json").read_text())["ensemble"]["members"]:
        assert each["run"] in page and each["fingerprint"] in page


def test_nothing_is_trained_into_it(made):
    with pytest.raises(InputError, match="this run is finished"):
        train(load_recipe(made / "recipe.yaml"))


def test_no_features_to_start_from(made, digits_recipe, tmp_path):
    with pytest.raises(InputError, match="its model has no features to start from"):
        train(digits_recipe(f"model.weights={made}", f"train.run={tmp_path / 'never'}"))


def test_views_of_one_run(two, images, tmp_path):
    out = saccade.ensemble(two[0], out=tmp_path / "crops", crops=5)
    predictor = saccade.load(out)
    assert predictor.task.input.shape == (18, 18, 3)
    assert predictor.model.count_params() == saccade.load(two[0]).model.count_params()
    whole = predictor.task.input(bytes=images)[0].numpy()
    network = as_trained(two[0])
    crops = [whole[:, y : y + 16, x : x + 16] for y, x in ((1, 1), (0, 0), (0, 2), (2, 0), (2, 2))]
    expected = np.mean([network.answer(crop, {})["probabilities"] for crop in crops], axis=0)
    np.testing.assert_allclose(predictor(bytes=images)["probabilities"], scaled(expected, predictor), atol=1e-5)


def test_the_mean_of_weights_is_one_plain_network(of_one_start, tmp_path, caplog):
    out = saccade.ensemble(*of_one_start, out=tmp_path / "soup", average="weights")
    soup, *alone = (saccade.load(run).model for run in (out, *of_one_start))
    assert type(soup) is type(alone[0]) and soup.count_params() == alone[0].count_params()
    for weight, *each in zip(soup.get_weights(), *(model.get_weights() for model in alone), strict=True):
        np.testing.assert_allclose(weight, np.mean(each, axis=0), atol=1e-7)
    lines = [line for line in caplog.messages if "validation accuracy" in line]
    assert [line.split(":")[0] for line in lines[-3:]] == ["alone", "alone", "together"]


def test_settings_are_chosen_on_validation(two, monkeypatch):
    recipe = load_recipe(two[0] / "recipe.yaml")
    source, _ = recipe.open()
    predictor = Predictor.load(two[0])
    evaluation = type(predictor.evaluation())
    monkeypatch.setattr(
        evaluation, "choose_settings", lambda self: {"found": float(self.values(False)["accuracy"].value)}
    )
    positions = split(source, recipe.data)["validation"]
    settled, again, bad = settle(predictor, source, positions)
    assert settled.settings == dict(predictor.settings) | {"found": again.values(False)["accuracy"].value}
    assert settled.fingerprint != predictor.fingerprint and not bad


def test_other_data_is_told(digits_run, tmp_path, caplog):
    other = changed(digits_run, tmp_path / "other", "test: 0.2", "test: 0.25")
    recipes_in_agreement([digits_run, other], of_one_start=False)
    (line,) = caplog.messages
    assert f"{other}: data.test is 0.25, in {digits_run} 0.2" in line and "another may have been trained on" in line


def test_results_that_ask_for_other_truth_are_refused(tmp_path):
    """Of all sections, and not of the model alone: here objects, which only one of the runs tells apart."""
    runs = [tmp_path / way for way in ("none", "watershed")]
    for run in runs:
        run.mkdir()
        (run / "recipe.yaml").write_text(load_recipe("digit_scenes", [f"results.instances={run.name}"]).to_yaml())
    with pytest.raises(InputError, match="it answers for mask, instances, .* for mask: no common answer"):
        recipes_in_agreement(runs, of_one_start=False)
    assert len(recipes_in_agreement(runs[:1], of_one_start=False)) == 1


@pytest.fixture(scope="module")
def wrong(two, folder):
    """Runs that do not belong to `two`, by name."""
    runs = {
        "small": changed(two[0], folder / "small", "size: 16", "size: 12"),
        "dropout": changed(two[0], folder / "dropout", "dropout: 0.0", "dropout: 0.5"),
        "labels": changed(two[0], folder / "labels", "multi_label: false", "multi_label: true"),
        "pad": changed(two[0], folder / "pad", "size: 16\n  fit: stretch", "size: null\n  fit: pad"),
        "unfinished": changed(two[0], folder / "unfinished"),
        "classes": changed(two[0], folder / "classes"),
    }
    (runs["unfinished"] / "best.weights.h5").unlink()
    description = json.loads((runs["classes"] / "predictor.json").read_text())
    description["class_names"][3:5] = ["three", "four"]
    (runs["classes"] / "predictor.json").write_text(json.dumps(description))
    return runs


@pytest.mark.parametrize(
    ("names", "arguments", "part"),
    [
        (["a"], [], "one run alone is no ensemble: name another, or take --flip or --crops"),
        (["a"], ["--average", "weights", "--flip"], "one run alone is no ensemble: name another"),
        (["a", "a"], [], "named twice"),
        (["a", "b"], ["--average", "wieghts"], "did you mean weights?"),
        (["a", "nowhere"], [], "nowhere: not a run (it has no recipe.yaml)"),
        (["a", "small"], [], "input.size is 12, in {a} 16: all runs of an ensemble see the same input"),
        (["a", "labels"], [], "it answers for labels, {a} for label: no common answer"),
        (["a", "classes"], [], "has other classes than {a} and its data: 3, 4, four, three"),
        (["a", "unfinished"], [], "this run has no best.weights.h5 yet"),
        (["a", "made"], [], "is an ensemble itself: name the runs that it was made of"),
        (["a", "b"], ["--average", "weights"], "model.weights is none, and weights are averaged only of runs of one"),
        (["c", "a"], ["--average", "weights"], "model.weights is 'none', in {c} '{a}': weights are averaged only of"),
        (["c", "dropout"], ["--average", "weights"], "in {c} '{a}'"),
        (["pad"], ["--crops", "5"], "crops need an input of one size, and input.fit is pad"),
        (["a"], ["--crops", "3"], "crops 3: 5 are the centre and the corners"),
        (["a"], ["--crops", "5", "--crop-share", "0.97"], "would hardly differ: take a crop share below 0.97"),
    ],
)
def test_refused_in_one_line_with_nothing_left(
    names, arguments, part, two, of_one_start, made, wrong, tmp_path, capsys
):
    known = (
        dict(zip("abcd", (*two, *of_one_start), strict=True)) | wrong | {"made": made, "nowhere": tmp_path / "nowhere"}
    )
    out = tmp_path / "new" / "out"
    assert main(["ensemble", *(str(known[name]) for name in names), "--out", str(out), *arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("saccade: ")]
    assert len(lines) == 1 and part.format(**known) in lines[0]
    assert not list(tmp_path.iterdir())


def test_out_is_never_overwritten(two, tmp_path, capsys):
    assert main(["ensemble", *map(str, two), "--out", str(tmp_path)]) == 2
    assert f"{tmp_path}: exists, and nothing is overwritten" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file is in the way of this folder"):
        saccade.ensemble(*two, out=tmp_path / "file" / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
