"""The evaluation job, against scikit-learn on the Predictor's own answers."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

import saccade
from saccade.cli import main
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.data.splits import split
from saccade.pipelines.evaluating.evaluate import evaluate
from saccade.pipelines.evaluating.evaluation_files import read_breakdown, read_metrics
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.run import recipe_file


def test_the_test_split_is_quoted_with_intervals(digits_run):
    values = evaluate(digits_run)
    recipe = load_recipe(recipe_file(digits_run))
    source, _ = recipe.open()
    positions = split(source, recipe.data)["test"]
    truth = [int(source.truth(position)["label"]) for position in positions]
    answers = Predictor.load(digits_run).predict([source.read(position)["bytes"] for position in positions])
    said = [int(answer["class"].decode()) for answer in answers]
    assert values["accuracy"].value == pytest.approx(accuracy_score(truth, said))
    assert values["f1_macro"].value == pytest.approx(f1_score(truth, said, average="macro"))
    assert values["accuracy"].low < values["accuracy"].value < values["accuracy"].high
    folder = digits_run / "evaluation" / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["metrics"]["accuracy"]["value"] == values["accuracy"].value
    assert metrics["metrics"]["accuracy"]["higher_is_better"] and not metrics["metrics"]["log_loss"]["higher_is_better"]
    assert read_metrics(digits_run, "test", metrics["fingerprint"])["metrics"] == values
    assert read_metrics(digits_run, "test", "of another Predictor") is None
    for name in ("worst", "label_issues"):
        cases = (folder / f"{name}.jsonl").read_text().splitlines()
        assert len(cases) == len(list((folder / name).iterdir())) > 0
    right = dict(zip([source.keys[position] for position in positions], np.equal(truth, said), strict=True))
    assert json.loads((folder / "scores.json").read_text()) == right
    for name in ("confusion.png", "roc.png", "precision_recall.png", "reliability.png"):
        with Image.open(folder / name) as image:
            assert min(image.size) > 200


def write_digits(folder, names, image=True):
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((8, 8), 100 * number + int(name), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_all_of_other_data(digits_run, tmp_path):
    write_digits(tmp_path, "0123456789")
    values = evaluate(digits_run, "all", ["data={source: folder}", f"data.path={tmp_path}"])
    answers = Predictor.load(digits_run).predict(sorted(tmp_path.rglob("*.png")))
    right = [answer["class"].decode() == str(number // 2) for number, answer in enumerate(answers)]
    assert values["accuracy"].value == pytest.approx(np.mean(right))


def test_other_classes_are_refused(digits_run, tmp_path):
    write_digits(tmp_path, "012")
    with pytest.raises(InputError, match="other classes than the run: 3, 4"):
        evaluate(digits_run, "test", ["data={source: folder}", f"data.path={tmp_path}"])


def test_only_data_can_be_changed(digits_run):
    with pytest.raises(InputError, match=r"only data\.\* can be changed"):
        evaluate(digits_run, "test", ["model.name=resnet20"])


def test_an_empty_split(digits_run):
    with pytest.raises(InputError, match=r"the test split is empty \(data\.test is its share"):
        evaluate(digits_run, "test", ["data.test=0"])


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        evaluate(tmp_path)


@pytest.fixture
def cameras(digits_run, tmp_path):
    """A table of images of all digits; those of the "broken" camera are black."""
    write_digits(tmp_path, "0123456789")
    recipe = load_recipe(recipe_file(digits_run))
    source, _ = recipe.open()
    rows = ["path,label,camera"]
    for position in range(36):
        camera = ("good", "broken", "rare")[0 if position < 17 else 1 if position < 33 else 2]
        label = int(source.truth(position)["label"])
        with Image.open(io.BytesIO(source.read(position)["bytes"])) as image:
            (image.point(lambda _: 0) if camera == "broken" else image).save(tmp_path / f"{position}.png")
        rows.append(f"{position}.png,{label},{camera}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    return ["data={source: csv}", f"data.path={tmp_path / 'table.csv'}"]


def test_plots_by_a_column(digits_run, cameras, capsys):
    values = saccade.evaluate(digits_run, "all", *cameras, by="camera")
    parts = read_breakdown(digits_run, "all", "camera")
    assert {value: part.count for value, part in parts.items()} == {"good": 17, "broken": 16, "rare": 3}
    total = sum(part.count * part.values["accuracy"].value for part in parts.values())
    assert total / 36 == pytest.approx(values["accuracy"].value)
    assert parts["good"].values["accuracy"].low is not None
    assert parts["broken"].values["accuracy"].value < 0.4 < parts["good"].values["accuracy"].value
    metrics = json.loads((digits_run / "evaluation" / "all" / "metrics.json").read_text())
    assert metrics["overrides"] == cameras
    assert read_metrics(digits_run, "all", metrics["fingerprint"]) is None  # not of the run's own data
    assert main(["evaluate", str(digits_run), "--split", "all", "--by", "camera", *cameras]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("accuracy ") and any(line.split()[:1] == ["class"] for line in printed)
    assert any(line.startswith("rare ") and "3 (too few)" in line for line in printed)
    assert printed[-2].startswith("widest gap: ") and "camera=broken" in printed[-2]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["data.columns={label: label}"], "no column 'kamera' to tell metrics apart by: did you mean camera?"),
        (["data={source: digits}"], "no column 'kamera' to tell metrics apart by: it has none"),
    ],
)
def test_a_column_that_is_not_there(digits_run, cameras, overrides, told):
    with pytest.raises(InputError, match=told):
        evaluate(digits_run, "all", [*cameras, *overrides], by="kamera")


@pytest.fixture
def closed_run(digits_run, tmp_path):
    """A run in which no evaluation can be written: a file is in the way, which stops root, too."""
    run = tmp_path / "closed"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("evaluation", "report.html"))
    (run / "evaluation").write_text("in the way")
    return run


def test_metrics_of_a_run_that_cannot_be_written_to_are_told(closed_run, digits_run, cameras, capsys, caplog):
    assert main(["evaluate", str(closed_run), "--split", "all", "--by", "camera", *cameras]) == 0
    printed, warned = capsys.readouterr()
    assert printed.startswith("accuracy") and "camera" in printed and "evaluation/all" not in printed
    assert f"warning: {closed_run}/evaluation/all: a file stands here or above" in warned
    assert "the metrics are told all the same" in warned
    compared = str(saccade.compare(closed_run, digits_run))
    assert "accuracy" in compared and "p = 1" in compared


def test_a_report_that_cannot_be_written_is_told_before_the_work(closed_run):
    (closed_run / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html: a folder: name a file"):
        saccade.report(closed_run)
    (closed_run / "report.html").rmdir()
    page = saccade.report(closed_run).read_text()
    assert "could not be evaluated" in page and "cannot be written to" in page
