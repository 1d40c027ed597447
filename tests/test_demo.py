"""The demo, whole: what a new user runs first."""

import re

from saccade.cli import main


def test_the_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    accuracy = re.search(r"test accuracy ([\d.]+)", printed)
    assert float(accuracy[1]) >= 0.98
    assert len(re.findall(r"digits/\d+ +truth: ", printed)) == 8
    assert "8 images over HTTP, same answers" in printed
    rows = re.findall(r"^(start|train|evaluate|export|serve|all) +[\d.]+ s", printed, re.M)
    assert rows == ["start", "train", "evaluate", "export", "serve", "all"]
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]  # it leaves nothing where it was called


def test_a_task_without_a_demo_says_so(monkeypatch, capsys):
    monkeypatch.setattr("saccade.models.classification.task.Classification.demo", None)
    assert main(["demo", "classification"]) == 2
    assert "ships no demo recipe" in capsys.readouterr().err
