"""A recipe, checked and resolved: every section typed, every default in place, every path absolute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ...models import TASKS, find_task
from ...models.contract import ModelOptions, Task
from ...models.errors import InputError, advise, nearest
from ...models.naming import check_name, make_importable, own_code
from ...models.options import Incidental, IsPath, Options, move_keys
from ..data.formats import SOURCES, find_source
from ..data.source import DataOptions, Source
from .shipped import default_recipe, shipped_recipe, shipped_recipes
from .text import KeyPath, RecipeText, Written, apply_override, as_yaml, read_recipe
from .train_options import ExportOptions, TrainOptions

SECTIONS = ("task", "data", "input", "augment", "model", "results", "train", "evaluate", "export")
OF_A_RUN = ("state.json", "last.npz", "predictor.json", "log.txt")
"""Files that only a run has beside its recipe."""
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
    results: Options
    train: TrainOptions
    evaluate: Options
    export: ExportOptions
    import_paths: tuple[str, ...] = ()

    def resolved(self) -> dict[str, Any]:
        """Plain values that make the same recipe again."""
        sections = {name: getattr(self, name) for name in SECTIONS}
        return {name: _dumped(value) if isinstance(value, Options) else value for name, value in sections.items()} | (
            {"import_paths": list(self.import_paths)} if self.import_paths else {}
        )

    def to_yaml(self, decisive: bool = False) -> str:
        values = self.decisive(self.resolved()) if decisive else self.resolved()
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)

    def decisive(self, resolved: Mapping[str, Any]) -> dict[str, Any]:
        """Of a resolved recipe like this one, what decides how a training turns out; the rest may change between two
        sessions of one run.

        What does not decide: where bundles go, where a user's own code is found, fields marked `Incidental`, and where
        the data is, for its content is compared in place of its paths. Other paths count for what they lead to.
        """
        found: dict[str, Any] = {}
        for name, values in resolved.items():
            section = getattr(self, name, None)
            if isinstance(section, Options) and isinstance(values, Mapping):
                values = _decisive(values, type(section), are_paths_compared=name != "data")
            if name not in ("export", "import_paths"):
                found[name] = values
        return found

    def open(self) -> tuple[Source, Task]:
        """The data, with the truth that the task wants, and the task, with the classes that the data has."""
        with own_code(self.task, "task", self.task_class):
            truth = self.make_task(()).truth
        with own_code(self.data.source, "source", self.source_class):
            source = self.source_class(self.data, truth)
        with own_code(self.task, "task", self.task_class):
            return source, self.make_task(source.class_names)

    def make_task(self, class_names: Sequence[str]) -> Task:
        """The task of this recipe, for data of some classes."""
        return self.task_class(class_names, self.model, self.input, self.results, self.evaluate)


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a file, a shipped recipe's name, or a task's name (then its default recipe).

    Args:
        name: a path to a `.yaml` file, a name that `saccade recipes` lists, or a task.
        overrides: `key.sub=value` each.

    Raises:
        InputError: anything unknown, mistyped or missing, with file, line and field.
    """
    for override in overrides:
        if not isinstance(override, str):
            raise InputError(f"{override!r}: an override is text, 'key.sub=value', for example 'train.epochs=3'")
    text = find_text(str(name), overrides)
    return _where_it_stands(resolve(text), text)


def find_text(name: str, overrides: Sequence[str] = ()) -> RecipeText:
    """The text behind a path, a shipped recipe's name or a task's name."""
    path = Path(name)
    is_folder = (path / "recipe.yaml").is_file() and name not in TASKS and name not in shipped_recipes()
    if name.endswith((".yaml", ".yml")) or os.sep in name or path.is_file() or is_folder:
        if path.is_dir() and (path / "recipe.yaml").is_file():
            path /= "recipe.yaml"
        return read_recipe(path, overrides)
    path = default_recipe(name) if name in TASKS else shipped_recipe(name)
    return read_recipe(path, overrides, shown=name)


