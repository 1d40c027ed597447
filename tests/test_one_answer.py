"""One picture, one answer: in a notebook, by `predict`, in a process with TensorFlow alone, and over HTTP."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import saccade
from saccade.cli import main
from saccade.serving.client import Client

ALONE = """
import json, sys
import tensorflow as tf
bundle = tf.saved_model.load(sys.argv[1])
pictures = [open(path, "rb").read() for path in sys.argv[2:]]
results = bundle.signatures["serving_default"](bytes=tf.constant(pictures))
assert not any(name.startswith("saccade") for name in sys.modules)
print(json.dumps([[float(value) for value in row] for row in results["probabilities"].numpy()]))
"""
TURNED = {  # orientation tag to what was done to the upright picture before it was stored
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
    5: Image.Transpose.TRANSPOSE,
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The same digit: as it is, turned and tagged so, grey, and with alpha."""
    folder = tmp_path_factory.mktemp("pictures")
    upright = Image.fromarray(np.uint8(load_digits().images[7] * 15.9)).resize((20, 24)).convert("RGB")
    upright.save(folder / "0_upright.png")
    for tag, done in TURNED.items():
        exif = Image.Exif()
        exif[0x0112] = tag
        upright.transpose(done).save(folder / f"turned_{tag}.png", exif=exif)
    upright.convert("L").save(folder / "grey.png")
    upright.convert("RGBA").save(folder / "alpha.png")
    upright.save(folder / "other.bmp")
    return sorted(folder.iterdir())


def test_every_way_gives_the_same_probabilities(digits_run, pictures, tmp_path, capsys):
    """Among them that the temperature, which validation chose, is in the bundle."""
    predictor = saccade.load(digits_run)
    expected = np.array([answer["probabilities"] for answer in predictor.predict(pictures)])
    temperature = predictor.settings["temperature"]
    logits = predictor.model.predict_on_batch(predictor.task.input(bytes=[each.read_bytes() for each in pictures])[0])
    exponents = np.exp(logits / temperature)
    assert abs(temperature - 1) > 0.05
    np.testing.assert_allclose(expected, exponents / exponents.sum(axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(expected, np.broadcast_to(expected[0], expected.shape), atol=1e-6)

    assert main(["predict", str(digits_run), *map(str, pictures)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    bundle = saccade.export(digits_run, tmp_path, "digits")
    command = [sys.executable, "-c", ALONE, str(bundle), *map(str, pictures)]
    description = json.loads((bundle / "assets.extra" / "saccade.json").read_text())
    assert description["settings"] == {"temperature": temperature}
    alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    with saccade.serve(bundle, port=0) as server:
        served = Client(server.url, "digits").predict(pictures)
    for answers in ([row["probabilities"] for row in rows], alone, [answer["probabilities"] for answer in served]):
        np.testing.assert_allclose(answers, expected, atol=1e-6)
