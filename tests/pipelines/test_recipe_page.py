"""docs/recipe.md says what the schemas say."""

from pathlib import Path

import pytest

from saccade.models import TASKS, find_task
from saccade.models.errors import InputError
from saccade.models.options import Incidental, Options
from saccade.pipelines.data.formats import SOURCES, find_source
from saccade.pipelines.recipe.optimizer_options import Constant, Step
from saccade.pipelines.recipe.page import table, table_of_kinds, tables, with_tables
from saccade.pipelines.recipe.shipped import schemas_of

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def test_the_page_has_the_tables_of_the_schemas():
    text = PAGE.read_text(encoding="utf-8")
    command = "run: python -m saccade.pipelines.recipe.page docs/recipe.md"
    assert with_tables(text) == text, command


def test_every_table_stands_on_the_page_once():
    text = PAGE.read_text(encoding="utf-8")
    assert {name: text.count(f"<!-- keys: {name} -->\n") for name in tables()} == dict.fromkeys(tables(), 1)
    assert text.count("<!-- keys: ") == text.count("<!-- end of keys -->") == len(tables())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_key_has_a_row(task, source):
    text = PAGE.read_text(encoding="utf-8")
    for schema in schemas_of(find_task(task), find_source(source)).values():
        assert [name for name in schema.model_fields if f"\n| `{name}` | " not in text] == []
    assert f"`{source}`: " in text


@pytest.mark.parametrize("task", TASKS)
def test_what_may_change_when_a_training_is_resumed_is_named(task):
    """Under "Resuming", by its whole name; of the keys of a source what more than one source has."""
    text = PAGE.read_text(encoding="utf-8").partition("### Resuming")[2]
    for section, schema in schemas_of(find_task(task), find_source("folder")).items():
        for name, info in schema.model_fields.items():
            if any(isinstance(mark, Incidental) for mark in info.metadata):
                assert f"`{section}.{name}`" in text


class Plain(Options):
    """Says nothing of its own."""

    name: str = "plain"
    size: int = 3
    """How many | or fewer."""
    given: str
    """What must be given."""


class Rich(Plain):
    """Has
    more."""

    name: str = "rich"
    size: int = 4
    """How many | or fewer."""
    extra: list[str] = []
    """More."""


def test_a_row_is_key_default_and_meaning():
    head = "| key | default | meaning |\n|---|---|---|\n"
    assert table(Plain) == head + "| `size` | `3` | How many \\| or fewer. |\n| `given` |  | What must be given. |\n"
    assert table(Rich, Plain) == head + "| `size` | `4` | How many \\| or fewer. |\n| `extra` | `[]` | More. |\n"


def test_a_row_of_a_kind_is_its_name_its_meaning_and_what_it_has_beside_the_others():
    head = "| name | meaning | keys of its own, with their defaults |\n|---|---|---|\n"
    rows = "| `plain` | Says nothing of its own. |  |\n| `rich` | Has more. | `size` `4`, `extra` `[]` |\n"
    assert table_of_kinds([Plain, Rich], Plain) == head + rows
    assert table_of_kinds([Step], Constant).endswith(" | `at`, `factor` `0.1` |\n")


def test_what_stands_between_markers_is_replaced_and_all_else_left():
    name = "evaluate of detection"
    text = f"before\n<!-- keys: {name} -->\nold\n<!-- end of keys -->\nbehind | x |\n"
    assert with_tables(text) == text.replace("old\n", tables()[name])


def test_a_marker_that_names_nothing_is_refused():
    with pytest.raises(InputError, match="<!-- keys: modl -->: known: "):
        with_tables("<!-- keys: modl -->\n<!-- end of keys -->\n")
