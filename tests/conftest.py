"""What all tests share: quiet and fixed surroundings, the optional data, the files of the repository."""

import ast
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

os.environ["MPLBACKEND"] = "Agg"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else its import asks the network for a newer version
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# TensorFlow compiles at the first call, so no deadline; the same examples in every run, so that a failure comes again.
hypothesis.settings.register_profile("saccade", deadline=None, derandomize=True)
hypothesis.settings.load_profile("saccade")

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "shared"))  # what several tests share: tasks, images, base classes
pytest.register_assert_rewrite("base_network", "base_task")
ROOMS = ("augment", "models", "pipelines", "serving")
MISSING = "missing data: "


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; skips where there is none. `SACCADE_DATA` names another."""
    return _optional_folder("SACCADE_DATA", "data")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The folder of pretrained weights; skips where there is none. `SACCADE_WEIGHTS` names another."""
    return _optional_folder("SACCADE_WEIGHTS", "weights")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def tree() -> list[Path]:
    """Every file that git tracks or would track, relative to the root, without links; skips outside a checkout."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if found.returncode != 0:
        pytest.skip("not a git checkout")
    paths = sorted(Path(each) for each in found.stdout.split("\0") if each)
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


@pytest.fixture(scope="session")
def python(tree: list[Path]) -> dict[Path, ast.Module]:
    """Every Python file of the repository, parsed; paths are relative to the root."""
    return {path: ast.parse((ROOT / path).read_text("utf-8")) for path in tree if path.suffix == ".py"}


@pytest.fixture(scope="session")
def package(python: dict[Path, ast.Module]) -> dict[Path, ast.Module]:
    """The Python files that are installed: the rooms and the front door."""
    return {path: module for path, module in python.items() if path.parts[0] in (*ROOMS, "saccade")}


SMALL = (
    "model.name=lenet",
    "train.optimizer={name: adamw, learning_rate: 0.002, ema: null, weight_decay: 0.0}",
    "train.select={}",
    "input.size=16",
    "train.epochs=2",
    "train.batch=64",
    "augment=[{Affine: {rotate: [-10, 10], p: 0.5}}]",
)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[None]:
    """The check of the data remembers what it saw; tests have a memory of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_log(caplog) -> Iterator[None]:
    """Each test sees the log's information, and finds it as it is before the command line takes it, as the fixtures of
    a whole file or session may do."""
    log = logging.getLogger("saccade")
    log.handlers[:], log.propagate = [], True
    caplog.set_level(logging.INFO, logger="saccade")
    yield
    log.handlers[:], log.propagate = [], True


@pytest.fixture(scope="session")
def digits_recipe() -> Callable:
    """A function from overrides to a recipe that trains a small network on the digits for two epochs."""
    from saccade.pipelines.recipe.recipe import load_recipe

    return lambda *overrides: load_recipe("digits", [*SMALL, *overrides])


@pytest.fixture(scope="session")
def digits_run(digits_recipe, tmp_path_factory) -> Path:
    """The run of that recipe."""
    from saccade.pipelines.train import train

    return train(digits_recipe(f"train.run={tmp_path_factory.mktemp('runs') / 'digits'}"))


def _optional_folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"{MISSING}no folder {folder}; {variable} names another")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the file that takes longest, so that processes side by side end at about the same time."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was not tested because the optional data is not here."""
    reports = terminalreporter.stats.get("skipped", [])
    count = sum(isinstance(each.longrepr, tuple) and MISSING in each.longrepr[2] for each in reports)
    if count:
        terminalreporter.write_line(
            f"{count} of {len(reports)} skipped tests: missing data (SACCADE_DATA, SACCADE_WEIGHTS)"
        )
