"""The command line: verbs, those that tasks bring, exit codes, one-line errors, and what answers without TensorFlow."""

import inspect
import os
import subprocess
import sys

import pytest

import saccade
from saccade.cli import VERBS, main
from saccade.models import TASKS, find_task

LIGHT = """
import sys
from saccade.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
heavy = ("tensorflow", "keras", "albumentations", "sklearn", "matplotlib")
print("loaded:", [name for name in heavy if name in sys.modules])
sys.exit(code)
"""


def run_light(*arguments, cwd=None, **environment):
    """Runs the command line in a process of its own; says which heavy packages it loaded."""
    return subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True, cwd=cwd, env=os.environ | environment
    )


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--help"], 0, "one recipe takes images from disk to a served model"),
        (["train", "--help"], 0, "KEY=VALUE"),
        (["--version"], 0, "saccade 0."),
        (["recipes"], 0, "digits"),
        (["recipe", "digits"], 0, "task: classification"),
        (["models"], 0, "mobilenet_v2 2.26 M 9.0 MB 32 224 2-32 Apache-2.0"),
        (["models", "classification"], 0, "inception_v3 21.80 M 87.2 MB 75 299 - Apache-2.0"),
        (["models", "clasification"], 2, "unknown task 'clasification': did you mean classification?"),
        (["trian", "digits"], 2, "no verb 'trian': did you mean train?"),
        (["train"], 2, "recipe"),
        (["train", "digitz"], 2, "did you mean digits?"),
        (["train", "digits", "train.epoch=3"], 2, "did you mean epochs"),
        (["train", "digits", "train.epochs=many"], 2, "integer"),
        (["train", "digits", "model.name=lenett"], 2, "did you mean lenet"),
        (["train", "classification", "data.path=/no/such/folder"], 2, "/no/such/folder: no such folder"),
        (["train", "clasification"], 2, "did you mean classification?"),
        (["evaluate", "/no/such/run"], 2, "not a run"),
        (["compare", "/no/such/run", "/no/such/run"], 2, "not a run"),
        (["evaluate", "/no/such/run", "train.epochs=1"], 2, "only data.* can be changed"),
        (["report", "/no/such/run"], 2, "not a run"),
        (["export", "/no/such/run"], 2, "not a run"),
        (["ensemble", "/no/such/run", "--out", "/no/such/folder", "--flip"], 2, "not a run"),
        (["ensemble", "/no/such/run", "--out", "/no/such/folder"], 2, "one run alone is no ensemble"),
        (["predict", "/no/such/run", "/no/such/image.png"], 2, "not a run"),
        (["recipe", "digitz"], 2, "did you mean digits?"),
        (["demo", "clasification"], 2, "did you mean classification?"),
    ],
)
def test_what_answers_without_tensorflow(arguments, code, part):
    result = run_light(*arguments)
    assert result.returncode == code, result.stderr
    assert " ".join(part.split()).lower() in " ".join((result.stdout + result.stderr).split()).lower()
    assert "loaded: []" in result.stdout
    if code == 2 and arguments != ["train"]:  # argparse shows its usage beside the line
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("saccade: ")


