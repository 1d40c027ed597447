"""The recipes that ship with saccade, and one to start from, with every key and its meaning."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from ...models import find_task
from ...models.errors import InputError, nearest
from ...models.options import Options
from ..data.formats import find_source
from .text import as_yaml, read_recipe
from .train_options import ExportOptions, TrainOptions

FOLDER = Path(__file__).parent.parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name to file of every shipped recipe."""
    return {path.stem: path for path in sorted(FOLDER.rglob("*.yaml"))}


def shipped_recipe(name: str) -> Path:
    """The file of a shipped recipe.

    Raises:
        InputError: no recipe and no task of that name, with the nearest ones.
    """
    from ...models import TASKS

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


COLUMN, WIDTH = 32, 120
"""Where the meaning of a key begins, and where lines end."""


def write_recipe(task: str, file: Path) -> None:
    """Writes a recipe for a task; what the schema says of a key is the only source of its default and meaning.

    Args:
        task: a task's name.
        file: must not exist.

    Raises:
        InputError: unknown task, one without a recipe to start from, a file that exists or cannot be written.
    """
    text = recipe_template(task, file)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError("exists already: give another name by --out, or remove it", where=str(file)) from None
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(file)) from None


def recipe_template(task: str, file: Path) -> str:
    """The text of the recipe that will stand in `file`."""
    path, task_class = default_recipe(task), find_task(task)
    values = as_yaml(read_recipe(path).values)
    sections = {
        "data": find_source(values["data"]["source"]).Options,
        "input": task_class.Input.Options,
        "augment": None,
        "model": task_class.ModelOptions,
        "results": task_class.ResultOptions,
        "train": TrainOptions,
        "evaluate": task_class.EvaluationOptions,
        "export": ExportOptions,
    }
    sections = {name: schema for name, schema in sections.items() if schema is None or schema.model_fields}
    lines = [*_header(path, file), f"task: {values['task']}"]
    for name, schema in sections.items():
        given = values.get(name)
        lines += ["", *(_augment(given or []) if schema is None else [f"{name}:", *_section(schema, given or {})])]
    return "\n".join(lines) + "\n"


def keys_of(schema: type[Options]) -> str:
    """Every key of a section with its meaning, one below the other: first those that must be given."""
    return "\n".join(line.removeprefix("  ") for line in _section(schema, {}))


def _header(path: Path, file: Path) -> Iterator[str]:
    """What the default recipe says it is, and how this one is used."""
    for line in header(path):
        if line.startswith("command:"):
            break
        yield f"# {line}"
    yield f"# command: saccade train {shlex.quote(str(file))}"
    yield "# A key behind '#' stands at its default. 'saccade train FILE key.sub=value' sets one for once."


def _augment(transforms: list[Any]) -> Iterator[str]:
    meaning = "Transforms of albumentations (https://albumentations.ai), for training samples, in this order."
    yield from _row("augment:" if transforms else "augment: []", meaning)
    for each in transforms:
        yield "  - " + (each if isinstance(each, str) else plain_yaml(each).removeprefix("{").removesuffix("}"))


def _section(schema: type[Options], given: Mapping[str, Any]) -> Iterator[str]:
    """First the keys that the default recipe gives or that must be given, then the others."""
    fields = schema.model_fields
    required = {name: f"your/{name}" for name, info in fields.items() if info.is_required()}
    active = required | dict(given)
    for name in sorted(active, key=list(fields).index):
        yield from _row(f"  {name}: {plain_yaml(active[name])}", meaning_of(fields[name], is_given=True))
    for name, info in fields.items():
        if name not in active:
            yield from _row(f"  # {name}: {plain_yaml(plain(info.get_default()))}", meaning_of(info, is_given=False))


def _row(start: str, meaning: str) -> list[str]:
    """A key, and its meaning in a column of its own; below the key where that is long."""
    wrapped = textwrap.wrap(meaning, WIDTH - COLUMN - 2, break_on_hyphens=False, break_long_words=False)
    if wrapped and len(start) < COLUMN:
        start = f"{start:<{COLUMN}}# {wrapped.pop(0)}"
    return [start, *(f"{'':<{COLUMN}}# {line}" for line in wrapped)]


def meaning_of(info: FieldInfo, is_given: bool = False) -> str:
    """The words below a field in its schema, and what its value is made of where that is a section of its own."""
    words = " ".join((info.description or "").split())
    schemas = _schemas(info.annotation)
    if len(schemas) > 1:
        words += f" By name: {', '.join(each.model_fields['name'].default for each in schemas)}."
    elif schemas and info.default is None and not is_given:
        words += f" Such as {plain_yaml(_brief(schemas[0]()))}."
    return words.strip()


def _schemas(annotation: Any) -> list[type[Options]]:
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return [annotation]
    return [each for argument in get_args(annotation) for each in _schemas(argument)]


def _brief(options: Options) -> dict[str, Any]:
    """The section's values; of a section in it only the name."""
    values = {name: getattr(options, name) for name in type(options).model_fields}
    return {name: {"name": vars(each)["name"]} if isinstance(each, Options) else each for name, each in values.items()}


def plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Options) else value


def plain_yaml(value: Any) -> str:
    """In one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")
