"""Recipes as text: YAML with line numbers, and `key.sub=value` overrides on top of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..models.errors import InputError

KeyPath = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 numbers and booleans: 1e-3 is a number, and `yes`, `on`, `no` are plain words."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)


@dataclass
class RecipeText:
    """The raw values of a recipe, and for each key where it was written.

    Attributes:
        name: what the recipe is called: its file's name without the ending.
        values: nested dicts and lists as they stand in the file, overrides applied.
        places: "file:line" or the override's own text, by key path.
        folders: the folder that relative paths of a key refer to, by key path.
    """

    name: str
    values: dict[str, Any]
    places: dict[KeyPath, str] = field(default_factory=dict)
    folders: dict[KeyPath, Path] = field(default_factory=dict)
    source: str = ""

    def place(self, path: KeyPath) -> str:
        """Where a key, or the nearest one above it, was written."""
        return _nearest_above(self.places, path, self.source)

    def folder(self, path: KeyPath) -> Path:
        """The folder that a relative path under this key refers to."""
        return _nearest_above(self.folders, path, Path.cwd())


def _nearest_above(table: Mapping[KeyPath, Any], path: KeyPath, default: Any) -> Any:
    for length in range(len(path), -1, -1):
        if path[:length] in table:
            return table[path[:length]]
    return default


def read_recipe(path: Path, overrides: Sequence[str] = (), shown: str | None = None) -> RecipeText:
    """Reads a recipe file and lays overrides over it.

    Args:
        path: the YAML file.
        overrides: `key.sub=value`, the value in YAML; a mapping replaces the whole mapping under the key.
        shown: how error messages name the file; its path by default.

    Raises:
        InputError: a file that is missing or no YAML mapping, a malformed override.
    """
    shown = shown or str(path)
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{shown}: cannot read the recipe: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{shown}: not a recipe: it is not UTF-8 text") from None
    try:
        node = yaml.compose(content, Loader=_Loader)
        values = yaml.load(content, Loader=_Loader)  # a SafeLoader: it makes plain values only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{shown}{line}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{shown}: a recipe is a mapping with the key 'task' and sections data, input, model, train, ..."
        )
    text = RecipeText(path.stem, values, source=shown)
    text.folders[()] = path.resolve().parent
    _note_places(node, (), shown, text.places)
    for override in overrides:
        _apply(override, text)
    return text


def _note_places(node: yaml.Node, path: KeyPath, shown: str, places: dict[KeyPath, str]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = f"{shown}:{key.start_mark.line + 1}"
        if key.value in seen:
            raise InputError(f"{line}: the key '{'.'.join((*path, key.value))}' stands here twice")
        seen.add(key.value)
        places[(*path, key.value)] = line
        _note_places(value, (*path, key.value), shown, places)


def _apply(override: str, text: RecipeText) -> None:
    key, equals, value = override.partition("=")
    path = tuple(key.split("."))
    if not equals or not all(path):
        raise InputError(f"'{override}': an override is key.sub=value, for example train.epochs=3")
    try:
        parsed = yaml.load(value, Loader=_Loader)
    except yaml.YAMLError:
        raise InputError(f"'{override}': the value is not YAML") from None
    values = text.values
    for part in path[:-1]:
        if values.get(part) is None:
            values[part] = {}
        values = values[part]
        if not isinstance(values, dict):
            raise InputError(f"'{override}': '{part}' holds no keys")
    values[path[-1]] = parsed
    for table in (text.places, text.folders):
        for known in [known for known in table if known[: len(path)] == path]:
            del table[known]
    text.places[path] = f"'{override}'"
    text.folders[path] = Path.cwd()
