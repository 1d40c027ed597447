"""Rules of the house for imports: one name, relative inside a room, no cycle, nothing heavy at the door."""

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOMS = ("augment", "models", "pipelines", "serving")
HEAVY = ("tensorflow", "keras", "albumentations", "cv2", "sklearn", "matplotlib")
TYPING_ONLY = "TYPE_CHECKING"


def module_name(path: Path) -> str:
    """The name under which a file of the package is imported."""
    parts = path.with_suffix("").parts
    parts = parts if parts[0] == "saccade" else ("saccade", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_at_load(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run when a module is loaded: not those inside functions, nor those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and TYPING_ONLY in ast.unparse(child.test):
            for each in child.orelse:
                yield from imports_at_load(each)
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports_at_load(child)


def imported_modules(path: Path, node: ast.Import | ast.ImportFrom, known: set[str]) -> set[str]:
    """The modules among `known` that one import statement of a file loads by name."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    base = node.module or ""
    if node.level:
        package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    return {full if (full := f"{base}.{alias.name}") in known else base for alias in node.names} & known


def cycle(files: dict[Path, ast.Module]) -> list[str]:
    """A cycle of imports that run at load, as module names; empty where there is none."""
    known = {module_name(path) for path in files}
    graph = {
        module_name(path): {each for node in imports_at_load(module) for each in imported_modules(path, node, known)}
        for path, module in files.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def absolute_imports(module: ast.Module) -> list[int]:
    """Lines that name the package from inside it: relative imports keep one copy of every module."""
    found = []
    for node in ast.walk(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        if any(name.split(".")[0] in ("saccade", *ROOMS) for name in names):
            found.append(node.lineno)
    return found


def light_modules(paths: list[Path]) -> list[str]:
    """The modules that answer before TensorFlow is there: the doors, names, options, errors and recipes."""
    patterns = ("__init__.py", "models/*options.py", "models/errors.py", "models/naming.py", "models/contract/*.py")
    patterns += ("models/*/task.py", "pipelines/recipe*.py", "saccade/cli.py")
    return [module_name(path) for path in paths if any(path.match(pattern) for pattern in patterns)]


def test_no_import_cycle(package):
    assert cycle(package) == []


def test_cycles_are_found():
    sources = {
        "models/a.py": "from .b import x",
        "models/b.py": "class C:\n    from . import c",
        "models/c.py": "try:\n    from ..models.a import y\nexcept ImportError:\n    pass",
    }
    assert set(cycle({Path(name): ast.parse(text) for name, text in sources.items()})) == {
        "saccade.models.a",
        "saccade.models.b",
        "saccade.models.c",
    }


def test_late_and_typing_imports_are_no_cycle():
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import X\ndef f():\n    from .b import x"
    files = {Path("models/a.py"): ast.parse(late), Path("models/b.py"): ast.parse("from .a import f")}
    assert cycle(files) == []


def test_imports_inside_the_rooms_are_relative(package):
    rooms = {path: module for path, module in package.items() if path.parts[0] in ROOMS}
    assert [f"{path}:{line}" for path, module in rooms.items() for line in absolute_imports(module)] == []


@pytest.mark.parametrize(
    "line", ["import saccade", "from saccade.models import x", "from models.errors import InputError"]
)
def test_absolute_imports_are_found(line):
    assert absolute_imports(ast.parse("def f():\n    " + line)) == [2]
    assert absolute_imports(ast.parse("from ..models import x\nimport json")) == []


def test_doors_and_names_are_there_before_tensorflow(package, root, tmp_path):
    modules = light_modules(list(package))
    assert {"saccade", "saccade.augment", "saccade.models", "saccade.pipelines", "saccade.serving"} <= set(modules)
    assert heavy_after(modules, root, tmp_path) == ""


def test_heavy_imports_are_found(root, tmp_path):
    (tmp_path / "door.py").write_text("import matplotlib")
    assert heavy_after(["saccade", "door"], root, tmp_path) == "door loads matplotlib"


def heavy_after(modules: list[str], root: Path, folder: Path) -> str:
    """Imports modules one after the other in a new process; says which one was the first to load something heavy."""
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
    heavy = [each for each in {HEAVY} if each in sys.modules]
    if heavy:
        print(name, "loads", ", ".join(heavy))
        break
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(folder)])}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_refuses_its_bare_name(room, root):
    done = subprocess.run([sys.executable, "-c", f"import {room}"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"ImportError: this folder is imported as saccade.{room}: write 'import saccade.{room}'" in done.stderr
