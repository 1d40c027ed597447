"""Resuming a run: what of the recipe and the data is compared, what is recovered, who may write, when a job stops."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.cli import main
from saccade.models.classification.evaluation import SingleLabelEvaluation
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.models.stopping import Interrupted
from saccade.pipelines.data.check import CheckCache
from saccade.pipelines.data.splits import hash_place
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.run import LOCK, Run, alone_in
from saccade.pipelines.train import train

RECIPE = """
task: stopping:Learning
data: {source: folder, path: photos, validation: 0.2, test: 0.2}
input: {size: 16, fit: stretch}
model: {name: lenet}
train: {epochs: 3, batch: 8, run: run, callbacks: ["stopping:Stopping"]}
"""

STOPPING = """
import os, signal, keras

from saccade.models.classification.task import Classification


class Learning(Classification):
    '''Results depend on how many dogs it saw.'''

    def adapt(self, truths):
        self.learned = {"dogs": sum(int(truth["label"]) for truth in truths)}


class Stopping(keras.callbacks.Callback):
    '''Sends a signal in a moment of the training: its steps from now, or the end of a phase.'''
    steps, at_end = 0, False

    def on_train_batch_begin(self, batch, logs=None):
        Stopping.steps -= 1
        if Stopping.steps == 0:
            os.kill(os.getpid(), signal.SIGINT)

    def on_train_end(self, logs=None):
        if Stopping.at_end:
            Stopping.at_end = False
            os.kill(os.getpid(), signal.SIGINT)
"""


def draw(path: Path, seed: int, label: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 90, (16, 16, 3), dtype=np.uint8)
    pixels[..., label] += 120
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project's folder: a recipe, eighty photos of cats and dogs, and `run`, stopped amid its second epoch."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "stopping.py").write_text(STOPPING)
    for label, name in enumerate(("cat", "dog")):
        for number in range(40):
            draw(folder / "photos" / name / f"{number:02}.png", 100 * label + number, label)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import stopping

        stopping.Stopping.steps = 9
        with pytest.raises(Interrupted):
            train(load_recipe(folder / "tiny.yaml"))
        yield folder
    sys.modules.pop("stopping")


@pytest.fixture
def here(project, tmp_path, monkeypatch) -> Path:
    """A copy of the project, which is the working folder."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    text = (folder / "run" / "recipe.yaml").read_text()
    (folder / "run" / "recipe.yaml").write_text(text.replace(str(project), str(folder)))
    monkeypatch.chdir(folder)
    return folder


def recipe(*overrides: str):
    return load_recipe("tiny.yaml", overrides)


def content(run: Path) -> dict[str, bytes]:
    return {str(each.relative_to(run)): each.read_bytes() for each in run.rglob("*") if each.is_file()}


def epochs(run: Path) -> list[int]:
    return [json.loads(line)["epoch"] for line in (run / "history.jsonl").read_text().splitlines()]


def cut(path: Path, part: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])


@pytest.mark.parametrize(
    "override",
    [
        "export.folder=elsewhere",
        "export.name=other",
        "data.max_bad=1",
        "data.leaks=allow",
        "data.exclude=[unsorted]",
        "data.path=./photos/../photos",
        "train.memory=1",
        "train.jit=true",
        "train.epochs=4",
        "results.calibrate=false",
    ],
)
def test_what_does_not_change_a_training_may_change(here, override):
    run = Run.of(recipe(override))
    assert (run.progress.epoch, run.progress.step, run.notes) == (1, 3, [])


@pytest.mark.parametrize(
    "override, told",
    [
        ("train.seed=1", r"train\.seed is 0 there and 1 here"),
        ("train.epochs=2", r"train\.epochs is 3 there and 2 here"),
        ("train.batch=4", r"train\.batch is 8 there and 4 here"),
        ("train.callbacks=[]", r"train\.callbacks"),
        ("data.validation=0.3", r"data\.validation is 0\.2 there and 0\.3 here"),
        ("input.size=20", r"input\.size"),
        ("augment=[{HorizontalFlip: {p: 0.5}}]", "augment is"),
    ],
)
def test_what_changes_a_training_is_refused(here, override, told):
    before = content(here / "run")
    with pytest.raises(InputError, match=rf"another recipe \({told}.*train\.run=FOLDER"):
        train(recipe(override))
    assert content(here / "run") == before


