"""Folders that are shared with people: what saccade and systems leave among the images is none of them; and the places
that a machine may not have, a home, a cache, room for temporary files."""

import logging
import os
import resource
import shutil
import zipfile
from pathlib import Path

import pytest

import saccade
from saccade.models.contract import Truth
from saccade.models.errors import InputError, temporary_folder
from saccade.models.inputs.file_listing import list_images
from saccade.models.inputs.file_tree import DiskTree
from saccade.models.inputs.image.files import find_images
from saccade.models.inputs.own_output import NOTE
from saccade.pipelines.data.check import CheckCache, Known
from saccade.pipelines.data.data import _cache_file
from saccade.pipelines.data.formats.folder import Folder, FolderOptions
from saccade.pipelines.data.formats.masks import Masks, MasksOptions
from saccade.pipelines.recipe.recipe import load_recipe

LABEL = {"label": Truth("int32")}
MASK = {"mask": Truth("uint8", (None, None))}


@pytest.fixture
def with_runs(draw, digits_run) -> Path:
    """Two classes, and beside them two runs, an evaluation, and what a bundle is made of."""
    root = draw("cats/1.png", "cats/2.png", "dogs/3.png", "dogs/deep/4.png")
    shutil.copytree(digits_run, root / "runs/first")
    shutil.copytree(digits_run, root / "runs/second")
    shutil.copytree(digits_run / "evaluation", root / "old evaluation")
    shutil.copytree(digits_run, root / "dogs/deep/tried here")
    bundle = root / "bundles/cats/1"
    (bundle / "assets.extra/proof").mkdir(parents=True)
    (bundle / "saved_model.pb").write_bytes(b"")
    shutil.copy(root / "cats/1.png", bundle / "assets.extra/proof/0.png")
    return root


def test_runs_and_bundles_among_the_data_are_no_class(with_runs, caplog):
    source = Folder(FolderOptions(source="folder", path=str(with_runs)), LABEL)
    assert source.class_names == ["cats", "dogs"]
    assert source.keys == ["cats/1.png", "cats/2.png", "dogs/3.png", "dogs/deep/4.png"]
    assert "left out, because saccade wrote it: dogs/deep/tried here, bundles, old evaluation, runs" in caplog.text
    assert len(find_images([str(with_runs)])) == 4


def test_a_run_that_only_began_is_no_class(draw):
    root = draw("cats/1.png", "dogs/2.png")
    (root / "runs/begun").mkdir(parents=True)
    (root / "runs/begun/recipe.yaml").write_text("task: classification\n")
    assert Folder(FolderOptions(source="folder", path=str(root)), LABEL).class_names == ["cats", "dogs"]


def test_a_folder_of_that_name_with_images_in_it_is_a_class(draw, digits_run):
    root = draw("runs/1.png", "runs/2.png", "walks/3.png")
    shutil.copytree(digits_run, root / "runs/first")
    source = Folder(FolderOptions(source="folder", path=str(root)), LABEL)
    assert source.class_names == ["runs", "walks"] and source.keys == ["runs/1.png", "runs/2.png", "walks/3.png"]


def test_runs_in_a_zip_file_are_no_class(with_runs, tmp_path_factory):
    file = tmp_path_factory.mktemp("zip") / "photos.zip"
    with zipfile.ZipFile(file, "w") as packed:
        for path in sorted(with_runs.rglob("*")):
            packed.write(path, path.relative_to(with_runs))
    source = Folder(FolderOptions(source="folder", path=str(file)), LABEL)
    assert source.class_names == ["cats", "dogs"] and len(source) == 4


def test_runs_among_images_and_masks_are_neither(draw, mark, pairs, digits_run):
    draw("a.jpg", "b.jpg")
    root = mark("a_mask.png", "b_mask.png")
    shutil.copytree(digits_run, root / "runs/first")
    source = Masks(MasksOptions(source="masks", path=str(root), match="{path}_mask.png"), MASK)
    assert source.keys == ["a.jpg", "b.jpg"] and pairs(source, "a_mask.png", "b_mask.png")


