import os
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from saccade.models.errors import InputError, JobError
from saccade.serving.versions import all_at_once, new_version, versions


def test_versions_are_whole_numbers_in_order(tmp_path):
    for name in ("10", "0009", "1", "latest", ".2-partial", "03x", "٣"):
        (tmp_path / name).mkdir()
    (tmp_path / "77").write_text("a file is no version")
    assert list(versions(tmp_path).items()) == [(1, tmp_path / "1"), (9, tmp_path / "0009"), (10, tmp_path / "10")]
    assert versions(tmp_path / "missing") == {}


def test_the_next_version_is_free(tmp_path):
    assert new_version(tmp_path, "m") == tmp_path / "m" / "1"
    (tmp_path / "m" / "4").mkdir(parents=True)
    assert new_version(tmp_path, "m") == tmp_path / "m" / "5"
    assert new_version(tmp_path, "m", 2) == tmp_path / "m" / "2"
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


@pytest.mark.parametrize(
    "name, version, message",
    [
        ("a/b", None, "the name 'a/b' cannot stand in a server's address"),
        ("a:b", None, "cannot stand in a server's address"),
        (".m", None, "cannot stand in a server's address"),
        ("m", 0, "version 0: versions are whole numbers from 1"),
        ("m", 4, "exists, and none is overwritten; without a version the next is made"),
    ],
)
def test_wrong_names_and_versions_are_refused(tmp_path, name, version, message):
    (tmp_path / "m" / "4").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        new_version(tmp_path, name, version)


def test_a_folder_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "new" / "m" / "1"
    with all_at_once(final) as partial:
        (partial / "file").write_text("x")
        assert versions(final.parent) == {}
    assert [each.name for each in final.parent.iterdir()] == ["1"]
    assert (final / "file").read_text() == "x"
    assert final.stat().st_mode & 0o777 == 0o777 & ~current_umask()


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, JobError])
def test_nothing_is_left_behind(tmp_path, kind):
    with pytest.raises(kind), all_at_once(tmp_path / "new" / "m" / "1") as partial:
        (partial / "file").write_text("x")
        raise kind("stop")
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays(tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)
    with pytest.raises(RuntimeError), all_at_once(tmp_path / "m" / "2"):
        raise RuntimeError
    assert [each.name for each in (tmp_path / "m").iterdir()] == ["1"]


def test_a_version_that_another_export_made_meanwhile_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match="another export made this version meanwhile"):
        with all_at_once(tmp_path / "1") as partial:
            (partial / "mine").write_text("x")
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "theirs").write_text("y")
    assert [each.name for each in tmp_path.rglob("*")] == ["1", "theirs"]


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"no room to write it \(File too large\); nothing is left behind"):
        with all_at_once(tmp_path / "m" / "1") as partial, files_of_at_most(1000):
            (partial / "weights").write_bytes(b"x" * 2000)
    assert list(tmp_path.iterdir()) == []


def test_no_permission_is_one_line():
    with tempfile.TemporaryDirectory() as place:  # pytest's own folder lies in one that only root may enter
        with without_rights(Path(place), 0o555):
            folder = new_version(Path(place) / "target", "m")
            with pytest.raises(InputError, match=r"cannot write a bundle here \(Permission denied\)"):
                with all_at_once(folder):
                    pass
        assert list(Path(place).iterdir()) == []


def test_a_closed_folder_is_one_line():
    with tempfile.TemporaryDirectory() as place, without_rights(Path(place), 0o000):
        with pytest.raises(InputError, match="you may not read this folder"):
            new_version(Path(place), "m")


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "target").write_text("x")
    with pytest.raises(InputError, match="cannot write a bundle here"):
        with all_at_once(new_version(tmp_path / "target", "m")):
            pass


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def files_of_at_most(size):
    """The system refuses larger files, as it does when a disk is full."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@contextmanager
def without_rights(folder, mode):
    """Takes rights to a folder away; root, whom that does not stop, becomes nobody for the time."""
    folder.chmod(mode)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
