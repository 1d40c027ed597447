"""What importing costs: no network, and no half second for those who do not augment."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

WATCH_NETWORK = """
import socket
calls = []
def refuse(*arguments, **named):
    calls.append(arguments)
    raise OSError("no network in this test")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
"""


def python(code):
    """Runs code in a fresh interpreter whose environment says nothing about albumentations."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_no_network_call():
    use = "from saccade.augment import Augmenter; Augmenter(['HorizontalFlip']); print(len(calls))"
    assert python(WATCH_NETWORK + use) == "0"


def test_albumentations_alone_would_make_one():
    assert int(python(WATCH_NETWORK + "import albumentations; print(len(calls))")) > 0


def test_importing_the_room_loads_numpy_and_no_more():
    code = """
import sys, numpy
before = set(sys.modules)
import saccade.augment
saccade.augment.Augmenter([])
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""
    assert python(code) == "['saccade']"


def test_tensorflow_and_the_other_rooms_stay_out():
    code = """
import sys
from saccade.augment import Augmenter
Augmenter(["HorizontalFlip"])
rooms = ("saccade.models", "saccade.pipelines", "saccade.serving", "tensorflow", "keras", "torch")
print([name for name in rooms if name in sys.modules])
"""
    assert python(code) == "[]"


def test_one_file_imports_albumentations():
    importers = set()
    for room in ("augment", "models", "pipelines", "serving", "saccade"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if any(name.split(".")[0] in {"albumentations", "albucore"} for name in names):
                    importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"augment/albumentations_backend.py"}