def test_more_epochs_are_another_training_where_the_learning_rate_follows_their_number(here):
    path = here / "run" / "recipe.yaml"
    path.write_text(path.read_text().replace("name: constant", "name: cosine\n    final: 0.0"))
    with pytest.raises(InputError, match=r"train\.epochs is 3 there and 4 here"):
        Run.of(recipe("train.schedule={name: cosine}", "train.epochs=4"))
    assert Run.of(recipe("train.schedule={name: cosine}")).resumed


@pytest.mark.parametrize("gone, new", [("cat", "zebra"), ("dog", "ant")])
def test_renamed_classes_are_refused_before_anything_is_written(here, gone, new):
    before = content(here / "run")
    (here / "photos" / gone).rename(here / "photos" / new)
    with pytest.raises(InputError, match=rf"trained on the classes cat, dog, .*without {gone}, with {new}"):
        train(recipe())
    assert content(here / "run") == before


def test_classes_in_another_order_are_refused_whichever_file_still_names_them(here):
    run = Run.of(recipe())
    cut(here / "run" / "predictor.json")
    run.refuse_other_classes(("cat", "dog"))
    with pytest.raises(InputError, match=r"has dog, cat \(another order\)"):
        run.refuse_other_classes(("dog", "cat"))


def test_a_run_and_its_data_may_move_and_the_data_change(here, caplog):
    (here / "run").rename(here / "after")
    (here / "photos").rename(here / "images")
    (here / "elsewhere").mkdir()
    os.chdir(here / "elsewhere")
    (here / "images" / "cat" / "00.png").write_text("no image")
    new = next(f"new{number}.png" for number in range(99) if hash_place(f"dog/new{number}.png") > 0.4)  # in train
    draw(here / "images" / "dog" / new, 7, 1)
    learned = json.loads((here / "after" / "predictor.json").read_text())["learned"]
    found = train(load_recipe("../after/", [f"data.path={here}/images", "data.max_bad=1"]))
    assert found == here / "after"
    assert not (here / "run").exists()
    assert Run(found).progress.finished
    assert epochs(found) == [1, 2, 3]
    (line,) = [each for each in caplog.messages if "the data changed" in each]
    assert sum(line.count(word) for word in ("1 added", "1 removed")) == 2
    assert {each.name for each in found.iterdir()}.isdisjoint({LOCK, "previous.npz"})
    with (found / "samples.csv").open() as file:
        dogs = sum(line.startswith("dog/") and ",train," in line for line in file)
    # weights mean what was learned with them, not what the data of today would teach
    assert dogs == learned["dogs"] + 1 and Predictor.load(found).task.learned == learned


def test_labels_that_changed_in_a_table_are_told(tmp_path, caplog):
    from saccade.pipelines.data.data import changes, prepare_data

    for number in range(20):
        draw(tmp_path / f"{number}.png", number, 0)

    def data(first: str):
        names = [first, *("ab"[number % 2] for number in range(1, 20))]
        lines = [f"{number}.png,{name}" for number, name in enumerate(names)]
        (tmp_path / "table.csv").write_text("\n".join(["path,label", *lines]))
        made = load_recipe(
            "classification",
            [
                "data={source: csv, validation: 0.3, test: 0}",
                f"data.path={tmp_path}/table.csv",
            ],
        )
        source, task = made.open()
        return prepare_data(source, task, made.data, memory=0)

    (tmp_path / "samples.csv").write_text(data("a").listing())
    assert changes(tmp_path, data("a")) == []
    (line,) = changes(tmp_path, data("b"))
    assert line.endswith((": train 1 changed", ": validation 1 changed"))