def _where_it_stands(recipe: Recipe, text: RecipeText) -> Recipe:
    """The recipe of a run is that of the folder in which it is, which may have been moved or renamed; an override may
    still name another."""
    if not _is_of_run(text) or not text.place(("train", "run")).startswith(f"{text.source}:"):
        return recipe
    folder = os.path.abspath(Path(text.source).parent)
    return replace(recipe, train=recipe.train.model_copy(update={"run": folder}))


def _is_of_run(text: RecipeText) -> bool:
    """Whether it is the resolved recipe in the folder of a run."""
    place = Path(text.source)
    return place.name == "recipe.yaml" and any((place.parent / each).is_file() for each in OF_A_RUN)


def resolve(text: RecipeText) -> Recipe:
    """Checks names first, then every section against its schema."""
    values = text.values
    _refuse_unknown(values, (*SECTIONS, "import_paths"), (), text)
    import_paths = _import_paths(text)
    for folder in import_paths:
        make_importable(folder)
    task_name = _typed(values.get("task"), str | None)
    if not isinstance(task_name, str):
        raise _wrong("'task' is missing", ("task",), text, nearest("", TASKS))
    task_class = _named(find_task, task_name, ("task",), text)
    data = values.get("data")
    data = data.value if isinstance(data, Written) else data
    source_name = _typed(data.get("source"), str | None) if isinstance(data, dict) else None
    if not isinstance(source_name, str):
        raise _wrong("'data.source' is missing", ("data", "source"), text, nearest("", SOURCES))
    source_class = _named(find_source, source_name, ("data", "source"), text)
    augment = as_yaml(values.get("augment")) or []
    if not isinstance(augment, list):
        raise InputError(
            "'augment' is a list of transforms, for example - HorizontalFlip: {p: 0.5}", where=text.place(("augment",))
        )
    if _is_of_run(text):  # of an earlier version, perhaps
        text.values.update(move_keys(text.values, {"model": task_class.ModelOptions}))
    model = _section("model", task_class.ModelOptions, text)
    _named(lambda name: check_name(name, task_class.models, "model"), model.name, ("model", "name"), text)
    train = _section("train", TrainOptions, text)
    export = _section("export", ExportOptions, text)
    recipe = Recipe(
        name=text.name,
        task=task_name,
        task_class=task_class,
        source_class=source_class,
        data=_section("data", source_class.Options, text),
        input=_section("input", task_class.Input.Options, text),
        augment=augment,
        model=model,
        results=_section("results", task_class.ResultOptions, text),
        evaluate=_section("evaluate", task_class.EvaluationOptions, text),
        train=train.model_copy(update={"run": train.run or str(Path.cwd() / "runs" / text.name)}),
        export=export.model_copy(update={"folder": export.folder or str(Path.cwd() / "bundles")}),
        import_paths=import_paths,
    )
    try:
        with own_code(task_name, "task", task_class):
            recipe.make_task(()).check_options()
    except InputError as error:
        raise InputError(str(error), where=text.source) from None
    return recipe


def _import_paths(text: RecipeText) -> tuple[str, ...]:
    """Where objects of the user's are found, if the recipe names any: in its folder and in the working folder. A
    resolved recipe states them."""
    if "import_paths" in text.values:
        return tuple(_where_now(folder, text) for folder in _typed(text.values["import_paths"], list[str]))
    uses_own = any(":" in word for word in _words(text.values))
    return tuple(dict.fromkeys([str(text.folder(())), str(Path.cwd())])) if uses_own else ()


def _where_now(folder: str, text: RecipeText) -> str:
    """A folder of a resolved recipe; where it is gone and the run was moved together with it, its new place."""
    run = _typed((text.values.get("train") or {}).get("run"), str)
    if os.path.isdir(folder) or not isinstance(run, str):
        return folder
    moved = os.path.normpath(text.folder(()) / os.path.relpath(folder, run))
    return moved if os.path.isdir(moved) else folder


def _words(values: Any) -> Iterator[str]:
    if isinstance(values, Written):
        values = values.value if isinstance(values.value, dict | list) else values.text
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
        raise _wrong(str(error), path, text) from None


