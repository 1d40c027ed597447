"""No code outside a task's folder decides by the name of a task or of a truth value: the task owns what is special."""

import ast
from pathlib import Path

import pytest

NAMES = {"task", "task_name"}


def is_task_name(node: ast.expr) -> bool:
    """Whether an expression reads as a task or its name: `task`, `recipe.task`, `self.task.name`, `raw["task"]`, ..."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES:
            return True
        case ast.Attribute(value=inner, attr="name" | "__name__" | "__class__"):
            return is_task_name(inner)
        case ast.Subscript(slice=ast.Constant(value="task" | "task_name")):
            return True
        case ast.Subscript(value=inner, slice=ast.Constant(value="name")):
            return is_task_name(inner)
        case ast.Call(func=ast.Name(id="type" | "str"), args=[inner]):
            return is_task_name(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "strip" | "casefold")):
            return is_task_name(inner)
        case ast.NamedExpr(value=inner):
            return is_task_name(inner)
    return False


def strings(node: ast.AST) -> set[str]:
    """The string constants of an expression or a pattern; not those that a call or a subscript works on."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.Call | ast.Subscript | ast.JoinedStr):
        return set()
    return {each for child in ast.iter_child_nodes(node) for each in strings(child)}


def decisions_by_task(module: ast.Module, task_folders: set[str]) -> list[int]:
    """Lines that compare a task's name with a constant, or anything with the name of a task's folder."""
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            subjects, constants = sides, {each for side in sides for each in strings(side)}
        elif isinstance(node, ast.Match):
            subjects, constants = [node.subject], {each for case in node.cases for each in strings(case.pattern)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in ("startswith", "endswith", "__eq__"):
                continue
            subjects, constants = [node.func.value], {each for side in node.args for each in strings(side)}
        else:
            continue
        if constants & task_folders or (constants and any(is_task_name(subject) for subject in subjects)):
            found.append(node.lineno)
    return found


def task_folders(paths: list[Path]) -> set[str]:
    """The names of the folders `models/<task>/`: those with a `task.py`, but for the contract of all tasks."""
    return {path.parts[1] for path in paths if path.match("models/*/task.py")} - {"contract"}


def test_no_code_outside_a_task_compares_its_name(python):
    folders = task_folders(list(python))
    found = []
    for path, module in python.items():
        if path.parts[0] != "tests":
            own = {path.parts[1]} if path.parts[0] == "models" else set()
            found += [f"{path}:{line}" for line in decisions_by_task(module, folders - own)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "if task == 'detection': pass",
        "if 'boxes' != self.task.name: pass",
        "x = 1 if recipe.task in ('a', 'b') else 2",
        "while raw['task']['name'] == 'a': pass",
        "if type(task).__name__ == 'Detection': pass",
        "if (name := task_name) == 'a': pass",
        "if task_name.lower() == 'a': pass",
        "if task.name.startswith('seg'): pass",
        "match recipe.task:\n  case 'a' | 'b': pass",
        "match kind:\n  case 'detection': pass",
        "if kind == 'detection': pass",
        "if kind in {'detection', 'other'}: pass",
    ],
)
def test_decisions_by_task_are_found(line):
    assert decisions_by_task(ast.parse(line), {"detection"}) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "if task is None: pass",
        "if isinstance(task, Task): pass",
        "if name == 'resnet50': pass",
        "if task not in TASKS: pass",
        "if 'mask' in task.truth: pass",
        "table = {'detection': '.detection.task:Detection'}",
        "match event:\n  case {'kind': 'epoch'}: pass",
    ],
)
def test_other_comparisons_pass(line):
    assert decisions_by_task(ast.parse(line), {"detection"}) == []


def test_a_task_folder_is_one_with_a_task():
    paths = ["models/detection/task.py", "models/contract/task.py", "models/backbones/resnet.py"]
    assert task_folders([Path(each) for each in paths]) == {"detection"}


TRUTH_NAMES = {
    *("label", "labels", "mask", "instances", "boxes", "classes", "crowd", "area", "difficult"),
    *("identity", "landmarks", "caption"),
}
MOVES = {"moves", "kind"}
"""Of the words that say how a truth moves (`Truth.moves`), one is the name of a truth value too."""
ALBUMENTATIONS = Path("augment/albumentations_backend.py")
"""It speaks that library's language, in which a mask is called so."""


def says_how_it_moves(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in MOVES or isinstance(node, ast.Attribute) and node.attr in MOVES


def decisions_by_truth(module: ast.Module) -> list[int]:
    """Lines that compare anything with the name of a truth value, look for one, or take a value by it."""
    found = []
    for node in ast.walk(module):
        named: set[str] = set()
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = (
                {each for side in sides for each in strings(side)} if not any(map(says_how_it_moves, sides)) else set()
            )
        elif isinstance(node, ast.Match):
            named = {each for case in node.cases for each in strings(case.pattern)}
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) != "Literal":
            named = strings(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            takes = ("get", "pop", "setdefault", "startswith", "endswith", "__eq__", "__contains__")
            named = strings(node.args[0]) if node.func.attr in takes else set()
        if named & TRUTH_NAMES:
            found.append(node.lineno)
    return found


def knows_truth(path: Path, folders: set[str]) -> bool:
    """Whether a file may know truth by name: a task, or the reader of a format, and what proves them."""
    room, *rest = path.parts
    if room == "models":
        return rest[0] in folders
    return room not in ("augment", "pipelines", "serving", "saccade") or bool({"sources", "formats"} & set(rest))


def test_no_code_outside_a_task_knows_truth_by_name(python):
    folders = task_folders(list(python))
    others = {path: each for path, each in python.items() if not knows_truth(path, folders) and path != ALBUMENTATIONS}
    assert [f"{path}:{line}" for path, module in others.items() for line in decisions_by_truth(module)] == []


@pytest.mark.parametrize(
    "line",
    [
        "if name == 'mask': pass",
        "x = 1 if 'boxes' in task.truth else 2",
        "if name in ('label', 'labels'): pass",
        "if name.startswith('mask'): pass",
        "y = sample['label']",
        "del truth['instances']",
        "y = truth.get('classes')",
        "match name:\n  case 'boxes' | 'other': pass",
        "while not {'identity'} <= truth.keys(): pass",
    ],
)
def test_decisions_by_truth_are_found(line):
    assert decisions_by_truth(ast.parse(line)) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "if truth[name].moves == 'mask': pass",
        "boxes = [name for name, kind in kinds.items() if kind == 'boxes']",
        "y = sample['image']",
        "if name in task.truth: pass",
        "lengths = {'mask': 'size'}",
        "if truth.role == 'class_ids': pass",
        "moves: Literal['mask', 'boxes'] | None = None",
    ],
)
def test_what_truth_says_of_itself_passes(line):
    assert decisions_by_truth(ast.parse(line)) == []


def test_who_may_know_truth_by_name():
    known = [
        "models/detection/loss.py",
        "pipelines/data/formats/voc.py",
        "examples/find_squares.py",
        "tests/shared/pixel_task.py",
    ]
    strangers = ["models/predictor.py", "models/inputs/image/image_input.py", "pipelines/train.py", "saccade/demo.py"]
    assert all(knows_truth(Path(each), {"detection"}) for each in known)
    assert not any(knows_truth(Path(each), {"detection"}) for each in strangers)
