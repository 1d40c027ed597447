"""Real images on disk for the tests of sources, splits and the check."""

import importlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.models.inputs.image.files import read_image
from saccade.models.naming import make_importable
from saccade.pipelines.data.source import Source

make_importable(Path(__file__).parent.parent)  # pixel_task.py, mask_images.py


@pytest.fixture(scope="session")
def encode() -> Callable[[int, str], bytes]:
    """`encode(seed, format)`: a noise image of 12 x 16 pixels in a format that Pillow writes; no two seeds agree."""

    def encoded(seed: int, kind: str) -> bytes:
        stream = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(stream, kind)
        return stream.getvalue()

    return encoded


@pytest.fixture
def draw(tmp_path: Path, encode: Callable[[int, str], bytes]) -> Callable[..., Path]:
    """`draw(*paths)`: an image of its own for each path below tmp_path, which is returned."""

    def drawn(*paths: str) -> Path:
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            kind = {"jpg": "JPEG", "jpeg": "JPEG"}.get(file.suffix[1:].lower(), file.suffix[1:].upper())
            file.write_bytes(encode(sum(map(ord, path)) * 1000 + len(path), kind))
        return tmp_path

    return drawn


@pytest.fixture(scope="session")
def named() -> Callable[..., list]:
    """`named(files)`: the name of each, and what reads it, as `Input.find` gives them; they need not be there."""
    return lambda files: [(str(file), lambda file=str(file): {"bytes": read_image(file)}) for file in files]


class Pairs:
    """Which mask files lie behind the samples of a source, told by the pixels that `mark` gave them."""

    @staticmethod
    def number(path: str) -> int:
        return 1 + sum(map(ord, path)) % 15

    def __call__(self, source: Source, *paths: str) -> bool:
        """Whether the masks of the source's samples are these, in its order."""
        found = [int(source.truth(at)["mask"][0].sum()) for at in range(len(source))]
        return found == [self.number(path) for path in paths]


@pytest.fixture
def pairs() -> Pairs:
    return Pairs()


@pytest.fixture
def mark(tmp_path: Path, pairs: Pairs) -> Callable[..., Path]:
    """`mark(*paths)`: for each path below tmp_path, which is returned, a 0/255 mask of 12 x 16 pixels, whose first row
    has a number of foreground pixels of its own (`pairs.number`)."""

    def marked(*paths: str) -> Path:
        for path in paths:
            pixels = np.zeros((12, 16), np.uint8)
            pixels[0, : pairs.number(path)] = 255
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
        return tmp_path

    return marked


@pytest.fixture(scope="session")
def sets(tmp_path_factory) -> Path:
    """A folder of sets that TFDS prepared; see tfds_sets.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import tfds_sets

    folder = tmp_path_factory.mktemp("tfds")
    tfds_sets.prepare(folder)
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Fifty images in two class folders, bright above or below; `below` is rarer. Not to be changed: see `tiny`."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label, count in (("above", 30), ("below", 20)):
        (folder / label).mkdir()
        for number in range(count):
            pixels = random.integers(0, 140, (12, 12, 3), dtype=np.uint8)
            pixels[:6] += np.uint8(90 * (label == "above"))
            pixels[6:] += np.uint8(90 * (label == "below"))
            Image.fromarray(pixels).save(folder / label / f"{number:02}.png")
    return folder


@pytest.fixture
def tiny(photos, digits_recipe, tmp_path) -> Callable:
    """From overrides to a recipe of two epochs of four steps on `photos`: the training for a test that needs its own,
    a third as long as one on the digits. `data.path` may name a changed copy."""
    fixed = ("data={source: folder, validation: 0.3, test: 0.1}", f"data.path={photos}", "train.batch=8", "augment=[]")
    return lambda *overrides: digits_recipe(*fixed, f"train.run={tmp_path / 'run'}", "train.epochs=2", *overrides)


STOP_AT = """
import os, signal, keras

class StopAt(keras.callbacks.Callback):
    steps = 0

    def on_train_batch_begin(self, batch, logs=None):
        StopAt.steps -= 1
        if StopAt.steps == 0:
            os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture
def stop_at(tmp_path, monkeypatch) -> type:
    """A callback of the user's own, `stop_at:StopAt`, in the working folder: Ctrl-C at the start of its `steps`-th
    step from now."""
    (tmp_path / "stop_at.py").write_text(STOP_AT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("stop_at").StopAt


@pytest.fixture
def state_of() -> Callable[[Path], dict[str, np.ndarray]]:
    """All that a training needs to be resumed, from the folder of its run."""

    def state(run: Path) -> dict[str, np.ndarray]:
        with np.load(run / "last.npz") as values:
            return {name: values[name] for name in values if name != "progress"}

    return state
