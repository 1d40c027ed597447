"""The recipe that `new` writes: it loads as it is, and so does every key that it leaves in a comment."""

import re
from pathlib import Path

import pytest
import yaml

import saccade
from saccade.cli import main
from saccade.models import TASKS, find_task
from saccade.models.errors import InputError
from saccade.models.options import Options
from saccade.pipelines.data.formats import SOURCES, find_source
from saccade.pipelines.data.source import DataOptions
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.recipe.train_options import ExportOptions, TrainOptions

COMMENTED = re.compile(r"^  # (?=\w+: )", re.M)
PATH = "data.path=photos"


@pytest.fixture(scope="module", params=TASKS)
def written(request, tmp_path_factory) -> Path:
    """The recipe of each task."""
    return saccade.new(request.param, tmp_path_factory.mktemp("new") / "mine.yaml")


def schemas(task: str) -> dict[str, type[Options]]:
    task_class, source = find_task(task), load_recipe(task, [PATH]).source_class
    sections = {"data": source.Options, "input": task_class.Input.Options, "model": task_class.ModelOptions}
    return sections | {"train": TrainOptions, "export": ExportOptions}


def test_it_is_the_default_recipe(written):
    recipe = load_recipe(written, [PATH])
    default = load_recipe(recipe.task, [PATH, f"train.run={recipe.train.run}"])
    assert recipe.resolved() == default.resolved()


def test_it_holds_every_key(written):
    everything = yaml.safe_load(COMMENTED.sub("  ", written.read_text()))
    for section, schema in schemas(everything["task"]).items():
        assert set(everything[section]) == set(schema.model_fields)


def test_every_key_in_a_comment_is_valid_and_at_its_default(written):
    text = written.read_text()
    before = load_recipe(written, [PATH]).resolved()
    found = list(COMMENTED.finditer(text))
    assert len(found) > 10
    for match in found:
        changed = written.with_name("changed.yaml")
        changed.write_text(text[: match.start()] + "  " + text[match.end() :])
        assert load_recipe(changed, [PATH, f"train.run={before['train']['run']}"]).resolved() == before


def test_it_is_pleasant_to_read(written):
    lines = written.read_text().splitlines()
    assert max(map(len, lines)) <= 120 and not any(line != line.rstrip() for line in lines)
    meanings = {line.rindex("  # ") + 2 for line in lines if re.search(r"\S.*  # |^ {4,}# ", line)}
    assert len(meanings) == 1  # one column
    assert lines[0].startswith("# ") and f"# command: saccade train {written}" in lines


def fields():
    found = [TrainOptions, ExportOptions, DataOptions]
    for name in TASKS:
        found += [find_task(name).ModelOptions, find_task(name).Input.Options]
    found += [find_source(name).Options for name in SOURCES]
    return {(schema.__name__, name): info for schema in found for name, info in schema.model_fields.items()}


@pytest.mark.parametrize("place", fields(), ids=".".join)
def test_every_key_has_a_meaning(place):
    """A line below the field, in its schema."""
    assert fields()[place].description


def test_the_meaning_of_source_names_all():
    assert all(f"`{name}`" in DataOptions.model_fields["source"].description for name in SOURCES)


def test_the_verb(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "classification"]) == 0
    assert capsys.readouterr().out == "classification.yaml\n"
    assert main(["new", "classification", "--out", "other.yaml"]) == 0
    assert (tmp_path / "other.yaml").read_text().count("\n") > 50
    content = (tmp_path / "classification.yaml").read_text()
    assert main(["new", "classification"]) == 2
    assert "classification.yaml: exists already: give another name by --out, or remove it" in capsys.readouterr().err
    assert (tmp_path / "classification.yaml").read_text() == content


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="did you mean classification"):
        saccade.new("clasification", tmp_path / "a.yaml")
    with pytest.raises(InputError, match=r"no/a\.yaml: cannot be written: No such file or directory"):
        saccade.new("classification", tmp_path / "no" / "a.yaml")
    assert list(tmp_path.iterdir()) == []


OWN = """
from saccade.models.classification.task import Classification

class Own(Classification):
    recipe = None
"""


def test_a_task_without_a_default_recipe(tmp_path, monkeypatch):
    (tmp_path / "own_thing.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="the task 'own_thing:Own' ships no default recipe"):
        saccade.new("own_thing:Own", tmp_path / "a.yaml")
