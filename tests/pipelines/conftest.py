"""Real pictures on disk for the tests of sources, splits and the check."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.models.naming import make_importable

make_importable(Path(__file__).parent.parent)  # pixel_task.py


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


@pytest.fixture(scope="session")
def sets(tmp_path_factory) -> Path:
    """A folder of sets that TFDS prepared; see tfds_sets.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import tfds_sets

    folder = tmp_path_factory.mktemp("tfds")
    tfds_sets.prepare(folder)
    return folder
