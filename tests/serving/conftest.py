"""One real run, exported and proven once, for all tests of this folder."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.models.naming import make_importable
from saccade.models.predictor import WEIGHTS, Predictor
from saccade.serving.bundle import Bundle
from saccade.serving.export import export
from saccade.serving.server import Server

make_importable(Path(__file__).parent)
make_importable(Path(__file__).parent.parent)  # pixel_task.py

NAMES = ("red", "green", "grünblau")


def encode(pixels: np.ndarray, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def image(strongest: int, seed: int, size=(12, 20)) -> np.ndarray:
    """Noise that is brighter in one channel, uint8."""
    pixels = np.random.default_rng(seed).integers(0, 90, (*size, 3))
    pixels[..., strongest] += 100
    return pixels.astype(np.uint8)


def write_run(folder: Path, task: str = "Colour") -> Path:
    """A finished run as `train` leaves it: predictor.json, best weights, proof samples of mixed sizes and formats."""
    import colour_task

    (folder / "proof").mkdir(parents=True)
    model_options, input_options = colour_task.options()
    made = getattr(colour_task, task)(NAMES, model_options, input_options)
    predictor = Predictor(made, made.model())
    predictor.describe(folder, f"colour_task:{task}", [str(Path(__file__).parent)])
    predictor.model.save_weights(folder / WEIGHTS)
    lines = []
    for i, format in enumerate(("PNG", "JPEG", "BMP", "PNG")):
        file = f"{i}.{format.lower()}"
        (folder / "proof" / file).write_bytes(encode(image(i % 3, i, (10 + i, 20 - i)), format))
        raw = {"bytes": {"file": file}}
        lines.append(json.dumps({"key": f"test/{file}", "raw": raw, "truth": {"label": i % 3}}))
    (folder / "proof" / "samples.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def make_run() -> Callable[[Path, str], Path]:
    """Writes a run of another of colour_task's tasks."""
    return write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def predictor(run) -> Predictor:
    return Predictor.load(run)


@pytest.fixture(scope="session")
def bundle(run, tmp_path_factory) -> Bundle:
    return Bundle(export(run, tmp_path_factory.mktemp("bundles"), "colours"))


@pytest.fixture(scope="session")
def server(bundle):
    with Server(bundle, port=0) as server:
        yield server


@pytest.fixture(scope="session")
def images() -> list[bytes]:
    """Encoded images of several sizes, with the index of the strongest channel in turn."""
    return [encode(image(i % 3, 100 + i, (8 + i, 16))) for i in range(6)]
