"""The tables of keys in docs/recipe.md, written from the schemas.

`python -m saccade.pipelines.recipe.page docs/recipe.md` writes them anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from ...models import TASKS, find_task
from ...models.backbones.options import BackboneOptions
from ...models.errors import InputError, nearest
from ...models.inputs.image.options import ImageOptions
from ...models.options import Options
from ..data.formats import SOURCES, find_source
from ..data.formats.mask_encoding import MaskOptions
from ..data.source import DataOptions
from .shipped import meaning_of, plain, plain_yaml, schemas_in
from .train_options import ExportOptions, TrainOptions

_MARKED = re.compile(r"(<!-- keys: (?P<name>[^>]+?) -->\n)(?P<table>.*?)(<!-- end of keys -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """What a marker may name, to its table; sections without a key of their own have none."""
    found: dict[str, Sequence[type[Options]]] = {
        "data": [DataOptions],
        "data with masks": [MaskOptions, DataOptions],
        **{f"data of {name}": [find_source(name).Options, DataOptions, MaskOptions] for name in SOURCES},
        "input": [ImageOptions],
        "model with a backbone": [BackboneOptions],
        "train": [TrainOptions],
        "export": [ExportOptions],
    }
    for name in TASKS:
        sections = find_task(name).sections()
        found[f"model of {name}"] = [sections["model"], BackboneOptions]
        found |= {f"{section} of {name}": [sections[section]] for section in ("results", "evaluate")}
    of_kinds: dict[str, str] = {}
    for name, info in TrainOptions.model_fields.items():
        if kinds := schemas_in(info.annotation):
            common = next(each for each in kinds[0].__mro__ if all(issubclass(kind, each) for kind in kinds))
            found[f"train.{name}"] = [common]
            of_kinds |= {f"kinds of train.{name}": table_of_kinds(kinds, common)} if len(kinds) > 1 else {}
    return {name: table(*each) for name, each in found.items() if own_fields(*each)} | of_kinds


def own_fields(schema: type[Options], *elsewhere: type[Options]) -> dict[str, Any]:
    """The fields of a schema, without those that are the same in another; what only names a kind is none."""
    told = [(name, each.model_fields[name]) for each in elsewhere for name in each.model_fields]
    return {
        name: info
        for name, info in schema.model_fields.items()
        if not any(name == other and _same(info, known) for other, known in told)
        and (name != "name" or info.description)
    }


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return (one.description, one.default) == (other.description, other.default)


def table(schema: type[Options], *elsewhere: type[Options]) -> str:
    """Key, default and meaning of each field, as Markdown.

    Args:
        schema: of a section.
        elsewhere: those whose keys stand in tables of their own: what is the same there is left out.
    """
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, info in own_fields(schema, *elsewhere).items():
        rows.append(f"| `{name}` | {_default(info)} | {_in_a_cell(meaning_of(info))} |")
    return "\n".join(rows) + "\n"


def table_of_kinds(kinds: Sequence[type[Options]], common: type[Options]) -> str:
    """Name, meaning and own keys of each kind that a section may be of, as Markdown; those of `common` are left out."""
    rows = ["| name | meaning | keys of its own, with their defaults |", "|---|---|---|"]
    for kind in kinds:
        keys = [f"`{name}` {_default(info)}".strip() for name, info in own_fields(kind, common).items()]
        words = " ".join((kind.__doc__ or "").split())
        rows.append(f"| `{kind.model_fields['name'].default}` | {_in_a_cell(words)} | {', '.join(keys)} |")
    return "\n".join(rows) + "\n"


def _default(info: FieldInfo) -> str:
    return "" if info.is_required() else f"`{plain_yaml(plain(info.get_default()))}`"


def _in_a_cell(words: str) -> str:
    return words.replace("|", "\\|")


def with_tables(text: str) -> str:
    """A page with each table between its markers written anew.

    Raises:
        InputError: a marker that names nothing.
    """
    known = tables()

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known:
            raise InputError(f"<!-- keys: {name} -->: {nearest(name, known)}")
        return match[1] + known[name] + match[4]

    return _MARKED.sub(written, text)


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(with_tables(file.read_text(encoding="utf-8")), encoding="utf-8")