def read_options(schema: type[Options], arguments: Sequence[str], verb: str) -> Any:
    """The options of a verb that a task brings, typed and refused as a recipe's section is.

    Args:
        schema: of the options.
        arguments: `key.sub=value` each; relative paths are seen from the working folder.
        verb: for error messages.

    Raises:
        InputError: anything unknown, mistyped or missing.
    """
    text = RecipeText(verb, {}, source=verb)
    for argument in arguments:
        if "=" not in argument:
            raise InputError(
                f"'{argument}': an argument is key=value: {nearest(argument, schema.model_fields)}", where=verb
            )
        apply_override(argument, text)
    return _checked(text.values, schema, (), text)


def _section(name: str, schema: type[Options], text: RecipeText) -> Any:
    return _checked(text.values.get(name), schema, (name,), text)


def _checked(written: Any, schema: type[Options], path: KeyPath, text: RecipeText) -> Any:
    """What was written under a key, by its schema."""
    values = _typed(written, schema)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        name = ".".join(path)
        raise _wrong(f"'{name}' is a section with keys", path, text, nearest("", schema.model_fields))
    try:
        # JSON mode is strict about types ("3" is no number) and still takes a list where a tuple is wanted
        return schema.model_validate_json(json.dumps(_absolute(values, schema, path, text)), strict=True)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False)[0], path, values, schema, text) from None


def _typed(value: Any, annotation: Any) -> Any:
    """What was written, as the type of its field reads it: text as it stands, all else as YAML."""
    kinds = list(_kinds(annotation))
    if isinstance(value, Written):
        return _typed_scalar(value, annotation, kinds)
    if isinstance(value, dict):
        sections = [kind for kind in kinds if _is_section(kind)]
        if sections:
            return {key: _typed(each, _field(key, value, sections)) for key, each in value.items()}
        of_values = [get_args(kind)[1] for kind in kinds if _holds(kind, dict) and get_args(kind)]
        return {key: _typed(each, of_values[0] if of_values else Any) for key, each in value.items()}
    if isinstance(value, list):
        of_items = [get_args(kind) for kind in kinds if _holds(kind, list) and get_args(kind)] or [(Any,)]
        return [_typed(each, of_items[0][min(at, len(of_items[0]) - 1)]) for at, each in enumerate(value)]
    return value


def _typed_scalar(value: Written, annotation: Any, kinds: list[Any]) -> Any:
    read = value.value
    wants_text = any(map(_is_text, kinds))
    if isinstance(read, dict | list) and (not wants_text or any(_holds(kind, type(read)) for kind in kinds)):
        return _typed(read, annotation)
    if value.is_null and (NoneType in kinds or not value.text or not wants_text):
        return None
    if wants_text:
        is_number = isinstance(read, int | float) and any(kind in (bool, int, float) for kind in kinds)
        return read if is_number else value.text
    one_of_a_list = value.text[:1] not in ("[", "{") and "," not in value.text
    if one_of_a_list and any(_holds(kind, list) and any(map(_is_text, _kinds(get_args(kind)[0]))) for kind in kinds):
        return [value.text]
    return as_yaml(value)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The members of a union, or the type itself; without its marks."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation


