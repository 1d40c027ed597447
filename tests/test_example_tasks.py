"""The proof of the contract: five tasks of a user's own, of five shapes, each through every verb without a change."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.cli import main
from saccade.models.contract import plain
from saccade.models.errors import InputError
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client
from saccade.serving.proof import prove

ROOT = Path(__file__).resolve().parent.parent

STOPPING = """
import os, signal
import keras

class Stop(keras.callbacks.Callback):
    steps = 0  # of this training

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == 3 and os.path.exists("stop"):
            os.remove("stop")
            os.kill(os.getpid(), signal.SIGINT)
"""


def images(folder: Path) -> None:
    random = np.random.default_rng(0)
    (folder / "images").mkdir()
    for number in range(16):
        coarse = Image.fromarray(random.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        coarse.resize((30 + number, 40)).save(folder / "images" / f"{number:02}.png")


def sentences(folder: Path) -> None:
    random = np.random.default_rng(0)
    filler, good, bad = "the film was about some people in town".split(), ["great", "lovely"], ["awful", "dull"]
    with (folder / "sentences.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for number in range(120):
            words = [*random.choice(filler, random.integers(2, 9)), random.choice(good if number % 2 else bad)]
            table.writerow([" ".join([*random.permutation(words), str(number)]), "good" if number % 2 else "bad"])


class Example:
    """What differs from one example to the next: its data, what is asked of it, and how the answer is known."""

    def __init__(self, name, make=lambda folder: None, places=(), items=(), overrides=(), epochs=2):
        self.name, self.make, self.places, self.items = name, make, list(places), list(items)
        self.overrides, self.epochs = list(overrides), epochs


def pair(number, strength):
    return {"content": f"images/{number:02}.png", "style": "images/09.png", "strength": strength}


EXAMPLES = [
    Example(
        "blend_images",
        images,
        ["images/03.png", "images/04.png", "images/09.png"],
        [pair(3, 0.5), pair(4, 0.5)],
        epochs=0,
    ),
    Example(
        "sentence_classes",
        sentences,
        ["a great film", "an awful film about some people"],
        ["a great film", "an awful film about some people"],
        ["export.keep_samples=false"],
    ),
    Example(
        "find_squares",
        images,
        ["images/03.png", "images/04.png"],
        ["images/03.png", "images/04.png"],
        ["data.count=40"],
    ),
    Example("draw_digits", places=["7", "12"], items=[7, 12]),
    Example(
        "same_writer",
        images,
        ["images/03.png", "images/04.png"],
        ["images/03.png", "images/04.png"],
        ["data.identities=20"],
    ),
]


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.name)
def example(request):
    return request.param


@pytest.fixture(scope="module")
def place(example, tmp_path_factory):
    """A folder of a user's: the example's two files and its data; the working folder of all that follows."""
    folder = tmp_path_factory.mktemp(example.name)
    for ending in (".py", ".yaml"):
        shutil.copy(ROOT / "examples" / f"{example.name}{ending}", folder)
    (folder / "stopping.py").write_text(STOPPING)
    example.make(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


def arguments(example, run):
    words = ["train", f"{example.name}.yaml", f"train.run={run}", "train.callbacks=[stopping:Stop]", *example.overrides]
    return words if not example.epochs else [*words, f"train.epochs={example.epochs}"]


@pytest.fixture(scope="module")
def run(example, place):
    assert main(arguments(example, "run")) == 0
    return place / "run"


@pytest.fixture(scope="module")
def bundle(example, place, run):
    assert main(["export", str(run), "--folder", "bundles", "--name", "own"]) == 0
    return place / "bundles" / "own"


def test_it_is_trained_checked_and_evaluated(example, run, capsys):
    assert main(["evaluate", str(run)]) == 0
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())["metrics"]
    assert metrics and all(np.isfinite(each["value"]) for each in metrics.values())
    assert next(iter(metrics)) in capsys.readouterr().out
    assert json.loads((run / "findings.json").read_text())["bad"] == []
    assert len((run / "history.jsonl").read_text().splitlines()) == example.epochs if example.epochs else True


def test_the_command_line_and_python_answer_alike(example, place, run, capsys):
    assert main(["predict", str(run), *example.places]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    predictor = saccade.load(run)
    rows = predictor.predict(example.items)
    assert [
        {"file": line["file"]} | plain(predictor.task.line(row)) for line, row in zip(lines, rows, strict=True)
    ] == lines
    assert predictor.predict(example.items[0])[0].keys() == rows[0].keys()  # one alone is a list of one


def test_it_draws_what_it_answers(example, place, run):
    assert main(["predict", str(run), *example.places, "--draw", "drawn"]) == 0
    drawn = sorted((place / "drawn").glob("*.png"))
    assert len(drawn) == len(example.items) and all(np.asarray(Image.open(each)).ndim == 3 for each in drawn)


def test_the_bundle_proved_itself_and_answers_over_rest(example, run, bundle):
    """Each sample alone, in one batch, in a clean process: `export` compared them; here a client does."""
    predictor = saccade.load(run)
    raws = [predictor.task.input.encode(item) for item in example.items]
    with saccade.serve(bundle, port=0) as server:
        answers = Client(server.url, "own").predict(raws)
    for here, there in zip(predictor.answer_raws(raws), answers, strict=True):
        there = {name: _cut(np.asarray(value), name, there, predictor.task.lengths) for name, value in there.items()}
        for name, value in here.items():
            if name.endswith("_bytes"):
                assert there[name].item() == value
            elif np.asarray(value).dtype.kind == "f":
                np.testing.assert_allclose(there[name], value, atol=1e-4)
            else:
                assert np.asarray(plain(value)).tolist() == there[name].tolist()


def _cut(value, name, row, lengths):
    return value[: int(row[lengths[name]])] if name in lengths else value


def test_a_bundle_carries_samples_unless_recipe_or_task_says_no(example, run, bundle):
    extra = bundle / "1" / "assets.extra"
    carries = saccade.load(run).task.keep_samples and "export.keep_samples=false" not in example.overrides
    assert (extra / "proof").is_dir() == (extra / "tf_serving_warmup_requests").is_file() == carries
    assert (run / "proof" / "samples.jsonl").is_file() and Bundle(bundle).description.proof.samples > 0
    if not carries:
        with pytest.raises(InputError, match="carries no proof .*export.keep_samples=true"):
            prove(bundle / "1")


def test_it_has_a_report(example, run, capsys):
    assert main(["report", str(run)]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text()
    assert type(saccade.load(run).task).__name__ in page


def test_ctrl_c_and_the_same_command_end_as_if_never_stopped(example, place, run, capsys):
    if not example.epochs:
        pytest.skip("epochs: 0 trains nothing")
    (place / "stop").touch()
    assert main(arguments(example, "again")) == 130
    assert main(arguments(example, "again")) == 0
    with np.load(run / "last.npz") as whole, np.load(place / "again" / "last.npz") as resumed:
        names = [name for name in whole.files if name != "progress"]
        assert names and all(np.array_equal(whole[name], resumed[name]) for name in names)
    whole, resumed = (
        [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        for folder in (run, place / "again")
    )
    for one, other in zip(whole, resumed, strict=True):  # the metrics of the interrupted epoch too
        assert {name for name in {*one, *other} if one.get(name) != other.get(name)} <= {
            "seconds",
            "samples_per_second",
        }
