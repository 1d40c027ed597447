"""The command line: exit codes, one-line errors, and what answers without TensorFlow."""

import os
import subprocess
import sys

import pytest

from saccade.cli import main

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
        (["predict", "/no/such/run", "/no/such/picture.png"], 2, "no picture here"),
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

    monkeypatch.setattr("saccade.pipelines.shipped.shipped_recipe", fault)
    assert main(["recipe", "digits"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected" in line and "--debug" in line


def test_importing_saccade_loads_nothing_heavy():
    script = "import sys, saccade; print(sorted({'tensorflow', 'keras', 'numpy', 'pydantic'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_every_name_of_the_python_api_is_there():
    import saccade

    for name in saccade.__all__:
        assert getattr(saccade, name) is not None
    assert set(saccade.__all__) <= set(dir(saccade))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        saccade.trian  # noqa: B018