def _is_text(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(isinstance(each, str) for each in get_args(kind))
    return isinstance(kind, type) and issubclass(kind, str | PurePath)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _holds(kind: Any, form: type) -> bool:
    """Whether a field of this type takes mappings (`dict`) or sequences (`list`)."""
    kind = get_origin(kind) or kind
    if not isinstance(kind, type) or issubclass(kind, str):
        return False
    return _is_section(kind) or issubclass(kind, Mapping) if form is dict else issubclass(kind, Sequence)


def _field(key: str, values: dict[str, Any], sections: list[type[BaseModel]]) -> Any:
    """The type of a field, of the section that the values name where there are several."""
    name = _typed(values.get("name"), str)
    chosen = [each for each in sections if _tag(each) == name] or sections
    return next((each.model_fields[key].annotation for each in chosen if key in each.model_fields), str)


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


def _dumped(section: Options) -> dict[str, Any]:
    """Plain values that make the section again: a dollar sign in a path is none of a variable."""

    def escaped(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: escaped(each) for key, each in value.items()}
        return value.replace("$", "$$") if isinstance(value, str) else value

    fields = type(section).model_fields
    are_paths = {name for name, info in fields.items() if any(isinstance(mark, IsPath) for mark in _marks(info))}
    values = section.model_dump(mode="json")
    return {name: escaped(value) if name in are_paths else value for name, value in values.items()}


def _decisive(values: Mapping[str, Any], schema: type[Options], are_paths_compared: bool) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        marks = list(_marks(schema.model_fields[name])) if name in schema.model_fields else []
        paths = [mark for mark in marks if isinstance(mark, IsPath)]
        if any(isinstance(mark, Incidental) for mark in marks) or paths and not are_paths_compared:
            continue
        found[name] = os.path.realpath(value) if paths and paths[0].is_path(value) else value
    return found


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
    parts = [os.path.expandvars(part) for part in value.split("$$")]
    expanded = os.path.expanduser("$".join(parts))
    if expanded.startswith("~/") or expanded == "~":  # it would become a folder of that name
        raise _wrong(f"'{'.'.join(path)}': '{value}' and no home folder", path, text, "write the whole path")
    if any("$" in part for part in parts):
        raise _wrong(f"'{'.'.join(path)}': the variable in '{value}' is not set", path, text)
    return Path(expanded)


def _refuse_unknown(values: dict[str, Any], known: Sequence[str], path: KeyPath, text: RecipeText) -> None:
    for key in values:
        if key not in known:
            here = (*path, str(key))
            raise _wrong(f"unknown key '{'.'.join(here)}'", here, text, nearest(str(key), known))


def _wrong(what: str, path: KeyPath, text: RecipeText, fix: str = "") -> InputError:
    """An error about a key, with the place where it was written."""
    return InputError(what, where=text.place(path), field=".".join(path), fix=fix)


def _explain(error: ErrorDetails, section: KeyPath, values: Any, schema: type[Options], text: RecipeText) -> InputError:
    """One line from pydantic's first error: where, which field, what is wrong, what to do."""
    keys = list(section)
    for part in error["loc"]:  # pydantic mixes names of union members in: keep what the recipe really holds
        if isinstance(values, dict) and (part in values or part == error["loc"][-1] and error["type"] == "missing"):
            keys.append(str(part))
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            keys.append(str(part))
            values = values[part]
    path = tuple(keys)
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        if path[-1] in schema.moved and len(path) == len(section) + 1:
            return _wrong(f"'{name}' is '{schema.moved[path[-1]]}' now", path, text)
        return _wrong(f"unknown key '{name}'", path, text, nearest(path[-1], _known_keys(schema, error["loc"])))
    if error["type"] == "missing":
        return _wrong(f"'{name}' is missing", path, text)
    context = error.get("ctx", {})
    if error["type"] == "union_tag_invalid":
        known = [word.strip(" '") for word in context["expected_tags"].split(",")]
        return _wrong(f"unknown {path[-1]} '{context['tag']}'", path, text, nearest(context["tag"], known))
    if error["type"] == "literal_error":
        known = [word.strip(" '") for word in context["expected"].replace(" or ", ", ").split(",")]
        if error["loc"][-1] == "[key]":  # the key of a mapping, not its value
            return _wrong(f"unknown key '{name}'", path, text, nearest(path[-1], known))
        return _wrong(f"'{name}' is {values!r}", path, text, nearest(str(values), known))
    if error["type"] == "list_type" and isinstance(values, str):
        line = advise(name, [each.strip(" []") for each in values.split(",")])
        return _wrong(f"'{name}' is {values!r}, and a list is wanted, such as {line}", path, text)
    message = error["msg"].removeprefix("Value error, ")
    return _wrong(f"'{name}' is {values!r}", path, text, f"{message[0].lower()}{message[1:]}")


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


def _tag(schema: type[BaseModel]) -> Any:
    return schema.model_fields["name"].default if "name" in schema.model_fields else None
