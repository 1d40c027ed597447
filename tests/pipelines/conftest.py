"""A small real run that the tests of the jobs share."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.pipelines.recipe import Recipe, load_recipe
from saccade.pipelines.train import train

SMALL = (
    "input.size=16",
    "train.epochs=2",
    "train.batch=64",
    "augment=[{Affine: {rotate: [-10, 10], p: 0.5}}]",
)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """The check of the data remembers what it saw; tests have a memory of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def quiet_progress(caplog) -> None:
    caplog.set_level(logging.INFO, logger="saccade")


@pytest.fixture(scope="session")
def digits_recipe() -> Callable[..., Recipe]:
    """A function from overrides to a recipe that trains a small network on the digits for two epochs."""
    return lambda *overrides: load_recipe("digits", [*SMALL, *overrides])


@pytest.fixture(scope="session")
def digits_run(digits_recipe, tmp_path_factory) -> Path:
    """The run of that recipe."""
    return train(digits_recipe(f"train.run={tmp_path_factory.mktemp('runs') / 'digits'}"))
