"""A user's own modules: where they are looked for, and what is told of a wrong one."""

import json

import pytest

from saccade.models import find_task
from saccade.models.errors import InputError
from saccade.models.naming import find_callable, folders_of_run, own_code
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.recipe.recipe import load_recipe


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes modules of a user's own into the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def written(**modules):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
        return tmp_path

    return written


def refusal(name, find=lambda name: find_callable(name, {}, __name__, "model")):
    with pytest.raises(InputError) as told:
        find(name)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_what_is_wrong_with_a_module_is_told_with_file_and_line(write):
    place = write(
        own_syntax="import os\ndef f(:\n",
        own_dependency="import os\nimport nosuchthing\n",
        own_name="x = 1\ny = z\n",
        own_number="Net = 3\nclass Nets: pass\n",
    )
    assert refusal("own_syntax:f").startswith(f"model 'own_syntax:f': {place}/own_syntax.py:2: SyntaxError: ")
    told = f"model 'own_dependency:f': {place}/own_dependency.py:2: ModuleNotFoundError: No module named 'nosuchthing'"
    assert refusal("own_dependency:f") == told
    assert refusal("own_name:f").endswith(f"{place}/own_name.py:2: NameError: name 'z' is not defined")
    assert refusal("own_number:Net") == "model 'own_number:Net': this is an int, not a function or a class"
    assert refusal("own_number:Netz").endswith(f"{place}/own_number.py has no 'Netz': did you mean Net or Nets?")


def test_a_missing_module_is_told_with_the_folders_that_were_searched(write):
    place = write()
    told = refusal("no_such_module:Net")
    assert "no module 'no_such_module' in " in told and str(place) in told
    assert "no module 'no_such_package' in " in refusal("no_such_package.inner:Net")


def test_tasks_and_sources_are_classes_of_their_kind(write, monkeypatch):
    monkeypatch.setattr("saccade.models.naming._folders", {})  # the tests' own folder may be among them
    write(
        own_kinds="from saccade import Task\nfrom saccade.pipelines.data.source import Source\ndef f(): pass\n"
        "class Half(Task):\n    Input, monitor = object, 'loss'\n"
    )
    assert "this is a function, and no subclass of saccade's Task" in refusal("own_kinds:f", find_task)
    assert "this is a class, and no subclass of saccade's Source" in refusal("own_kinds:Half", find_source)
    half = find_task("own_kinds:Half")
    with pytest.raises(InputError, match=r"own_kinds.py:4: TypeError: Can't instantiate abstract class Half .*draw"):
        with own_code("own_kinds:Half", "task", half):
            half((), None, None)


def test_what_own_code_raises_is_told_where_it_was_raised(write, monkeypatch):
    monkeypatch.setattr("saccade.models.naming._folders", {})  # the tests' own folder may be among them
    place = write(own_faults="def deep():\n    return {}['width']\ndef net(shape):\n    return deep()\n")
    net = find_callable("own_faults:net", {}, __name__, "model")
    with pytest.raises(InputError, match=rf"^model 'own_faults:net': {place}/own_faults.py:2: KeyError: 'width'$"):
        with own_code("own_faults:net", "model", net):
            net(1)
    with pytest.raises(
        InputError, match=rf"^model 'own_faults:net': {place}/own_faults.py:3: TypeError: net\(\) takes 1"
    ):
        with own_code("own_faults:net", "model", net):
            net(1, 2)
    with pytest.raises(ZeroDivisionError), own_code("lenet", "model"):  # what saccade ships fails as it does
        raise ZeroDivisionError


def test_a_recipe_of_a_moved_run_finds_its_code_where_both_are_now(write, tmp_path):
    """Project and runs in it, moved together; and a run that was moved alone still finds what stayed."""
    project = tmp_path / "project"
    (project / "runs" / "one").mkdir(parents=True)
    recipe = load_recipe("digits", [f"train.run={project}/runs/one", "model.name=own_net_of_mine:Net"])
    values = recipe.resolved() | {"import_paths": [str(project)]}
    (project / "runs" / "one" / "recipe.yaml").write_text(json.dumps(values))
    assert load_recipe(project / "runs" / "one" / "recipe.yaml").import_paths == (str(project),)
    moved = project.rename(tmp_path / "moved")
    assert load_recipe(moved / "runs" / "one" / "recipe.yaml").import_paths == (str(moved),)
    assert folders_of_run([str(project)], project / "runs" / "one") == [str(project), "../.."]
