"""The recipes that ship with saccade."""

from __future__ import annotations

from pathlib import Path

from ..models import find_task
from ..models.errors import InputError, nearest

FOLDER = Path(__file__).parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name to file of every shipped recipe."""
    return {path.stem: path for path in sorted(FOLDER.rglob("*.yaml"))}


def shipped_recipe(name: str) -> Path:
    """The file of a shipped recipe.

    Raises:
        InputError: no recipe and no task of that name, with the nearest ones.
    """
    from ..models import TASKS

    known = shipped_recipes()
    if name not in known:
        raise InputError(f"no recipe or task '{name}': {nearest(name, [*known, *TASKS])} (a file ends in .yaml)")
    return known[name]


def default_recipe(task: str) -> Path:
    """The file of the recipe that a task begins with."""
    return _of_task(task, "default")


def demo_recipe(task: str) -> Path:
    """The file of the recipe that a task's demo runs."""
    return _of_task(task, "demo")


def header(path: Path) -> list[str]:
    """The comment at the head of a recipe: what it is, command, machine, expected time and metric."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return lines


def _of_task(task: str, kind: str) -> Path:
    task_class = find_task(task)
    name = {"default": task_class.recipe, "demo": task_class.demo}[kind]
    if name is None:
        raise InputError(f"the task '{task}' ships no {kind} recipe: write one, and give its path")
    return shipped_recipe(name)