def test_training_in_the_folder_of_the_images_goes_on_and_is_evaluated(encode, tmp_path, monkeypatch):
    root = tmp_path
    for number in range(40):
        file = root / ("cats", "dogs")[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encode(number, "PNG"))
    monkeypatch.chdir(root)
    recipe = ("photos", "data.path=.", "model={name: lenet}", "input={size: 32, fit: stretch}", "augment=[]")
    few = ("train={epochs: 1, batch: 8}", "data.validation=0.2", "data.test=0.2", "train.head=null")
    run = saccade.train(*recipe, *few, "train.run=runs/one")
    assert saccade.evaluate(run)["accuracy"].value >= 0
    assert load_recipe(run / "recipe.yaml").open()[1].class_names == ("cats", "dogs")
    images = find_images(["."])
    assert len(images) == 40
    assert not list((root / "cats").rglob(NOTE))
    list(saccade.predict(run, *images[:2], draw="drawn"))
    saccade.show(*recipe, *few, image=root / "sheet.png", count=2)
    assert len(find_images(["."])) == 40 and (root / "drawn").is_dir()
    assert Folder(FolderOptions(source="folder", path="."), LABEL).class_names == ["cats", "dogs"]
    assert len(find_images(["drawn"])) == 2  # who names it means it


def test_what_systems_and_programs_keep_is_passed_over(draw):
    kept = (
        "__MACOSX",
        ".ipynb_checkpoints",
        ".git",
        "@eaDir",
        "__pycache__",
        "$RECYCLE.BIN",
        ".Trash-1000",
        "#recycle",
    )
    root = draw("cats/1.png", "dogs/2.png", *(f"{name}/cats/1.png" for name in kept), "cats/@eaDir/1.png/thumb.jpg")
    (root / "venv/lib").mkdir(parents=True)
    (root / "venv/pyvenv.cfg").write_text("")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "cats/Thumbs.db"):
        (root / name).write_text("")
    assert Folder(FolderOptions(source="folder", path=str(root)), LABEL).keys == ["cats/1.png", "dogs/2.png"]
    assert list_images(DiskTree(str(root)), []).unread == []


@pytest.fixture
def task_and_options(digits_recipe):
    recipe = digits_recipe()
    return recipe.data, recipe.open()[1]


def test_the_cache_lies_where_the_system_says(monkeypatch, task_and_options, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache_file(*task_and_options).parent == tmp_path / "saccade/checks"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative/place"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert _cache_file(*task_and_options).parent == tmp_path / "home/.cache/saccade/checks"


def test_a_user_without_a_home_has_no_cache(monkeypatch, task_and_options, caplog):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # of whom the system knows nothing
    assert _cache_file(*task_and_options) is None
    assert [each.levelname for each in caplog.records if "not remembered" in each.message] == ["INFO"]


def remembered(file: Path, caplog) -> list[str]:
    """What is told of a memory that one sample is put into."""
    caplog.clear()
    memory = CheckCache(file, "reader")
    memory.put("a.png", Known("1", "abc", "", "", (), ""))
    memory.save()
    return [each.getMessage() for each in caplog.records]


def test_a_cache_that_has_no_place_is_told_of_once(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    told = remembered(tmp_path / "file/saccade/checks/a.json", caplog)
    assert told == [f"{tmp_path}/file/saccade/checks/a.json: the check is not remembered: Not a directory"]
    assert len(remembered(tmp_path / "folder.json", caplog)) == 1


def test_a_full_disk_costs_the_cache_alone(tmp_path, caplog, monkeypatch):
    log = logging.getLogger("saccade")
    monkeypatch.setattr(log, "handlers", [])  # stderr may be a file that is limited, too
    monkeypatch.setattr(log, "propagate", True)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limit[1]))  # no file grows beyond
    try:
        told = remembered(tmp_path / "a.json", caplog)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert told == [f"{tmp_path}/a.json: the check is not remembered: File too large"]
    assert list(tmp_path.iterdir()) == []


def test_no_place_for_temporary_files_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"^no temporary folder can be made \(No such file .*\): set TMPDIR"):
        with temporary_folder():
            pass
    monkeypatch.undo()
    with temporary_folder("saccade-test-") as folder:
        assert folder.is_dir() and folder.name.startswith("saccade-test-")
    assert not folder.exists()


def test_a_home_that_does_not_exist_is_no_folder_called_so(monkeypatch, tmp_path):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(InputError, match=r"'data.path': '~/photos' and no home folder: write the whole path"):
        load_recipe("photos", ["data.path=~/photos"])