def test_the_recipe_of_a_run_is_of_the_folder_it_is_in(here):
    (here / "run").rename(here / "after")
    assert load_recipe("after").train.run == str(here / "after")
    assert load_recipe("after/recipe.yaml").train.run == str(here / "after")
    assert load_recipe("after", ["train.run=other"]).train.run == str(here / "other")
    shutil.copy(here / "after" / "recipe.yaml", here / "recipe.yaml")  # somebody's own recipe by now
    assert load_recipe("recipe.yaml").train.run == str(here / "run")


def test_two_jobs_cannot_write_to_one_run(here):
    before = content(here / "run")
    with alone_in(here / "run"):
        with pytest.raises(InputError, match=rf"a job writes to this run now \(process {os.getpid()} on .*: wait for"):
            train(recipe())
    assert content(here / "run") == before


HOLD = """
import sys, time
from pathlib import Path
from saccade.pipelines.run import alone_in

with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_process_that_was_killed_lets_go_of_its_run(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(InputError, match=f"process {holder.pid} on "), alone_in(tmp_path / "run"):
                pass
        finally:
            holder.kill()
    with alone_in(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / LOCK).read_text())["pid"] == os.getpid()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_into_which_nothing_was_written_is_gone(tmp_path):
    with alone_in(tmp_path / "runs" / "one"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_job_may_wait_for_another(tmp_path):
    done = []
    with alone_in(tmp_path / "evaluation"):

        def job():
            with alone_in(tmp_path / "evaluation", wait=True):
                done.append("second")

        thread = threading.Thread(target=job)
        thread.start()
        thread.join(0.3)
        done.append("first")
    thread.join()
    assert done == ["first", "second"]


def test_where_there_are_no_locks_a_living_process_of_this_host_counts(tmp_path, monkeypatch, caplog):
    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)  # a file system without locks cannot be had here
    with alone_in(tmp_path / "run"):
        holder = json.loads((tmp_path / "run" / LOCK).read_text())
    assert "has no locks" in caplog.text
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / LOCK).write_text(json.dumps(holder | {"pid": process.pid}))
        with pytest.raises(InputError, match=rf"process {process.pid} on .*if it does not, remove"):
            with alone_in(tmp_path / "run"):
                pass
        process.kill()
    with alone_in(tmp_path / "run"):
        pass


DAMAGES = [
    ("state.json", 0, "state.json is not that of last.npz", (1, 3)),
    ("state.json", 0.5, "state.json is not that of last.npz", (1, 3)),
    ("last.npz", 0, "last.npz is cut short: resuming from the state before it, the end of epoch 1", (1, 0)),
    ("last.npz", 0.9, "last.npz is cut short: resuming from the state before it, the end of epoch 1", (1, 0)),
    ("best.weights.h5", 0.9, "best.weights.h5 is cut short or missing: the next epoch takes its place", (1, 3)),
    ("best.weights.h5", 0, "best.weights.h5 is cut short or missing", (1, 3)),
    ("predictor.json", 0.5, "predictor.json is cut short: it is written anew", (1, 3)),
    ("history.jsonl", 0.9, "history.jsonl: line 1 is cut short: left out", (1, 3)),
]


@pytest.mark.parametrize("name, part, note, place", DAMAGES)
def test_a_file_that_was_cut_short_is_recovered_from(here, name, part, note, place):
    cut(here / "run" / name, part)
    before = content(here / "run")
    run = Run.of(recipe())
    assert (run.progress.epoch, run.progress.step) == place
    assert [each for each in run.notes if note in each] == run.notes != []
    assert content(here / "run") == before


def test_without_any_whole_state_a_training_begins_anew(here):
    for name in ("last.npz", "previous.npz"):
        cut(here / "run" / name)
    run = Run.of(recipe())
    assert not run.resumed and run.history() == []
    assert "no whole state is left: beginning anew with the first epoch" in run.notes[0]


def test_a_recipe_that_was_cut_short_tells_nothing(here):
    cut(here / "run" / "recipe.yaml")
    with pytest.raises(InputError, match=r"recipe\.yaml is cut short.*choose another with train\.run=FOLDER"):
        train(recipe())


def test_a_run_is_finished_although_many_files_were_cut_short(here, caplog):
    run = here / "run"
    with (run / "history.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    for name in ("state.json", "last.npz", "best.weights.h5", "predictor.json"):
        cut(run / name, 0.8)
    train(recipe())
    assert "resuming from the state before it, the end of epoch 1" in caplog.text
    assert epochs(run) == [1, 2, 3]
    assert Predictor.load(run).task.class_names == ("cat", "dog")


@pytest.fixture(scope="module")
def finished(project) -> Path:
    """Another run of the project, of three epochs, which was never stopped."""
    return train(load_recipe(project / "tiny.yaml", [f"train.run={project}/finished"]))


@pytest.mark.parametrize("name", ["best.weights.h5", "predictor.json"])
def test_jobs_on_a_damaged_run_say_so_in_a_line(finished, tmp_path, name, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    cut(run / name, 0.9)
    for verb in (["evaluate", str(run)], ["report", str(run)], ["predict", str(run), "x.png"], ["export", str(run)]):
        (tmp_path / "x.png").write_bytes(b"")
        assert main([*verb[:2], *(str(tmp_path / each) for each in verb[2:])]) == 2
        (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("saccade: ")]
        assert f"{run / name}: cut short" in line and "run the 'train' command of this run again" in line


def test_a_finished_run_whose_weights_were_cut_short_is_finished_again(finished, project, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = [line["val_accuracy"] for line in Run(run).history()]
    cut(run / "best.weights.h5", 0.9)
    train(load_recipe(run / "recipe.yaml"))
    assert "the last epoch takes its place" in caplog.text
    assert Run(run).progress.best_epoch == 3
    assert [line["val_accuracy"] for line in Run(run).history()] == before
    with pytest.raises(InputError, match="this run is finished"):
        train(load_recipe(run / "recipe.yaml"))


def stop_at_update(monkeypatch, number: int, kind: int) -> None:
    """A signal when an evaluation takes in its `number`-th sample from now."""
    update, left = SingleLabelEvaluation.update, [number]

    def counted(self, *arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), kind)
        return update(self, *arguments)

    monkeypatch.setattr(SingleLabelEvaluation, "update", counted)


@pytest.mark.parametrize("moment", ["validation", "last validation", "settling"])
def test_a_stop_amid_an_evaluation_loses_nothing(finished, here, moment, monkeypatch, state_of):
    """The validation of a stopped epoch is done when the run is resumed: all is as in a run that was never stopped."""
    count = (finished / "samples.csv").read_text().count(",validation,")
    after = {"validation": 2, "last validation": 2 * count - 1, "settling": 2 * count + 3}[moment]
    stop_at_update(monkeypatch, after, signal.SIGTERM)
    with pytest.raises(Interrupted) as stopped:
        train(recipe())
    assert stopped.value.number == signal.SIGTERM
    assert (Run(here / "run").progress.fitted is None) == (moment == "settling")
    train(recipe())
    for once, twice in zip(Run(finished).history(), Run(here / "run").history(), strict=True):
        assert twice["val_accuracy"] == pytest.approx(once["val_accuracy"], abs=1e-6)
    for name, value in state_of(finished).items():
        np.testing.assert_allclose(state_of(here / "run")[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_stop_between_two_phases_ends_the_job(here):
    import stopping

    stopping.Stopping.at_end = True
    phases = recipe("train.head={epochs: 1}", "train.epochs=1", "train.run=phases")
    with pytest.raises(Interrupted):
        train(phases)
    progress = Run(here / "phases").progress
    assert (progress.phase, progress.epoch, progress.step) == (1, 1, 0)
    train(phases)
    assert epochs(here / "phases") == [1, 2]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_in_the_check_of_the_data_leaves_no_run(here, number, code, monkeypatch, capsys):
    put = CheckCache.put

    def stop(self, *arguments):
        put(self, *arguments)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(CheckCache, "put", stop)
    draw(here / "photos" / "cat" / "new.png", 5, 0)
    assert main(["train", "tiny.yaml", "train.run=runs/other"]) == code
    assert capsys.readouterr().err.splitlines()[-1] == "saccade: stopped: run the same command again"
    assert not (here / "runs").exists()
