"""A recipe, checked and resolved: every section typed, every default in place, every path absolute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..models import TASKS, find_task
from ..models.errors import InputError, nearest
from ..models.naming import check_name, make_importable
from ..models.options import IsPath, Options
from ..models.task import ModelOptions, Task
from .options.train_options import ExportOptions, TrainOptions
from .recipe_text import KeyPath, RecipeText, read_recipe
from .shipped import default_recipe, shipped_recipe
from .source import DataOptions, Source
from .sources import SOURCES, find_source

SECTIONS = ("task", "data", "input", "augment", "model", "train", "export")
VARIABLES = {"SACCADE_DATA": "../shared/data", "SACCADE_WEIGHTS": "../shared/weights"}
"""Variables for shipped recipes and tests, with what they stand for where the environment does not set them."""


@dataclass(frozen=True)
class Recipe:
    """One job, in full.

    Attributes:
        name: what runs and bundles are called by default.
        task: the task's name, as written.
        task_class, source_class: what the names stand for.
        import_paths: folders in which a user's own `package.module:Name` is found.
    """

    name: str
    task: str
    task_class: type[Task]
    source_class: type[Source]
    data: DataOptions
    input: Options
    augment: list[Any]
    model: ModelOptions
    train: TrainOptions
    export: ExportOptions
    import_paths: tuple[str, ...] = ()

    def resolved(self) -> dict[str, Any]:
        """Plain values that make the same recipe again."""
        sections = {name: getattr(self, name) for name in SECTIONS}
        return {
            name: value.model_dump(mode="json") if isinstance(value, Options) else value
            for name, value in sections.items()
        } | ({"import_paths": list(self.import_paths)} if self.import_paths else {})

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.resolved(), sort_keys=False, allow_unicode=True)

    def open(self) -> tuple[Source, Task]:
        """The data, with the truth that the task wants, and the task, with the classes that the data has."""
        wanted = self.task_class((), self.model, self.input).truth
        source = self.source_class(self.data, wanted)
        return source, self.task_class(source.class_names, self.model, self.input)


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a file, a shipped recipe's name, or a task's name (then its default recipe).

    Args:
        name: a path to a `.yaml` file, a name that `saccade recipes` lists, or a task.
        overrides: `key.sub=value` each.

    Raises:
        InputError: anything unknown, mistyped or missing, with file, line and field.
    """
    return resolve(find_text(str(name), overrides))


def find_text(name: str, overrides: Sequence[str] = ()) -> RecipeText:
    """The text behind a path, a shipped recipe's name or a task's name."""
    if name.endswith((".yaml", ".yml")) or os.sep in name or Path(name).is_file():
        path = Path(name)
        if path.is_dir() and (path / "recipe.yaml").is_file():
            path /= "recipe.yaml"
        return read_recipe(path, overrides)
    path = default_recipe(name) if name in TASKS else shipped_recipe(name)
    return read_recipe(path, overrides, shown=name)


def resolve(text: RecipeText) -> Recipe:
    """Checks names first, then every section against its schema."""
    values = text.values
    _refuse_unknown(values, (*SECTIONS, "import_paths"), (), text)
    import_paths = _import_paths(text)
    for folder in import_paths:
        make_importable(folder)
    task_name = values.get("task")
    if not isinstance(task_name, str):
        raise InputError(f"{text.place(('task',))}: 'task' is missing: {nearest('', TASKS)}")
    task_class = _named(find_task, task_name, ("task",), text)
    data = values.get("data") or {}
    source_name = data.get("source") if isinstance(data, dict) else None
    if not isinstance(source_name, str):
        raise InputError(f"{text.place(('data',))}: 'data.source' is missing: {nearest('', SOURCES)}")
    source_class = _named(find_source, source_name, ("data", "source"), text)
    model = _section("model", task_class.ModelOptions, text)
    _named(lambda name: check_name(name, task_class.models, "model"), model.name, ("model", "name"), text)
    augment = values.get("augment") or []
    if not isinstance(augment, list):
        raise InputError(
            f"{text.place(('augment',))}: 'augment' is a list of transforms, for example - HorizontalFlip: {{p: 0.5}}"
        )
    train = _section("train", TrainOptions, text)
    export = _section("export", ExportOptions, text)
    return Recipe(
        name=text.name,
        task=task_name,
        task_class=task_class,
        source_class=source_class,
        data=_section("data", source_class.Options, text),
        input=_section("input", task_class.InputOptions, text),
        augment=augment,
        model=model,
        train=train.model_copy(update={"run": train.run or str(Path.cwd() / "runs" / text.name)}),
        export=export.model_copy(update={"folder": export.folder or str(Path.cwd() / "bundles")}),
        import_paths=import_paths,
    )


def _import_paths(text: RecipeText) -> tuple[str, ...]:
    """Where objects of the user's are found, if the recipe names any: in its folder and in the working folder. A
    resolved recipe states them."""
    if "import_paths" in text.values:
        return tuple(text.values["import_paths"])
    uses_own = any(":" in word for word in _words(text.values))
    return tuple(dict.fromkeys([str(text.folder(())), str(Path.cwd())])) if uses_own else ()


