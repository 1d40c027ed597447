"""The arrows between the rooms, as setup.cfg states them for import-linter."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True)


def test_the_arrows_hold(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file, line, arrow",
    [
        ("augment/wrong.py", "from ..models import errors", "saccade.augment is not allowed to import saccade.models"),
        ("models/wrong.py", "def f():\n    from ..pipelines import source", "saccade.models is not allowed to import"),
        ("serving/wrong.py", "from ..pipelines import source", "saccade.serving is not allowed to import"),
        ("saccade/stray.py", "", "stray"),
    ],
)
def test_a_wrong_arrow_is_found(file, line, arrow, package, root, tmp_path):
    for path in package:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, tmp_path / path)
    for room in ("augment", "models", "pipelines", "serving"):
        (tmp_path / "saccade" / room).symlink_to(Path("..") / room)
    shutil.copy(root / "setup.cfg", tmp_path)
    (tmp_path / file).write_text(line)
    done = lint(tmp_path)
    assert done.returncode == 1
    assert arrow in " ".join(done.stdout.split())
