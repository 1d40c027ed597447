"""What cannot be written is told before the work, and an error names the path that failed."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from saccade.models.errors import InputError, JobError
from saccade.models.files import WriteError, refuse_file, refuse_folder, refuse_image, saving
from saccade.models.inputs.file_tree import stamp_of


def failing(number, *path):
    return OSError(number, os.strerror(number), *path)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (failing(errno.EACCES, "photos/a.png"), InputError, "photos/a.png: Permission denied"),
        (failing(errno.ENOENT, "photos/a.png"), InputError, "photos/a.png: No such file or directory"),
        (failing(errno.ENOSPC, "/elsewhere/x"), InputError, "/elsewhere/x: No space left on device"),
        (failing(errno.EIO, "photos/a.png"), JobError, "photos/a.png: Input/output error"),
        (failing(errno.EACCES, "run"), WriteError, "run: no permission to write here"),
        (failing(errno.EROFS), WriteError, "run: no permission to write here"),
        (failing(errno.EEXIST, "run/evaluation"), WriteError, "run: a file stands here or above: name a folder"),
        (failing(errno.EIO), JobError, "run: Input/output error"),
        (OSError("Unable to create file\nat H5F.c"), JobError, "run: Unable to create file"),
    ],
)
def test_the_path_that_failed_is_told(tmp_path, monkeypatch, error, kind, told):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    with pytest.raises(kind) as caught, saving(Path("run")):
        raise error
    assert str(caught.value) == told


def test_a_place_in_the_folder_is_told_with_it(tmp_path):
    with pytest.raises(WriteError, match=rf"^run: no permission to write here \({tmp_path}\)$"):
        with saving(Path("run"), tmp_path):
            raise failing(errno.EACCES, str(tmp_path / "new" / "recipe.yaml"))


def test_folders_that_cannot_be_made_are_told_before(tmp_path):
    (tmp_path / "file").write_text("x")
    refuse_folder(tmp_path / "new" / "deeper")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="a file stands here or above: name a folder"):
            refuse_folder(folder)


def test_files_that_cannot_be_written_are_told_before(tmp_path):
    (tmp_path / "old.png").write_text("x")
    refuse_image(tmp_path / "new.JPG")
    refuse_file(tmp_path / "old.png", overwrite=True)
    for file, told in {
        "old.png": "exists already, and nothing is overwritten",
        "no/new.png": "no folder .*no: make it",
        ".": "a folder: name a file",
        "new.txt": "by its name this is no image: let it end in .png",
        "new": "by its name this is no image",
    }.items():
        with pytest.raises(WriteError, match=told):
            (refuse_file if file == "." else refuse_image)(tmp_path / file)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a user that can become another")
def test_permissions_are_those_of_who_acts():
    with tempfile.TemporaryDirectory() as place:  # pytest's own folder lies in one that only root may enter
        image = Path(place, "a.png")
        image.write_bytes(b"x")
        image.chmod(0)
        Path(place).chmod(0o555)
        assert stamp_of(str(image)) is not None
        os.seteuid(65534)
        try:
            assert stamp_of(str(image)) is None  # so that a check reads it again, and says why it cannot be used
            with pytest.raises(WriteError, match=rf"no permission to write here \({place}\)"):
                refuse_folder(Path(place) / "runs" / "one")
            with pytest.raises(WriteError, match="no permission to write here"):
                refuse_file(Path(place) / "report.html")
        finally:
            os.seteuid(0)
