"""The report of a run: one page with what the run's files say, which needs nothing beside it."""

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from saccade.models.classification.evaluation import SingleLabelEvaluation
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.evaluating.evaluation_files import write_evaluation
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.report.report import report
from saccade.pipelines.run import Run

EVIL = "<script>alert(\"1\")</script> & 'co'"


class Page(HTMLParser):
    """What is on a page: its tags must close in order; text without style, and every address that it names."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.words, self.titles = [], [], [], [], []
        self.ids, self.alts = [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.alts += [value for name, value in attrs if name == "alt"]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


@pytest.fixture(scope="module")
def reported(digits_run, tmp_path_factory):
    """A run with its report."""
    folder = tmp_path_factory.mktemp("reported") / "digits"
    shutil.copytree(digits_run, folder)
    report(folder)
    return folder


@pytest.fixture
def run(reported, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(reported, tmp_path / "digits")


def read(folder) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def change(path, **entries):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | entries))


def test_the_page_needs_nothing_beside_it(reported):
    text = (reported / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.addresses and all(re.match("data:image/|#", each) for each in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert {each[1:] for each in page.addresses if each.startswith("#")} <= set(page.ids)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?://", text)


def test_the_page_says_what_the_run_is(reported):
    page = read(reported)
    test, validation = (
        json.loads((reported / "evaluation" / split / "metrics.json").read_text())["metrics"]["accuracy"]
        for split in ("test", "validation")
    )
    for metric in (test["value"], test["low"], test["high"], validation["value"]):
        assert f"{metric:.4f}" in page.text
    samples = json.loads((reported / "provenance.json").read_text())["data"]["samples"]
    assert f"learnt classification of 10 classes from {samples['train']:,} training samples" in page.text
    assert f"On {samples['test']} test samples its accuracy is {test['value']:.4f}" in page.text
    assert "It trained for 2 epochs in" in page.text
    for part in (Predictor.load(reported).fingerprint, "keras 3.", "seed 0", "learning_rate: 0.002"):
        assert part in page.text
    assert "Too short to say" in page.text
    assert page.titles == [
        "Metrics",
        "Learning curves",
        "Plots",
        "Metrics by name",
        "The worst mistakes",
        "Likely mislabelled",
        "What the network saw",
        "Data",
        "Provenance",
    ]


def test_every_case_is_shown_with_image_note_and_key(reported):
    files = ("test/worst", "test/label_issues", "validation/label_issues")
    texts = [(reported / "evaluation" / f"{file}.jsonl").read_text() for file in files]
    cases = [json.loads(line) for text in texts for line in text.splitlines()]
    page = read(reported)
    assert all(texts) and all(case["note"] in page.text and case["key"] in page.text for case in cases)
    drawn = json.loads((reported / "evaluation/test/metrics.json").read_text())["plots"]
    assert drawn == ["confusion", "roc", "precision_recall", "reliability"]
    assert page.tags.count("img") == len(cases) + len(drawn) + 1  # and the training samples


def test_a_second_report_evaluates_nothing_and_is_the_same(run):
    before, page = (run / "evaluation/test/metrics.json").stat().st_mtime_ns, (run / "report.html").read_bytes()
    report(run)
    assert (run / "evaluation/test/metrics.json").stat().st_mtime_ns == before
    assert (run / "report.html").read_bytes() == page


def test_metrics_by_a_column_are_shown_with_their_widest_gap(run):
    metrics = {
        "left": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}},
        "right": {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}},
    }
    parts = {value: {"count": 20, "metrics": each} for value, each in metrics.items()}
    change(run / "evaluation" / "test" / "metrics.json", by={"camera": parts})
    report(run)
    page = read(run)
    assert page.titles[4] == "Metrics by column" and "camera samples accuracy left 20 0.500 right 20 0.900" in page.text
    assert "widest gap: accuracy 0.5000 for camera=left against 0.9000 for camera=right" in page.text


@pytest.mark.parametrize("stale", [{"fingerprint": "of other weights"}, {"overrides": ["data.path=other"]}])
def test_metrics_of_other_weights_or_other_data_are_not_quoted(run, stale):
    path = run / "evaluation" / "test" / "metrics.json"
    right = json.loads(path.read_text())
    change(path, **stale, metrics={"accuracy": {"value": 0.1234}})
    report(run)
    assert json.loads(path.read_text()) == right
    assert "0.1234" not in read(run).text


def test_names_cannot_break_the_page(run):
    for name in ("test", "validation"):
        path = run / "evaluation" / name / "metrics.json"
        metrics = json.loads(path.read_text())["metrics"]
        part = {"count": 20, "metrics": {'<b>"x"': {"value": 0.5}}}
        evil = {f"recall/{EVIL}": {"value": 0.5}, '<b>"y"': {"value": 0.5}}
        change(path, metrics=metrics | evil, by={EVIL: {EVIL: part}})
    (run / "evaluation/test/worst.jsonl").write_text(json.dumps({"key": EVIL, "badness": 1, "note": EVIL}) + "\n")
    entry = {"key": EVIL, "where": EVIL, "reason": EVIL}
    (run / "quarantine.jsonl").write_text(json.dumps(entry) + "\n")
    evil = run.parent / EVIL.replace("/", "")
    run.rename(evil)
    report(evil)
    page = read(evil)
    assert "script" not in page.tags
    # a class, a column, its name in the note, its value, a note, a key, an unusable file and its reason
    assert page.text.count(EVIL) == 8
    assert '<b>"x"' in page.text and '<b>"y"' in page.text  # metrics
    assert EVIL in page.alts
    assert EVIL.replace("/", "") in page.text  # the title
    assert "1 samples that cannot be used, left out" in page.text


def test_findings_about_the_data(run):
    one, other = ({"key": key, "where": f"{key}.png", "split": split} for key, split in (("a", "train"), ("b", "test")))
    change(run / "findings.json", leaks=[[one, other]], duplicates=3, notes=[one | {"note": "a PNG named .jpg"}])
    report(run)
    text = read(run).text
    assert "1 identical files in two splits file identical to a.png (train) b.png (test)" in text
    assert "3 samples repeat another of their split" in text
    assert "1 odd but usable where what a.png a PNG named .jpg" in text


def test_contradictions_and_classes_that_are_not_there(run):
    one, other = (
        {"key": key, "where": f"{key}.png", "split": "train", "truth": truth}
        for key, truth in (("a", "cat"), ("b", "dog"))
    )
    change(run / "findings.json", contradictions=[[one, other]], absent=["pole", EVIL])
    change(run / "evaluation" / "test" / "metrics.json", notes=[f"never predicted: {EVIL}"])
    report(run)
    text = read(run).text
    assert "1 identical files with two labels file identical to a.png (train): cat b.png (train): dog" in text
    assert f"Classes that no training sample holds: pole, {EVIL}." in text and "All can be read" not in text
    assert f"On test, never predicted: {EVIL}." in text


def test_a_list_of_samples_that_is_not_whole_is_written_anew(run):
    path = run / "evaluation/test/worst.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])
    report(run)
    assert path.read_text() == whole


def test_a_run_of_an_earlier_version(run):
    (run / "findings.json").unlink()
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for line in history:
        del line["seconds"]
    (run / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
    report(run)
    text = read(run).text
    assert "the run has no findings.json" in text
    assert "It trained for 2 epochs;" in text


@pytest.mark.parametrize("is_evaluated", [True, False])
def test_data_that_moved_away(run, tmp_path, is_evaluated):
    text = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(text.replace("source: digits", f"source: folder\n  path: {tmp_path / 'gone'}"))
    if not is_evaluated:
        shutil.rmtree(run / "evaluation" / "test")
    report(run)
    text = read(run).text
    assert ("The test split could not be evaluated" in text) is not is_evaluated
    assert (f"{tmp_path / 'gone'}: no such folder" in text.split("Metrics")[0]) is not is_evaluated
    assert ("validation samples its accuracy is" in text) is not is_evaluated
    assert ("That is optimistic" in text) is not is_evaluated


def test_no_test_split(run):
    provenance = json.loads((run / "provenance.json").read_text())
    provenance["data"]["samples"]["test"] = 0
    (run / "provenance.json").write_text(json.dumps(provenance))
    report(run)
    page = read(run)
    accuracy = json.loads((run / "evaluation/validation/metrics.json").read_text())["metrics"]["accuracy"]["value"]
    assert f"validation samples its accuracy is {accuracy:.4f}" in page.text
    assert "That is optimistic, for the same samples chose the weights: the test split is empty." in page.text
    assert "validation split 95 % interval" in page.text


@pytest.mark.parametrize(
    ("command", "is_moved", "way_on"),
    [
        ("saccade train digits 'augment=[{A: {p: 1}}]'", False, "saccade train digits 'augment=[{A: {p: 1}}]'"),
        ("saccade train digits", True, "saccade train RUN/recipe.yaml"),
        ("python notebook.py", False, "saccade train RUN/recipe.yaml"),
    ],
)
def test_a_run_cut_short(run, command, is_moved, way_on):
    if not is_moved:  # the run is a copy
        text = (run / "recipe.yaml").read_text()
        (run / "recipe.yaml").write_text(re.sub("run: .*", f"run: {run}", text))
    change(run / "state.json", finished=False, epoch=1, step=7)
    change(run / "provenance.json", command=command)
    before = (run / "report.html").read_bytes()
    with pytest.raises(InputError) as refused:
        report(run)
    assert str(refused.value) == (
        f"{run}: this training was cut short after 1 epoch and 7 steps; resume it, then report: "
        + way_on.replace("RUN", str(run))
    )
    assert (run / "report.html").read_bytes() == before


def test_a_run_cut_short_resumes_from_its_own_recipe(run):
    change(run / "state.json", finished=False, epoch=1, step=7)
    text = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(re.sub("run: .*", f"run: {run}", text))
    assert Run.of(load_recipe(run / "recipe.yaml")).resumed  # another recipe would be refused


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        report(tmp_path)


class Doubtful(SingleLabelEvaluation):
    """An evaluation that suspects the labels of its worst cases."""

    def label_issues(self, n):
        return self.worst(n)[:2]


def test_suspects_are_shown_where_there_are_any(run):
    predictor = Predictor.load(run)
    source, task = load_recipe(run / "recipe.yaml").open()
    evaluation = Doubtful(task.class_names)
    wrong = np.roll(np.arange(10), 1)
    raws = [source.read(position) for position in range(4)]
    for key, raw, results in zip(source.keys, raws, predictor.predict(raws), strict=False):
        evaluation.update({"label": wrong[results["class_id"]]}, results, key, raw)
    write_evaluation(evaluation, {}, source, "test", predictor, run)
    report(run)
    page = read(run)
    assert "Likely mislabelled" in page.titles
    after = page.text.split("look at each before you trust either")[1].split("What the network saw")[0]
    assert all(case.key in after for case in evaluation.label_issues(9))
    for number in range(2):
        with Image.open(run / "evaluation" / "test" / "label_issues" / f"{number:02}.png") as image:
            assert min(image.size) > 100


def test_classes_that_are_never_predicted_are_told(run, caplog):
    predictor = Predictor.load(run)
    source, task = load_recipe(run / "recipe.yaml").open()
    evaluation = SingleLabelEvaluation(task.class_names)
    answer = {"class_id": np.int32(3), "probabilities": np.eye(10, dtype=np.float32)[3]}
    for position in range(20):
        evaluation.update({"label": np.int32(position % 5)}, answer, source.keys[position], source.read(position))
    write_evaluation(evaluation, {}, source, "test", predictor, run)
    told = "never predicted: 0, 1, 2, 4 (of 10 classes)"
    assert f"on test, {told}" in caplog.messages
    report(run)
    assert f"On test, {told}." in read(run).text
