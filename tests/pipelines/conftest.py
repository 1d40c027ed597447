"""What the tests of sources and jobs share: real pictures on disk, and a small real run."""

import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.fixture(scope="session")
def encode() -> Callable[[int, str], bytes]:
    """`encode(seed, format)`: a noise picture of 12 x 16 pixels in a format that Pillow writes; no two seeds agree."""

    def encoded(seed: int, kind: str) -> bytes:
        stream = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(stream, kind)
        return stream.getvalue()

    return encoded


@pytest.fixture
def draw(tmp_path: Path, encode: Callable[[int, str], bytes]) -> Callable[..., Path]:
    """`draw(*paths)`: a picture of its own for each path below tmp_path, which is returned."""

    def drawn(*paths: str) -> Path:
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            kind = {"jpg": "JPEG", "jpeg": "JPEG"}.get(file.suffix[1:].lower(), file.suffix[1:].upper())
            file.write_bytes(encode(sum(map(ord, path)) * 1000 + len(path), kind))
        return tmp_path

    return drawn
