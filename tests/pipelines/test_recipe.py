"""Recipes: what is accepted, what comes out, and what a wrong one is told."""

from pathlib import Path

import pytest

from saccade.models.errors import InputError
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.recipe.shipped import header, shipped_recipes

RECIPE = """\
# what it is
task: classification
data:
  source: folder
  path: photos
input: {size: 64}
model:
  name: lenet
train:
  epochs: 3
  optimizer: {name: sgd, learning_rate: 1e-2}
  schedule:
    name: step
    at: [1, 2]
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    return path


def refusal(name, *overrides) -> str:
    with pytest.raises(InputError) as caught:
        load_recipe(name, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_values_defaults_and_overrides(recipe_file):
    recipe = load_recipe(recipe_file, ["train.epochs=7", "train.optimizer={name: adamw}", "augment=[HorizontalFlip]"])
    assert recipe.name == "mine"
    assert recipe.train.epochs == 7
    assert recipe.train.optimizer.name == "adamw"
    assert recipe.train.optimizer.learning_rate == 1e-3
    assert recipe.train.batch == 32
    assert recipe.augment == ["HorizontalFlip"]


def test_a_number_with_an_exponent_is_a_number(recipe_file):
    assert load_recipe(recipe_file).train.optimizer.learning_rate == 0.01


def test_the_name_of_an_optimizer_may_be_left_out(recipe_file):
    recipe = load_recipe(recipe_file, ["train.optimizer={learning_rate: 0.5}"])
    assert (recipe.train.optimizer.name, recipe.train.optimizer.learning_rate) == ("adam", 0.5)


def test_paths_are_relative_to_whoever_wrote_them(recipe_file, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_recipe(recipe_file).data.path == str(tmp_path / "photos")
    assert load_recipe(recipe_file, ["data.path=photos"]).data.path == str(elsewhere / "photos")
    monkeypatch.setenv("MY_PHOTOS", "/somewhere")
    assert load_recipe(recipe_file, ["data.path=$MY_PHOTOS/a"]).data.path == "/somewhere/a"
    assert load_recipe(recipe_file).train.run == str(elsewhere / "runs" / "mine")


def test_a_word_is_no_path(recipe_file):
    assert load_recipe(recipe_file, ["model.weights=imagenet"]).model.weights == "imagenet"
    assert load_recipe(recipe_file, ["model.weights=a.weights.h5"]).model.weights.endswith("/a.weights.h5")


def test_a_resolved_recipe_makes_itself_again(recipe_file, tmp_path, monkeypatch):
    recipe = load_recipe(recipe_file, ["model.dropout=0.5"])
    resolved = tmp_path / "deeper" / "recipe.yaml"
    resolved.parent.mkdir()
    resolved.write_text(recipe.to_yaml())
    monkeypatch.chdir(resolved.parent)
    assert load_recipe(resolved).resolved() == recipe.resolved()


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_sound_and_say_what_they_are(name):
    recipe = load_recipe(name, ["data.path=somewhere"] if name in ("photos", "masks", "boxes") else [])
    text = " ".join(header(shipped_recipes()[name]))
    assert recipe.name == name
    for word in ("command:", "machine:", "expect:"):
        assert word in text


def test_a_backbone_is_known_before_anything_is_read():
    with pytest.raises(InputError, match="unknown backbone 'mobilnet_v2': did you mean mobilenet_v2"):
        load_recipe("digit_scenes", ["model.backbone=mobilnet_v2"])


def test_a_task_begins_with_its_default_recipe():
    assert load_recipe("classification", ["data.path=photos"]).model.name == "mobilenet_v2"


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["train.epoch=3"], ["'train.epoch=3'", "unknown key 'train.epoch'", "did you mean epochs"]),
        (["trian.epochs=3"], ["unknown key 'trian'", "did you mean train"]),
        (["train.optimizer.momentun=0.9"], ["unknown key 'train.optimizer.momentun'", "momentum"]),
        (["train.optimizer.name=sdg"], ["unknown", "'sdg'", "did you mean sgd"]),
        (["model.name=lenett"], ["unknown model 'lenett'", "did you mean lenet"]),
        (["task=clasification"], ["unknown task 'clasification'", "did you mean classification"]),
        (["data.source=foldr"], ["unknown source 'foldr'", "did you mean folder"]),
        (["input.fit=letterbocks"], ["'input.fit'", "did you mean letterbox"]),
        (["train.epochs=many"], ["'train.epochs=many'", "'train.epochs' is 'many'", "integer"]),
        (["train.epochs='3'"], ["'train.epochs'", "integer"]),
        (["train.epochs=-1"], ["'train.epochs'", "greater than or equal to 0"]),
        (["train.jit=yes"], ["'train.jit' is 'yes'", "boolean"]),
        (["train=3"], ["'train' is a section", "epochs"]),
        (["augment=HorizontalFlip"], ["'augment' is a list"]),
        (["train.epochs"], ["key.sub=value"]),
        (["data.path=$NOT_SET_ANYWHERE/x"], ["'data.path'", "NOT_SET_ANYWHERE", "not set"]),
        (["train.epochs.deeper=1"], ["'epochs' holds no keys"]),
        (["train.schedule={name: step}"], ["'train.schedule.at' is missing"]),
    ],
)
def test_wrong_overrides(recipe_file, overrides, parts):
    message = refusal(recipe_file, *overrides)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("epochs: 3", "epoch: 3", ["mine.yaml:10", "unknown key 'train.epoch'"]),
        ("epochs: 3", "epochs: [3]", ["mine.yaml:10", "'train.epochs'"]),
        ("name: lenet", "name: lennet", ["mine.yaml:8", "did you mean lenet"]),
        ("at: [1, 2]", "at: [1, 2]\n    at: [3]", ["mine.yaml:15", "'train.schedule.at'", "twice"]),
        ("at: [1, 2]", "at: [1, x]", ["mine.yaml:14", "train.schedule.at"]),
        ("task: classification", "tusk: classification", ["mine.yaml:2", "unknown key 'tusk'", "task"]),
        ("task: classification\n", "", ["mine.yaml", "'task' is missing", "classification"]),
        ("  source: folder\n", "", ["'data.source' is missing", "folder"]),
        ("train:", "train: {", ["mine.yaml:", "not YAML"]),
    ],
)
def test_a_wrong_file_is_told_the_line(recipe_file, old, new, parts):
    recipe_file.write_text(RECIPE.replace(old, new, 1))
    message = refusal(recipe_file)
    for part in parts:
        assert part in message


def test_names_of_files_that_are_no_recipes(tmp_path):
    assert "did you mean digits" in refusal("digit")
    assert "cannot read" in refusal(tmp_path / "absent.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    assert "mapping" in refusal(tmp_path / "list.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x80")
    assert "UTF-8" in refusal(tmp_path / "bytes.yaml")


def test_a_model_of_the_users_own_is_found_beside_the_recipe(recipe_file):
    recipe = load_recipe(recipe_file, ["model.name=my_models:Net"])
    assert recipe.import_paths == (str(recipe_file.parent), str(Path.cwd()))
    assert load_recipe(recipe_file).import_paths == ()


def test_two_sides_are_a_list(recipe_file):
    assert load_recipe(recipe_file, ["input.size=[48, 64]"]).input.height_width == (48, 64)
    assert "input.size" in refusal(recipe_file, "input.size=['48', 64]")
