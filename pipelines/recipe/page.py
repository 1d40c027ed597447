"""The tables of keys in docs/recipe.md, written from the schemas.

`python -m saccade.pipelines.recipe.page docs/recipe.md` writes them anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ...models import TASKS, find_task
from ...models.backbones.options import BackboneOptions
from ...models.errors import InputError, nearest
from ...models.inputs.image.options import ImageOptions
from ...models.options import Options
from ..data.formats import SOURCES, find_source
from ..data.source import DataOptions
from .shipped import meaning_of, plain, plain_yaml
from .train_options import ExportOptions, TrainOptions

_MARKED = re.compile(r"(<!-- keys: (?P<name>[^>]+?) -->\n)(?P<table>.*?)(<!-- end of keys -->)", re.DOTALL)


def schemas() -> dict[str, tuple[type[Options], type[Options] | None]]:
    """What a marker may name, to a section's type and to the one whose keys stand in a table of their own."""
    found: dict[str, tuple[type[Options], type[Options] | None]] = {
        "data": (DataOptions, None),
        "input": (ImageOptions, None),
        "train": (TrainOptions, None),
        "export": (ExportOptions, None),
    }
    found |= {f"data of {name}": (find_source(name).Options, DataOptions) for name in SOURCES}
    found["model with a backbone"] = (BackboneOptions, None)
    for name in TASKS:
        task = find_task(name)
        found[f"model of {name}"] = (task.ModelOptions, BackboneOptions)
        found[f"results of {name}"] = (task.ResultOptions, None)
        found[f"evaluate of {name}"] = (task.EvaluationOptions, None)
    return found


def table(schema: type[Options], without: type[Options] | None = None) -> str:
    """Key, default and meaning of each field, as Markdown; those of `without` that are the same there are left out."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, info in schema.model_fields.items():
        if without is not None and name in without.model_fields and _same(without, schema, name):
            continue
        default = "" if info.is_required() else f"`{plain_yaml(plain(info.get_default()))}`"
        meaning = meaning_of(info).replace("|", "\\|")
        rows.append(f"| `{name}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _same(one: type[Options], other: type[Options], name: str) -> bool:
    left, right = one.model_fields[name], other.model_fields[name]
    return (left.description, left.default) == (right.description, right.default)


def with_tables(text: str) -> str:
    """A page with each table between its markers written anew.

    Raises:
        InputError: a marker that names nothing.
    """
    known = schemas()

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in known:
            raise InputError(f"<!-- keys: {name} -->: {nearest(name, known)}")
        return match[1] + table(*known[name]) + match[4]

    return _MARKED.sub(written, text)


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(with_tables(file.read_text(encoding="utf-8")), encoding="utf-8")