def _words(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from _words(value)
    elif isinstance(values, str):
        yield values


def _named(find: Any, name: str, path: KeyPath, text: RecipeText) -> Any:
    try:
        return find(name)
    except InputError as error:
        raise InputError(f"{text.place(path)}: {error}") from None


def _section(name: str, schema: type[Options], text: RecipeText) -> Any:
    values = text.values.get(name)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise InputError(f"{text.place((name,))}: '{name}' is a section with keys: {nearest('', schema.model_fields)}")
    values = _absolute(values, schema, (name,), text)
    try:
        # JSON mode is strict about types ("3" is no number) and still takes a list where a tuple is wanted
        return schema.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise InputError(_explain(error.errors(include_url=False)[0], name, schema, text)) from None


def _absolute(values: dict[str, Any], schema: type[Options], path: KeyPath, text: RecipeText) -> dict[str, Any]:
    """Paths made absolute: variables expanded, relative ones taken from the folder of whoever wrote them."""
    result = dict(values)
    for name, info in schema.model_fields.items():
        marks = [mark for mark in _marks(info) if isinstance(mark, IsPath)]
        if marks and name in values:
            result[name] = _absolute_value(values[name], marks[0], (*path, name), text)
    return result


def _absolute_value(value: Any, mark: IsPath, path: KeyPath, text: RecipeText) -> Any:
    """A path, or each path of a mapping, made absolute; what is neither stays as it is."""
    if isinstance(value, dict):
        return {key: _absolute_value(each, mark, (*path, str(key)), text) for key, each in value.items()}
    return os.path.normpath(text.folder(path) / _expand(value, path, text)) if mark.is_path(value) else value


def _marks(annotation: Any) -> Iterator[Any]:
    """The marks of a field or a type, also inside `RecipePath | None` and `dict[str, RecipePath]`."""
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
        annotation = annotation.annotation
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _marks(argument)


def _expand(value: str, path: KeyPath, text: RecipeText) -> Path:
    for name, default in VARIABLES.items():
        if name not in os.environ and f"${name}" in value.replace("{", "").replace("}", ""):
            absolute = str(Path(default).resolve())
            value = value.replace(f"${{{name}}}", absolute).replace(f"${name}", absolute)
    expanded = os.path.expanduser(os.path.expandvars(value))
    if expanded.startswith("~/") or expanded == "~":  # it would become a folder of that name
        raise InputError(f"{text.place(path)}: '{'.'.join(path)}': '{value}' and no home folder: write the whole path")
    if "$" in expanded:
        raise InputError(f"{text.place(path)}: '{'.'.join(path)}': the variable in '{value}' is not set")
    return Path(expanded)


def _refuse_unknown(values: dict[str, Any], known: Sequence[str], path: KeyPath, text: RecipeText) -> None:
    for key in values:
        if key not in known:
            here = (*path, str(key))
            raise InputError(f"{text.place(here)}: unknown key '{'.'.join(here)}': {nearest(str(key), known)}")


def _explain(error: ErrorDetails, section: str, schema: type[Options], text: RecipeText) -> str:
    """One line from pydantic's first error: where, which field, what is wrong, what to do."""
    keys, values = [section], text.values.get(section) or {}
    for part in error["loc"]:  # pydantic mixes names of union members in: keep what the recipe really holds
        if isinstance(values, dict) and (part in values or part == error["loc"][-1] and error["type"] == "missing"):
            keys.append(str(part))
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            keys.append(str(part))
            values = values[part]
    path, place = tuple(keys), text.place(tuple(keys))
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key '{name}': {nearest(path[-1], _known_keys(schema, error['loc']))}"
    if error["type"] == "missing":
        return f"{place}: '{name}' is missing"
    if error["type"] == "union_tag_invalid":
        known = [word.strip(" '") for word in error["ctx"]["expected_tags"].split(",")]
        return f"{place}: unknown {path[-1]} '{error['ctx']['tag']}': {nearest(error['ctx']['tag'], known)}"
    if error["type"] == "literal_error":
        known = [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        if error["loc"][-1] == "[key]":  # the key of a mapping, not its value
            return f"{place}: unknown key '{name}': {nearest(path[-1], known)}"
        return f"{place}: '{name}' is {values!r}: {nearest(str(values), known)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: '{name}' is {values!r}: {message[0].lower()}{message[1:]}"


def _known_keys(schema: type[Options], location: tuple[int | str, ...]) -> list[str]:
    """The keys that could stand where an unknown one was found, also inside nested sections."""
    found = [schema]
    for part in location[:-1]:
        fields = [each.model_fields[part] for each in found if part in each.model_fields]
        deeper = [inner for info in fields for inner in _schemas(info.annotation)]
        found = deeper or [each for each in found if _tag(each) == part] or found
    return [key for each in found for key in each.model_fields]


def _schemas(annotation: Any) -> list[type[Options]]:
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return [annotation]
    return [each for argument in get_args(annotation) for each in _schemas(argument)]


def _tag(schema: type[Options]) -> Any:
    return schema.model_fields["name"].default if "name" in schema.model_fields else None
