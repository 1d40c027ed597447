"""A run of an earlier version, whose keys stood elsewhere, is read as it is."""

import json
import shutil

import pytest
import yaml

from saccade.models.errors import InputError
from saccade.models.options import Options, move_keys
from saccade.models.predictor import Predictor
from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.recipe.recipe import load_recipe


@pytest.fixture
def former(digits_run, tmp_path):
    """As version 0.1 left it before `results` had keys: format 2, what is in `results` now in `model`."""
    run = tmp_path / "former"
    shutil.copytree(digits_run, run)
    description = json.loads((run / "predictor.json").read_text())
    assert description["results"].keys() == {"calibrate", "thresholds"}
    description |= {"format": 2, "model": description["model"] | description["results"], "results": {}}
    (run / "predictor.json").write_text(json.dumps(description))
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe |= {"model": recipe["model"] | recipe["results"], "results": {}}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return run


def test_it_predicts_and_evaluates_as_before(former, digits_run):
    assert Predictor.load(former).task.result_options == Predictor.load(digits_run).task.result_options
    assert Predictor.load(former).fingerprint == Predictor.load(digits_run).fingerprint
    recipe = load_recipe(former)
    assert recipe.results == load_recipe(digits_run).results and recipe.model == load_recipe(digits_run).model
    here, there = (evaluate(run)["accuracy"] for run in (former, digits_run))
    assert here == there


def test_what_is_older_or_newer_says_so(former):
    description = json.loads((former / "predictor.json").read_text())
    (former / "predictor.json").write_text(json.dumps(description | {"format": 1}))
    with pytest.raises(InputError, match="a run of an earlier saccade"):
        Predictor.load(former)


def test_keys_move_between_sections():
    class Now(Options):
        moved = {"threshold": "results.threshold"}

    sections = {"model": {"name": "unet", "threshold": 0.3}, "results": None}
    assert move_keys(sections, {"model": Now}) == {"model": {"name": "unet"}, "results": {"threshold": 0.3}}
    assert sections["model"] == {"name": "unet", "threshold": 0.3}
