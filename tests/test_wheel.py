"""What is installed: the wheel, made from the source distribution, holds what the tree holds, and imports anywhere."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOMS = ("augment", "models", "pipelines", "serving")
IMPORT_ALL = "import json, saccade, saccade.augment, saccade.models, saccade.pipelines, saccade.serving; "
IMPORT_ALL += "print(json.dumps([saccade.__file__, saccade.models.__file__]))"


@pytest.fixture(scope="module")
def wheel(tree, root, tmp_path_factory) -> Path:
    """The wheel, by way of the source distribution, from a copy of the tree: nothing old can slip in."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for path in tree:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, source / path)
    for room in ROOMS:
        (source / "saccade" / room).symlink_to(Path("..") / room)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source, folder=source)
    assert len(list(built.glob("*.tar.gz"))) == 1
    return next(built.glob("*.whl"))


def run(*command: str | Path, folder: Path) -> str:
    """What a command prints; it runs in a folder that is not the repository and sees nothing of it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def installed_from(environment: Path, folder: Path) -> bool:
    """Whether the rooms import in another folder, and from this environment alone."""
    files = json.loads(run(python_of(environment), "-c", IMPORT_ALL, folder=folder))
    return all(Path(file).is_relative_to(environment) for file in files)


def test_the_wheel_holds_what_the_tree_holds(wheel, tree):
    expected = {
        path if path.parts[0] == "saccade" else "saccade" / path
        for path in tree
        if path.parts[0] in ROOMS + ("saccade",)
    }
    found = {Path(name) for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        assert "saccade = saccade.cli:main" in archive.read(inside["entry_points.txt"]).decode()
        assert "Apache License" in archive.read(inside["LICENSE"]).decode()
        metadata = archive.read(inside["METADATA"]).decode()
    assert "Name: saccade\n" in metadata
    assert "License: Apache-2.0\n" in metadata


def test_the_wheel_imports_in_another_folder(wheel, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", python_of(environment)]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, folder=tmp_path)
    [packages] = environment.glob("lib/python*/site-packages")
    # A plain path line: the packages beside these tests are seen, an editable saccade among them is not.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    assert installed_from(environment, tmp_path)
    assert (environment / "bin" / "saccade").is_file()


@pytest.mark.quality
def test_the_wheel_installs_with_its_dependencies(wheel, root, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    pip = [python_of(environment), "-m", "pip"]
    run(*pip, "install", "--quiet", "--constraint", root / "constraints.txt", wheel, folder=tmp_path)
    run(*pip, "check", folder=tmp_path)
    assert installed_from(environment, tmp_path)
    code = "import saccade.models.contract, tensorflow, keras; print(keras.backend.backend())"
    assert run(python_of(environment), "-c", code, folder=tmp_path).strip() == "tensorflow"
    printed = run(environment / "bin" / "saccade", "demo", folder=tmp_path)
    assert "8 images over HTTP, same answers" in printed
