"""The proof of the contract: a task of a user's own, outside the package, through every verb."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import saccade
from saccade.cli import main
from saccade.serving.client import Client

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of a user's: the example's two files, images, and a table with one number each, how full they are."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("image_regression.py", "image_regression.yaml"):
        shutil.copy(ROOT / "examples" / name, folder)
    (folder / "images").mkdir()
    rows = ["path,value"]
    for number, digit in enumerate(load_digits().images[:300]):
        Image.fromarray(np.uint8(digit * 15.9)).save(folder / "images" / f"{number}.png")
        rows.append(f"images/{number}.png,{digit.mean():.4f}")
    (folder / "numbers.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        assert main(["train", "image_regression.yaml", "train.run=run", "train.epochs=25"]) == 0
    return place / "run"


def test_it_learns_and_is_evaluated(run, capsys):
    assert main(["evaluate", str(run)]) == 0
    printed = capsys.readouterr().out
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())["metrics"]
    assert metrics["r_squared"]["value"] > 0.8  # 0 is what the mean alone explains
    assert "mean_absolute_error" in printed


def test_the_best_epoch_has_the_smallest_error(run):
    """The evaluation says that less is better; nobody else needs to know."""
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    best = json.loads((run / "state.json").read_text())
    errors = [line["val_mean_absolute_error"] for line in history]
    assert best["best"] == min(errors)
    assert best["best_epoch"] == 1 + int(np.argmin(errors))


def test_it_has_a_report_without_classes_or_plots(run, capsys):
    """Built from what every task offers: what this one does not offer is left out."""
    assert main(["report", str(run)]) == 0
    page = Path(capsys.readouterr().out.strip())
    text = page.read_text(encoding="utf-8")
    assert page == run / "report.html"
    assert "its mean absolute error is" in text and "ImageRegression" in text
    assert "The worst mistakes" in text and "Learning curves" in text
    assert "Plots" not in text and "Metrics by name" not in text and "Likely mislabelled" not in text


def test_it_predicts_is_exported_and_served(place, run, capsys):
    image = place / "images" / "7.png"
    assert main(["predict", str(run), str(image)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert main(["export", str(run), "--folder", str(place / "bundles"), "--name", "ink"]) == 0
    assert (place / "bundles" / "ink" / "1" / "saved_model.pb").is_file()
    with saccade.serve(place / "bundles" / "ink", port=0) as server:
        (answer,) = Client(server.url, "ink").predict([image])
    value = answer["value"] if isinstance(answer, dict) else answer
    assert float(value) == pytest.approx(row["value"], abs=1e-6)
    assert saccade.load(run).predict([image])[0]["value"] == pytest.approx(row["value"], abs=1e-6)


def test_a_dry_run_includes_the_export_and_leaves_nothing(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    assert main(["train", "image_regression.yaml", "--dry-run", "train.run=other"]) == 0
    assert "everything works" in capsys.readouterr().out
    assert [each for each in sorted(place.rglob("*")) if "cache" not in each.parts] == [
        each for each in before if "cache" not in each.parts
    ]


@pytest.mark.parametrize("attribute, example", [("Input", "ImageInput"), ("monitor", '"mean_absolute_error"')])
def test_a_class_that_lacks_what_a_task_needs_is_told(place, monkeypatch, capsys, attribute, example):
    monkeypatch.chdir(place)
    text = (place / "image_regression.py").read_text()
    assert f"    {attribute} = {example}\n" in text
    (place / f"without_{attribute}.py").write_text(text.replace(f"    {attribute} = {example}\n", ""))
    assert main(["train", "image_regression.yaml", f"task=without_{attribute}:ImageRegression"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"task 'without_{attribute}:ImageRegression': the class lacks '{attribute}', as in {attribute} = " in line
