"""Errors carry where, field and fix: one case for each family, with a whole sentence."""

import pickle

import pytest
from refusals import refused

import saccade
from saccade.models.errors import InputError, RecipeError
from saccade.models.predictor import Predictor
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.serving.bundle import Bundle


def test_a_sentence_is_made_of_its_parts():
    error = InputError("unknown key 'modl'", where="mine.yaml:3", field="modl", fix="did you mean model?")
    assert str(error) == "mine.yaml:3: unknown key 'modl': did you mean model?"
    assert str(InputError("all of it")) == "all of it"
    again = pickle.loads(pickle.dumps(RecipeError("what", where="here", field="a.b", fix="do")))
    assert type(again) is RecipeError and (again.what, again.where, again.field, again.fix) == (
        "what",
        "here",
        "a.b",
        "do",
    )


@pytest.fixture
def recipe(tmp_path):
    def written(text):
        (tmp_path / "mine.yaml").write_text(text)
        return tmp_path / "mine.yaml"

    return written


def test_of_a_recipe(recipe):
    file = recipe("task: classification\ndata: {source: digits}\nmodl: {name: lenet}\n")
    with refused("mine.yaml:3", "modl", "did you mean model") as caught:
        load_recipe(file)
    assert str(caught.value) == f"{file}:3: unknown key 'modl': did you mean model?"
    with refused("'train.epoch=3'", "train.epoch", "did you mean epochs"):
        load_recipe("digits", ["train.epoch=3"])
    with refused("'model.name=lennet'", "model.name"):
        load_recipe("digits", ["model.name=lennet"])
    with refused("'train.batch=many'", "train.batch"):
        load_recipe("digits", ["train.batch=many"])
    with refused("mine.yaml:2", "data.source"):
        load_recipe(recipe("task: classification\ndata: {path: here}\n"))


def test_a_key_that_has_moved_names_its_new_place():
    with refused("'model.threshold=0.5'", "model.threshold") as caught:
        load_recipe("digit_scenes", ["model.threshold=0.5"])
    assert str(caught.value) == "'model.threshold=0.5': 'model.threshold' is 'results.threshold' now"
    with refused("'model.calibrate=false'", "model.calibrate"):
        load_recipe("digits", ["model.calibrate=false"])


@pytest.mark.parametrize(
    ("source", "options", "field"),
    [
        ("folder", {"path": "/no/such"}, None),
        ("csv", {"path": "/no/such.csv"}, "data.path"),
        ("yolo", {"path": "/no/such"}, "data.path"),
        ("coco", {"annotations": "/no/such.json"}, None),
        ("box_table", {"path": "/no/such.csv"}, "data.path"),
    ],
)
def test_of_a_source(source, options, field):
    kind = find_source(source)
    with refused(field=field) as caught:
        kind(kind.Options(source=source, **options), None)
    assert "/no/such" in str(caught.value)


def test_of_a_run_and_of_a_bundle(tmp_path):
    with refused(str(tmp_path)) as caught:
        Predictor.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: not a run")
    with refused():
        Bundle(tmp_path)
    with refused():
        saccade.evaluate(tmp_path)
