"""Show, the sheet at the start of a training, and a user's own code are guarded as the data and the recipe are."""

import logging
import sys

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.cli import main
from saccade.models.errors import InputError, JobError
from saccade.models.predictor import Predictor
from saccade.pipelines.data.splits import hash_place

TINY = """
task: classification
data: {source: folder, validation: 0.2, test: 0.2}
input: {size: 16, fit: stretch}
model: {name: lenet}
train: {epochs: 1, batch: 8}
"""
NETS = """
import keras

def one_argument(shape): return 1
def number(shape, options): return 3
def fails(shape, options):
    return options.wdith
def other_input(shape, options):
    image = keras.Input((8, 8, 1))
    return keras.Model(image, keras.layers.Flatten()(image))
def small(shape, options):
    return keras.Sequential([keras.Input(shape), keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()])

class NeedsMore(keras.callbacks.Callback):
    def __init__(self, path): super().__init__()
class Nothing: pass
class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyError("accurracy")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working folder: a recipe, 24 images of two classes, a module of a user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "own_parts.py").write_text(NETS)
    for kind in ("cat", "dog"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.default_rng([number, len(kind), ord(kind[0])]).integers(0, 200, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / kind / f"{number:02}.png")
    return tmp_path


def refused(capsys, *arguments):
    assert main(list(arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("saccade: ")
    return line.removeprefix("saccade: ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--count", "0"], "count 0: give 1 or more"),
        (["--count", "-3"], "count -3: give 1 or more"),
        (["--out", "no/sheet.png"], "no/sheet.png: no folder no: make it"),
        (["--out", "sheet.txt"], "sheet.txt: by its name this is no image"),
        (["--out", "photos"], "photos: by its name this is no image"),
        (["--out", "old.png"], "old.png: exists already, and nothing is overwritten"),
    ],
)
def test_what_show_cannot_write_is_told_before_the_data_is_looked_for(place, capsys, options, told):
    (place / "old.png").write_text("mine")
    assert told in refused(capsys, "show", "tiny.yaml", "data.path=missing", *options)
    assert (place / "old.png").read_text() == "mine"


def test_show_leaves_out_and_names_what_it_cannot_read(place, capsys):
    for number in range(6):
        (place / "photos" / "cat" / f"{number:02}.png").write_bytes(b"")
    assert main(["show", "tiny.yaml", "data.path=photos", "--count", "500"]) == 0
    told = capsys.readouterr()
    assert told.out == "samples.png\n" and "photos/cat/0" in told.err and "empty: 0 bytes: left out" in told.err
    with Image.open("samples.png") as sheet:
        columns = sheet.width // 198
    assert 9 <= columns**2 <= 25  # of 14 to 18 good images in train
    for name in ("samples.png", "sheet.jpg", "sheet.webp"):
        for _ in range(2):  # its own file is replaced
            assert main(["show", "tiny.yaml", "data.path=photos", "--count", "2", "--out", name]) == 0
    capsys.readouterr()
    for file in (place / "photos").rglob("*.png"):
        file.write_bytes(b"no image")
    told = refused(capsys, "show", "tiny.yaml", "data.path=photos")
    assert "none of the" in told and "photos/cat" in told and "not an image" in told


def test_a_transform_that_does_not_work_is_told_with_its_image(place, capsys):
    augment = "augment=[{RandomCrop: {height: 22, width: 22}}]"
    for arguments in (["show", "tiny.yaml"], ["train", "tiny.yaml", "train.run=run"]):
        assert main([*arguments, "data.path=photos", augment]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert "photos/" in line and ".png: augment: RandomCrop fails on an image of 24 x 20" in line
    assert not (place / "run").exists()


def test_a_transform_that_fails_later_in_the_training_is_told_alike(place):
    """The sheet shows 16 images; the one that is too small is not among them."""
    number = next(each for each in range(50, 99) if hash_place(f"dog/{each}.png") > 0.2)  # in train
    small = place / "photos" / "dog" / f"{number}.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(small)
    overrides = ["data.path=photos", "augment=[{RandomCrop: {height: 10, width: 10}}]", "data.test=0"]
    for seed in range(20):
        try:
            saccade.show("tiny.yaml", *overrides, f"train.seed={seed}")
            break
        except InputError:
            continue
    overrides.append(f"train.seed={seed}")
    with pytest.raises(InputError, match=rf"{small}: augment: RandomCrop fails on an image of 9 x 9: "):
        saccade.train("tiny.yaml", *overrides, "train.run=run")


def test_an_image_that_broke_since_the_check_is_named(place, monkeypatch):
    from saccade.pipelines.data.formats.folder import Folder

    read, broken = Folder.read, place / "photos" / "dog" / "05.png"

    def breaking(self, position):
        made = (place / "run" / "proof" / "samples.jsonl").is_file()
        return {"bytes": b"cut"} if made and self.where(position) == str(broken) else read(self, position)

    monkeypatch.setattr(Folder, "read", breaking)
    with pytest.raises(InputError, match=rf"^{broken}: not an image"):
        saccade.train("tiny.yaml", "data={source: folder, path: photos, test: 0}", "train.memory=0", "train.run=run")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.name=own_parts:one_argument", "own_parts.py:4: TypeError: one_argument() takes 1"),
        ("model.name=own_parts:number", "returned a int, not a keras.Model"),
        ("model.name=own_parts:fails", "own_parts.py:7: AttributeError: "),
        ("model.name=own_parts:other_input", "takes [(8, 8, 1)], and the input gives one image (16, 16, 3)"),
        ("train.callbacks=[own_parts:Nope]", "own_parts.py has no 'Nope'"),
        ("train.callbacks=[own_parts:NeedsMore]", "a subclass of your own may give them"),
        ("train.callbacks=[own_parts:Nothing]", "makes a Nothing, and no keras.callbacks.Callback"),
    ],
)
def test_wrong_own_code_is_told_before_the_data_is_read(place, override, told, caplog):
    with pytest.raises(InputError) as error:
        saccade.train("tiny.yaml", "data.path=photos", override, "train.run=run")
    assert told in str(error.value) and "\n" not in str(error.value)
    assert "checked" not in caplog.text and not (place / "run").exists()


def test_what_an_own_callback_raises_is_told_with_its_line(place):
    told = r"^training failed: .*own_parts\.py:19: KeyError: 'accurracy'; .*run holds the epochs so far$"
    with pytest.raises(JobError, match=told):
        saccade.train("tiny.yaml", "data.path=photos", "train.callbacks=[own_parts:Failing]", "train.run=run")


def test_a_run_moved_with_its_code_still_predicts(place, tmp_path_factory, monkeypatch):
    saccade.train("tiny.yaml", "data.path=photos", "model.name=own_parts:small", "train.run=runs/one")
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    place.rename(moved)
    monkeypatch.delitem(sys.modules, "own_parts")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(place)])
    monkeypatch.chdir(moved.parent)
    assert len(Predictor.load(moved / "runs" / "one").predict(moved / "photos" / "cat" / "00.png")) == 1


def test_a_run_folder_that_cannot_be_made_is_told_before_the_data_is_read(place, capsys, caplog):
    (place / "file").write_text("x")
    assert "a file stands here or above" in refused(
        capsys, "train", "tiny.yaml", "data.path=photos", "train.run=file/run"
    )
    assert "checked" not in caplog.text


def test_python_calls_answer_as_the_command_line(place, monkeypatch, capsys):
    with pytest.raises(InputError, match="an override is text, 'key.sub=value'"):
        saccade.train("tiny.yaml", {"train.epochs": 3})
    for verb in (saccade.evaluate, lambda run, split: saccade.compare(run, run, split)):
        with pytest.raises(InputError, match="no split 'tets': did you mean test?"):
            verb("run", "tets")
    assert "no split 'tets': did you mean test?" in refused(capsys, "evaluate", "run", "--split", "tets")
    with pytest.raises(InputError, match="count '3': give a whole number"):
        saccade.show("tiny.yaml", count="3")


def test_python_calls_show_the_log_unless_the_program_has_its_own(capsys, monkeypatch):
    from saccade.quiet import log_to_stderr

    log = logging.getLogger("saccade")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", True)
    monkeypatch.setattr(log, "level", logging.NOTSET)
    log_to_stderr()
    log.info("the root has handlers: pytest's")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log.info("epoch 1/2")
    assert capsys.readouterr().err == "epoch 1/2\n"
