"""A small real run that the tests of the jobs share."""

import logging
from pathlib import Path

import pytest

from saccade.pipelines.recipe import load_recipe
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
def digits_run(tmp_path_factory) -> Path:
    """Two epochs of a small network on the digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    return train(load_recipe("digits", [*SMALL, f"train.run={folder}"]))
