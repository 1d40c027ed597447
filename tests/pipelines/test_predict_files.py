"""Results that are kept as files: what they are called, how lines name them, what is left when it is interrupted."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pixel_task
import pytest
from PIL import Image
from pixel_task import smooth, whole

import saccade
from saccade.cli import main
from saccade.models.contract import Task
from saccade.models.errors import InputError
from saccade.models.predictor import WEIGHTS, Predictor
from saccade.pipelines.predicting.answer_files import write_csv, write_jsonl
from saccade.pipelines.predicting.predict import predict
from saccade.pipelines.predicting.tile_layout import Tiles
from saccade.pipelines.predicting.tiles import Tiler

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    task = pixel_task.make()
    return Predictor(task, task.model())


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Two images of one stem, and one that is none."""
    paths = [tmp_path / "a" / "one.png", tmp_path / "b" / "one.png", tmp_path / "text.png"]
    for number, path in enumerate(paths[:2]):
        path.parent.mkdir()
        Image.fromarray(smooth(40 + number, 50, number)).save(path)
    paths[2].write_text("no image")
    return [*map(str, paths), str(tmp_path / "gone.png")]


@pytest.mark.parametrize("tiles", [None, Tiles(32, 8)], ids=["whole", "tiles"])
def test_files_beside_the_lines(named, predictor, files, tmp_path, tiles):
    folder = tmp_path / "masks"
    out = io.StringIO()
    found = predict(predictor, named(files), save=folder, draw=tmp_path / "drawn", tiles=tiles)
    assert write_jsonl(found, predictor.task, out) == 2
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["file"] for row in rows] == files
    assert sorted(each.name for each in folder.iterdir()) == ["00000_one.mask.png", "00001_one.mask.png"]
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    for number, row in enumerate(rows[:2]):
        assert row["files"] == [str(folder / f"{number:05}_one.mask.png")]
        assert row["size"] == [40 + number, 50] and sum(row["pixels"].values()) == (40 + number) * 50
        with Image.open(row["files"][0]) as saved, Image.open(files[number]) as image:
            expected = whole(predictor, np.asarray(image))
            assert (np.asarray(saved) == expected["mask"]).mean() > 0.999
    assert "not an image" in rows[2]["error"] and "No such file" in rows[3]["error"] and "files" not in rows[2]


def test_a_table_names_the_files(named, predictor, files, tmp_path):
    out = io.StringIO()
    write_csv(predict(predictor, named(files[:1]), save=tmp_path / "masks"), predictor.task, out)
    (row,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert json.loads(row["files"]) == [str(tmp_path / "masks" / "00000_one.mask.png")]
    assert row["size/0"] == "40" and {"pixels/red", "pixels/green"} & row.keys()


def test_without_save_no_files_are_named(named, predictor, files):
    out = io.StringIO()
    write_jsonl(predict(predictor, named(files[:1])), predictor.task, out)
    assert json.loads(out.getvalue()).keys() == {"file", "pixels", "size"}


def test_a_result_that_makes_no_file_is_told_and_the_others_go_on(named, files, tmp_path):
    task = pixel_task.make(pixel_task.Refusing)
    small = tmp_path / "small.png"
    Image.fromarray(smooth(20, 20)).save(small)
    first, second = predict(Predictor(task, task.model()), named([files[0], str(small)]), save=tmp_path / "masks")
    assert first.results is None and first.reason == "more rows than this format holds"
    assert second.files == (str(tmp_path / "masks" / "00001_small.mask.png"),)


def test_what_was_finished_before_ctrl_c_is_there(named, predictor, files, tmp_path, monkeypatch):
    own, calls = Tiler._cut, []

    def interrupted(self, *arguments):
        calls.append(None)
        if len(calls) == 6:  # the first image has four tiles
            raise KeyboardInterrupt
        return own(self, *arguments)

    monkeypatch.setattr(Tiler, "_cut", interrupted)
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        write_jsonl(
            predict(predictor, named(files[:2]), save=tmp_path / "masks", tiles=Tiles(32, 8)), predictor.task, out
        )
    assert json.loads(out.getvalue())["file"] == files[0]
    assert [each.name for each in (tmp_path / "masks").iterdir()] == ["00000_one.mask.png"]


def test_a_task_that_makes_no_files_says_so(digits_run, tmp_path):
    with pytest.raises(InputError, match="^Classification makes no files: its lines say everything; leave 'save' out$"):
        saccade.predict(digits_run, __file__, save=tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("what", ["save", "draw"])
def test_a_file_in_place_of_the_folder_is_told(named, predictor, files, what):
    with pytest.raises(InputError, match="text.png: a file stands here or above: name a folder"):
        predict(predictor, named(files), **{what: Path(files[2])})
    with pytest.raises(InputError, match="a file stands here or above"):
        predict(predictor, named(files), **{what: Path(files[2]) / "masks"})


def test_maps_never_reach_a_line_unless_they_are_small():
    results = {"map": np.zeros((40, 40)), "scores": np.zeros(5000), "box": np.zeros((10, 4)), "class": b"x"}
    assert Task.line(None, results).keys() == {"scores", "box", "class"}


def test_the_command_line(predictor, files, tmp_path, capsys):
    """From a run on disk, in tiles, one good and one bad image."""
    run = tmp_path / "run"
    run.mkdir()
    predictor.describe(run, "pixel_task:Pixels", [str(Path(pixel_task.__file__).parent)])
    predictor.model.save_weights(run / WEIGHTS)
    tiles = ["--tile", "32", "--overlap", "8"]
    assert main(["predict", str(run), files[0], files[2], *tiles, "--save", str(tmp_path / "masks")]) == 2
    good, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert good["files"] == [str(tmp_path / "masks" / "00000_one.mask.png")] and "not an image" in bad["error"]
    (answer,) = saccade.predict(run, files[0], save=tmp_path / "again", tile=32, overlap=8)
    with Image.open(good["files"][0]) as saved:
        np.testing.assert_array_equal(np.asarray(saved), answer.results["mask"])
    assert main(["predict", str(run), files[0], "--batch", "0"]) == 2
    assert capsys.readouterr().err == "saccade: batch 0: give 1 or more\n"
    assert main(["predict", str(run), files[0], "--overlap", "8"]) == 2
    assert capsys.readouterr().err.startswith("saccade: overlap 8 is of tiles, and there are none")


def test_places_are_looked_for_before_tensorflow_and_without_the_recipe(digits_run, tmp_path):
    """What a run says of its Predictor is enough: the recipe's machinery is not even imported."""
    code = f"""
import sys
from saccade.models.errors import InputError
from saccade.pipelines.predicting.start import start
try:
    start({str(digits_run)!r}, ["gone.png"], 32, None, None, None, None)
except InputError as error:
    print(error)
print([each for each in ("tensorflow", "keras", "saccade.pipelines.recipe.recipe") if each in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, loaded = done.stdout.splitlines()
    assert "gone.png" in told and loaded == "[]"