OWN = """
from typing import Annotated
from pydantic import Field
from saccade.models.classification.task import Classification
from saccade.models.errors import InputError
from saccade.models.options import Options, RecipePath


class CountOptions(Options):
    folder: RecipePath
    \"\"\"What is counted.\"\"\"
    times: Annotated[int, Field(ge=1)] = 1
    names: list[str] = []
    \"\"\"Of those alone.\"\"\"


def count(options: CountOptions):
    \"\"\"Counts.\"\"\"
    if options.times == 7:
        raise InputError("seven is too much")
    if options.times == 8:
        return 1 / 0
    return f"{options.folder} {options.times} {options.names}"


def untyped(options):
    pass


class Own(Classification):
    commands = {"count": "counting:count", "untyped": "counting:untyped", "lost": "counting:nothing"}


class Bare(Classification):
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The working folder, with a task of a user's own in it."""
    (tmp_path / "counting.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_task_brings_a_verb(own):
    """Its arguments are typed by its options, and paths are seen from the working folder; TensorFlow is not loaded."""
    result = run_light("counting:Own", "count", "folder=images", "times=3", "names=[1, x]", cwd=own)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [f"{own / 'images'} 3 ['1', 'x']", "loaded: []"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["counting:Own", "count", "times=3"], "count: 'folder' is missing"),
        (["counting:Own", "count", "folder=x", "tims=3"], "'tims=3': unknown key 'tims': did you mean times?"),
        (
            ["counting:Own", "count", "folder=x", "times=many"],
            "'times=many': 'times' is 'many': input should be a valid integer",
        ),
        (
            ["counting:Own", "count", "folder=x", "times=0"],
            "'times=0': 'times' is 0: input should be greater than or equal to 1",
        ),
        (["counting:Own", "count", "folder"], "count: 'folder': an argument is key=value: did you mean folder?"),
        (["counting:Own", "count", "folder=x", "times=7"], "seven is too much"),
        (["counting:Own", "count", "folder=x", "times=8"], "counting.py:22: ZeroDivisionError: division by zero"),
        (["counting:Own", "cuont"], "counting:Own has no verb 'cuont': did you mean count?"),
        (["counting:Own"], "counting:Own has no verb '': known: count, lost, untyped"),
        (["counting:Bare", "count"], "counting:Bare has no verb 'count': it brings none"),
        (["counting:Own", "untyped"], "verb 'untyped': untyped takes one argument, annotated with its Options class"),
        (["counting:Own", "lost"], "counting.py has no 'nothing'"),
        (["counting:Owl", "count"], "counting.py has no 'Owl'"),
    ],
)
def test_what_such_a_verb_cannot_use_is_one_line(own, capsys, arguments, message):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("saccade: ") and message in line


def test_such_a_verb_explains_itself(own, capsys):
    assert main(["counting:Own", "count", "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: saccade counting:Own count KEY=VALUE ...\n\nCounts.\n\n")
    for key in ("folder: ", "# times: 1", "# names: []", "# What is counted.", "# Of those alone."):
        assert key in printed


def test_verbs_of_shipped_tasks_need_no_task_before_them(own, capsys, monkeypatch):
    monkeypatch.setattr("saccade.models.classification.task.Classification.commands", {"count": "counting:count"})
    assert main(["count", "folder=images"]) == 0
    assert capsys.readouterr().out == f"{own / 'images'} 1 []\n"
    assert main(["coumt", "folder=images"]) == 2
    assert "no verb 'coumt': did you mean count" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Tasks may bring verbs (count)" in " ".join(capsys.readouterr().out.split())


def test_no_two_verbs_have_one_name():
    brought = [verb for task in TASKS for verb in find_task(task).commands]
    assert len({*VERBS, *brought}) == len(VERBS) + len(brought)


def test_every_verb_without_work_of_its_own_is_one_of_the_api():
    """Its arguments are the parameters."""
    for name, verb in VERBS.items():
        if verb.work is None:
            given = {
                (each[0] if not each[0].startswith("-") else each[0][2:]).replace("-", "_")
                for each, _ in verb.arguments
            }
            assert given == set(inspect.signature(getattr(saccade, name)).parameters), name


def test_a_wrong_keras_backend_is_one_clear_line():
    result = run_light("train", "digits", KERAS_BACKEND="torch")
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "saccade: KERAS_BACKEND is 'torch': saccade needs 'tensorflow', or leave it unset"
    ]


def test_python_dash_m():
    result = subprocess.run([sys.executable, "-m", "saccade", "recipes"], capture_output=True, text=True)
    assert result.returncode == 0 and "digits" in result.stdout


def test_debug_shows_the_traceback(capsys):
    assert main(["--debug", "train", "digitz"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_ours_is_one_line_and_exit_code_1(capsys, monkeypatch):
    def fault(name):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("saccade.pipelines.recipe.shipped.shipped_recipe", fault)
    assert main(["recipe", "digits"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected" in line and "--debug" in line


def test_importing_saccade_loads_nothing_heavy():
    script = "import sys, saccade; print(sorted({'tensorflow', 'keras', 'numpy', 'pydantic'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_every_name_of_the_python_api_is_there():
    for name in saccade.__all__:
        assert getattr(saccade, name) is not None
    assert set(saccade.__all__) <= set(dir(saccade))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        saccade.trian  # noqa: B018
