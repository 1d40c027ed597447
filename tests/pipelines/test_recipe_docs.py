"""The page about recipes names every key, and shows recipes that are sound."""

import re
from typing import get_args

import pytest
import yaml

from saccade.models.contract import ModelOptions
from saccade.models.options import Options
from saccade.pipelines.data.source import DataOptions
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.recipe.train_options import ExportOptions, TrainOptions


def keys(schema: type[Options]) -> set[str]:
    names, waiting, seen = set(), [schema], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, Options) and each not in seen:  # an optimizer holds optimizers
            seen.add(each)
            names |= set(each.model_fields)
            waiting += [info.annotation for info in each.model_fields.values()]
        waiting += get_args(each)
    return names


def schemas():
    from saccade.models import TASKS, find_task
    from saccade.pipelines.data.formats import SOURCES, find_source

    for name in TASKS:
        yield from find_task(name).sections().values()
    yield from (find_source(name).Options for name in SOURCES)
    yield from (ModelOptions, DataOptions, TrainOptions, ExportOptions)


@pytest.mark.parametrize("schema", list(schemas()), ids=lambda schema: schema.__name__)
def test_every_key_is_documented(schema, root):
    page = (root / "docs" / "recipe.md").read_text()
    assert {key for key in keys(schema) if f"`{key}`" not in page} == set()


def test_the_recipe_in_the_readme_is_sound(root, tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", (root / "README.md").read_text(), re.S)
    path = tmp_path / "readme.yaml"
    path.write_text(text)
    recipe = load_recipe(path)
    assert recipe.train.head.epochs == yaml.safe_load(text)["train"]["head"]["epochs"]
