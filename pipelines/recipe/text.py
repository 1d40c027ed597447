"""Recipes as text: YAML with line numbers, and `key.sub=value` overrides on top of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...models.errors import InputError, one_line

KeyPath = tuple[str, ...]


_NULLS = ("", "~", "null", "Null", "NULL")
_QUOTES = " (in a list or a mapping, text with special characters is put in quotes)"
_OUTDATED = ("bool", "float", "int", "timestamp", "value", "yaml")


class _Loader(yaml.SafeLoader):
    """YAML 1.2: 1e-3 and 010 are numbers; `yes`, `on`, `no`, `1:30`, `2024-01-01` and `=` are plain words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _OUTDATED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^(?:[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda _, node: int(node.value, {"0o": 8, "0x": 16}.get(node.value[:2], 10))
)


class _OverrideLoader(_Loader):
    """One line of a shell: no anchors, aliases, tags, directives or `?` keys, so that `[*.gif]` is a list of a text."""

    fetch_alias = fetch_anchor = fetch_tag = yaml.SafeLoader.fetch_plain

    def check_directive(self) -> bool:
        return False

    def check_key(self) -> bool:
        return False

    def check_plain(self) -> bool:
        return super().check_plain() or self.peek() in "%@`"


@dataclass(frozen=True)
class Written:
    """A value as it was written. What it means, the type of its field decides: text is taken as it stands.

    Attributes:
        text: as it was typed, without the quotes around the whole of it.
        value: the same read as YAML: text, a number, a truth value or None; of an override also a list or mapping with
            `Written` in it, or the InputError that says why it is no YAML.
    """

    text: str
    value: Any

    @property
    def is_null(self) -> bool:
        """Whether nothing is meant; a comment is no nothing: in `#(\\d+)` the text counts."""
        return self.value is None and self.text in _NULLS


def as_yaml(value: Any) -> Any:
    """Plain values, read as YAML alone: what no field has a type for.

    Raises:
        InputError: the text of an override that is no YAML.
    """
    if isinstance(value, Written):
        value = value.value
    if isinstance(value, InputError):
        raise value
    if isinstance(value, dict):
        return {key: as_yaml(each) for key, each in value.items()}
    return [as_yaml(each) for each in value] if isinstance(value, list) else value


@dataclass
class RecipeText:
    """The raw values of a recipe, and for each key where it was written.

    Attributes:
        name: what the recipe is called: its file's name without the ending.
        values: nested dicts and lists as they stand in the file, with `Written` in them; overrides applied.
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
        overrides: `key.sub=value`, the value as typed where the key wants text, else YAML; a mapping replaces the
            whole mapping under the key.
        shown: how error messages name the file; its path by default.

    Raises:
        InputError: a file that is missing or no YAML mapping, a malformed override.
    """
    shown = shown or str(path)
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the recipe: {error.strerror}", where=shown) from None
    except UnicodeDecodeError:
        raise InputError("not a recipe: it is not UTF-8 text", where=shown) from None
    places: dict[KeyPath, str] = {}
    try:
        node = yaml.compose(content, Loader=_Loader)
        _note_places(node, (), lambda mark: f"{shown}:{mark.line + 1}", places)
        values = _tree(node)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{shown}{line}: not YAML: {getattr(error, 'problem', None) or error}{_QUOTES}") from None
    if not isinstance(values, dict):
        raise InputError(
            "a recipe is a mapping with the key 'task' and sections data, input, model, train, ...", where=shown
        )
    text = RecipeText(path.stem, values, places, source=shown)
    text.folders[()] = path.resolve().parent
    for override in overrides:
        apply_override(override, text)
    return text


def _note_places(
    node: yaml.Node | None, path: KeyPath, place: Callable[[yaml.Mark], str], places: dict[KeyPath, str]
) -> None:
    if isinstance(node, yaml.SequenceNode):
        for at, each in enumerate(node.value):
            _note_places(each, (*path, str(at)), place, places)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        where = place(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise InputError("a key is one word or text in quotes, no list or mapping", where=where)
        if key.value in seen:
            raise InputError(f"the key '{'.'.join((*path, key.value))}' stands here twice", where=where)
        seen.add(key.value)
        places[(*path, key.value)] = where
        _note_places(value, (*path, key.value), place, places)


def _tree(node: yaml.Node | None) -> Any:
    """Nested dicts and lists with `Written` in them; keys are text."""
    if node is None:
        return Written("", None)
    loader = _Loader("")
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        return {key.value: _tree(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_tree(each) for each in node.value]
    try:
        value = loader.construct_object(node)
    except ValueError:  # `!!int x`, or more digits than Python reads
        value = node.value
    return Written(node.value, value if isinstance(value, str | int | float | None) else node.value)


def apply_override(override: str, text: RecipeText) -> None:
    """Lays one `key.sub=value` over the values of a recipe, or of nothing yet."""
    key, equals, value = override.partition("=")
    path, place = tuple(key.split(".")), f"'{one_line(override)}'"
    if not equals or not all(path):
        raise InputError("an override is key.sub=value, for example train.epochs=3", where=place)
    try:
        override.encode()
    except UnicodeEncodeError:
        raise InputError("not UTF-8 text", where=place) from None
    values = text.values
    for part in path[:-1]:
        inner = values.get(part)
        if isinstance(inner, Written):
            inner = inner.value
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise InputError(f"'{part}' holds no keys", where=place)
        values[part] = values = inner
    for table in (text.places, text.folders):
        for known in [known for known in table if known[: len(path)] == path]:
            del table[known]
    values[path[-1]] = _read_value(value, path, place, text.places)
    text.places[path] = place
    text.folders[path] = Path.cwd()


def _read_value(value: str, path: KeyPath, place: str, places: dict[KeyPath, str]) -> Written:
    """The value of an override, as text and as YAML: which of the two counts is not known yet."""
    try:
        node = yaml.compose(value, Loader=_OverrideLoader)
        _note_places(node, path, lambda _: place, places)
        read = _tree(node)
    except (yaml.YAMLError, RecursionError):
        return Written(value, InputError(f"the value is not YAML{_QUOTES}", where=place))
    if isinstance(node, yaml.ScalarNode) and node.style in ("'", '"'):
        if node.start_mark.index == 0 and node.end_mark.index == len(value):
            return Written(node.value, node.value)
    return Written(value, read.value if isinstance(read, Written) else read)
