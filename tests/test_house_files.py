"""Rules of the house for files: their length, their names, what must not stand in them."""

import ast
import re
from contextlib import suppress
from pathlib import Path

import pytest

LONGEST = 500
LONGEST_EXAMPLE = 200
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+|tmp/\w+)/")
IMAGE, METRIC = re.compile("pict" + "ure", re.IGNORECASE), re.compile(r"(?<![a-z])fig" + r"ures?(?! \d)", re.IGNORECASE)
"""Other words for an image and for a metric. The latter is also what matplotlib and HTML call a plot."""
REGISTRY = re.compile(r"https?://[\w./-]*(?:pypi|pythonhosted|npmjs|debian)\b|--(?:extra-)?index-url\b")


def count_lines(text: str) -> int:
    return len(text.splitlines())


def names_nothing(path: Path) -> bool:
    """Whether a file or one of its folders has a name that says no responsibility."""
    return any(part.removesuffix(".py").strip("_") in NAMES_OF_NOTHING for part in path.parts)


def star_imports(module: ast.Module) -> list[int]:
    """The lines of `from ... import *`."""
    imports = (node for node in ast.walk(module) if isinstance(node, ast.ImportFrom))
    return [node.lineno for node in imports if any(alias.name == "*" for alias in node.names)]


def machine_words(text: str) -> list[str]:
    """Paths that hold on one machine only, and addresses of registries."""
    return [match.group() for pattern in (MACHINE_PATH, REGISTRY) for match in pattern.finditer(text)]


def other_words(path: Path, text: str) -> list[str]:
    """Words for what has another name everywhere else."""
    has_plots = "matplotlib" in text or path.suffix in (".j2", ".css")
    return [match.group() for pattern in (IMAGE, *([] if has_plots else [METRIC])) for match in pattern.finditer(text)]


def test_no_file_is_long(python, root):
    lengths = {path: count_lines((root / path).read_text("utf-8")) for path in python}
    assert [f"{path}: {n} lines" for path, n in lengths.items() if n > LONGEST] == []


def test_no_example_is_long(python, root):
    """Someone reads it as documentation, and begins with a copy."""
    lengths = {path: count_lines((root / path).read_text("utf-8")) for path in python if path.parts[0] == "examples"}
    assert lengths and [f"{path}: {n} lines" for path, n in lengths.items() if n > LONGEST_EXAMPLE] == []


def test_lines_are_counted():
    assert count_lines("a\n\nb") == 3


def test_every_name_says_something(tree):
    assert [str(path) for path in tree if names_nothing(path)] == []


@pytest.mark.parametrize("path", ["models/utils.py", "models/helpers/box.py", "pipelines/_common.py", "misc/x.yaml"])
def test_empty_names_are_found(path):
    assert names_nothing(Path(path))
    assert not names_nothing(Path("models/detection/anchors.py"))


def test_no_star_import(python):
    assert [f"{path}:{line}" for path, module in python.items() for line in star_imports(module)] == []


def test_star_imports_are_found():
    assert star_imports(ast.parse("import os\ndef f():\n    from os import *\n")) == [3]


@pytest.fixture(scope="module")
def texts(tree, root):
    """Every file that is text."""
    found = {}
    for path in tree:
        with suppress(UnicodeDecodeError):  # an image
            found[path] = (root / path).read_text("utf-8")
    return found


def test_no_machine_path_and_no_registry(texts):
    assert {str(path): words for path, text in texts.items() if (words := machine_words(text))} == {}


def test_an_image_and_a_metric_have_one_word_each(texts):
    assert {str(path): words for path, text in texts.items() if (words := other_words(path, text))} == {}


def test_other_words_are_found():
    one, other = "pict" + "ure", "fig" + "ure"
    assert other_words(Path("a.py"), f"{one.upper()}S = 1  # its {other}s, {other} 3, con{other}") == [
        one.upper(),
        f"{other}s",
    ]
    assert (
        other_words(Path("a.css"), f"{other} {one}") == other_words(Path("a.py"), f"matplotlib.{other} {one}") == [one]
    )


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/shared",
        "open('/" + "home/ann/x.png')",
        "http" + "://pypi.org/simple",
        "pip --extra-index" + "-url x",
    ],
)
def test_machine_paths_and_registries_are_found(text):
    assert machine_words(text)


@pytest.mark.parametrize(
    "text", ["runs/work/last", "../shared/data", "http://localhost:8501/v1", "/bin/sh", "docs/home/a/b"]
)
def test_honest_paths_pass(text):
    assert not machine_words(text)
