"""Paths in a recipe, also where a key holds one for each split."""

import pytest

from saccade.models.errors import InputError
from saccade.pipelines.recipe.recipe import load_recipe

TASK = "saccade.models.segmentation.task:Segmentation"


def recipe(folder, data: str, *overrides: str):
    (folder / "r.yaml").write_text(f"task: {TASK}\ndata: {{source: coco, {data}}}\n")
    return load_recipe(folder / "r.yaml", overrides).data


def test_one_path(tmp_path):
    assert recipe(tmp_path, "annotations: a/all.json").annotations == str(tmp_path / "a/all.json")


def test_one_for_each_split(tmp_path, monkeypatch):
    monkeypatch.setenv("SETS", "/sets")
    data = recipe(
        tmp_path, "annotations: {train: a/../t.json, validation: $SETS/v.json}, images: {train: t, validation: /v}"
    )
    assert data.annotations == {"train": str(tmp_path / "t.json"), "validation": "/sets/v.json"}
    assert data.images == {"train": str(tmp_path / "t"), "validation": "/v"}


def test_an_override_of_one_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data = recipe(tmp_path, "annotations: {train: t.json, test: e.json}", "data.annotations.test=e.json")
    assert data.annotations == {"train": str(tmp_path / "t.json"), "test": str(tmp_path / "here/e.json")}


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ("{train: $NO_SUCH/t.json}", "'data.annotations.train': the variable in '$NO_SUCH/t.json' is not set"),
        ("{dev: t.json}", "unknown key 'data.annotations.dev': known: test, train, validation"),
        ("{train: [3]}", "'data.annotations.train' is [3]: input should be a valid string"),
        ("[a.json]", "'data.annotations' is ['a.json']: input should be a valid string"),
    ],
)
def test_what_is_no_path(tmp_path, annotations, told):
    with pytest.raises(InputError) as caught:
        recipe(tmp_path, f"annotations: {annotations}")
    assert str(caught.value) == f"{tmp_path}/r.yaml:2: {told}"
