"""docs/recipe.md says what the schemas say."""

from pathlib import Path

import pytest

from saccade.models import TASKS, find_task
from saccade.models.errors import InputError
from saccade.pipelines.data.formats import SOURCES, find_source
from saccade.pipelines.data.source import DataOptions
from saccade.pipelines.recipe.page import schemas, table, with_tables

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def test_the_page_has_the_tables_of_the_schemas():
    text = PAGE.read_text(encoding="utf-8")
    command = "run: python -m saccade.pipelines.recipe.page docs/recipe.md"
    assert with_tables(text) == text, command


def test_every_section_of_every_task_has_a_table():
    text = PAGE.read_text(encoding="utf-8")
    for name in TASKS:
        task = find_task(name)
        for section, kind in (("model", task.ModelOptions), ("results", task.ResultOptions)):
            assert not kind.model_fields or f"<!-- keys: {section} of {name} -->" in text
        assert not task.EvaluationOptions.model_fields or f"<!-- keys: evaluate of {name} -->" in text


def test_every_source_is_told_of():
    text = PAGE.read_text(encoding="utf-8")
    for name in SOURCES:
        own = find_source(name).Options.model_fields.keys() - DataOptions.model_fields.keys()
        assert f"`{name}`: " in text and all(f"`{field}`" in text for field in own), name


def test_a_row_is_key_default_and_meaning():
    rows = table(*schemas()["data of digit_scenes"]).splitlines()
    assert rows[2] == "| `count` | `2000` | Scenes in all splits together. |"
    assert not any(row.startswith("| `leaks`") for row in rows)  # it is every source's


def test_a_marker_that_names_nothing_is_refused():
    with pytest.raises(InputError, match="<!-- keys: modl -->: known: "):
        with_tables("<!-- keys: modl -->\n<!-- end of keys -->\n")
