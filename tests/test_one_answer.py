"""One image, one answer: in a notebook, by `predict`, in a process with TensorFlow alone, over HTTP, in any batch."""

import json
import subprocess
import sys

import numpy as np
import pixel_task
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

import saccade
from saccade.cli import main
from saccade.models.errors import JobError
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client
from saccade.serving.export import export

ALONE = """
import json, sys
import tensorflow as tf
bundle = tf.saved_model.load(sys.argv[1])
images = [open(path, "rb").read() for path in sys.argv[2:]]
results = bundle.signatures["serving_default"](bytes=tf.constant(images))
assert not any(name.startswith("saccade") for name in sys.modules)
print(json.dumps([[float(value) for value in row] for row in results["probabilities"].numpy()]))
"""
TURNED = {  # orientation tag to what was done to the upright image before it was stored
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
    5: Image.Transpose.TRANSPOSE,
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """The same digit: as it is, turned and tagged so, grey, and with alpha."""
    folder = tmp_path_factory.mktemp("images")
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


def test_every_way_gives_the_same_probabilities(digits_run, images, tmp_path, capsys):
    """Among them that the temperature, which validation chose, is in the bundle."""
    predictor = saccade.load(digits_run)
    expected = np.array([answer["probabilities"] for answer in predictor.predict(images)])
    temperature = predictor.settings["temperature"]
    logits = predictor.model.predict_on_batch(predictor.task.input(bytes=[each.read_bytes() for each in images])[0])
    exponents = np.exp(logits / temperature)
    assert abs(temperature - 1) > 0.05
    np.testing.assert_allclose(expected, exponents / exponents.sum(axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(expected, np.broadcast_to(expected[0], expected.shape), atol=1e-6)

    assert main(["predict", str(digits_run), *map(str, images)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    bundle = saccade.export(digits_run, tmp_path, "digits")
    command = [sys.executable, "-c", ALONE, str(bundle), *map(str, images)]
    description = json.loads((bundle / "assets.extra" / "saccade.json").read_text())
    assert description["settings"] == {"temperature": temperature}
    alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    with saccade.serve(bundle, port=0) as server:
        served = Client(server.url, "digits").predict(images)
    for answers in ([row["probabilities"] for row in rows], alone, [answer["probabilities"] for answer in served]):
        np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_images_of_three_sizes_are_answered_as_each_alone(tmp_path):
    """With `fit: pad` a network sees what fills a batch; its weights are random, so that this shows."""
    run = pixel_task.write_run(tmp_path / "run", pixel_task.Overall)
    images = [pixel_task.png(*size, seed) for seed, size in enumerate([(9, 30), (26, 11), (17, 17)], 40)]
    predictor, bundle = saccade.load(run), Bundle(export(run, tmp_path / "bundles", "pixels"))
    alone = [bundle.run({"bytes": np.array([each], object)}, "probabilities") for each in images]

    tensors, geometry = predictor.task.input(bytes=images)
    naive = predictor.task.results(predictor.model(tensors), geometry, predictor.settings)["probabilities"].numpy()
    assert max(np.abs(naive[i][: each.shape[1], : each.shape[2]] - each[0]).max() for i, each in _maps(alone)) > 0.01

    graph = tf.saved_model.load(str(bundle.folder)).signatures["probabilities"]
    together = {
        "the graph": graph(bytes=tf.constant(images))["probabilities"].numpy(),
        "the bundle": bundle.run({"bytes": np.array(images, object)}, "probabilities")["probabilities"],
    }
    with saccade.serve(bundle.folder, port=0) as server:
        answers = Client(server.url, "pixels").predict(images, signature="probabilities")
    together["REST"] = [np.array(each["probabilities"]) for each in answers]
    for way, maps in together.items():
        for i, one in _maps(alone):
            height, width = one.shape[1:3]
            np.testing.assert_allclose(maps[i][:height, :width], one[0], atol=1e-5, err_msg=way)
            assert (maps[i][height:] == 0).all() and (maps[i][:, width:] == 0).all()
    for one, answer in zip(alone, answers, strict=True):
        height, width = answer["size"]
        np.testing.assert_array_equal(np.array(answer["mask"])[:height, :width], one["mask"][0])


def _maps(alone):
    return list(enumerate(each["probabilities"] for each in alone))


def test_an_answer_that_depends_on_its_batch_fails_the_proof(tmp_path):
    run = pixel_task.write_run(tmp_path / "run", pixel_task.Mingling)
    with pytest.raises(JobError, match="sample .*png alone is answered otherwise than in a batch, by (0.[0-9]|1:)"):
        export(run, tmp_path / "bundles", "pixels")
    assert not (tmp_path / "bundles").exists()
