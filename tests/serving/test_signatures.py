"""Several signatures the whole way: exported, proven, served over REST, asked for by the client."""

import base64
import io
import json
import urllib.request

import numpy as np
import pixel_task
import pytest
import tensorflow as tf
from PIL import Image
from pixel_task import png

from saccade.models.errors import InputError, JobError
from saccade.models.inputs.image import header as image_header
from saccade.models.predictor import Predictor
from saccade.serving.bundle import Bundle
from saccade.serving.client import Client
from saccade.serving.endpoints import Endpoints, Limits
from saccade.serving.export import export
from saccade.serving.proof import prove
from saccade.serving.server import Server

SIZES = [(12, 20), (24, 9), (17, 17)]


@pytest.fixture(scope="module")
def pixels(tmp_path_factory) -> Bundle:
    run = pixel_task.write_run(tmp_path_factory.mktemp("pixels") / "run", pixel_task.Pixels, SIZES)
    return Bundle(export(run, run.parent / "bundles", "pixels"))


@pytest.fixture(scope="module")
def served(pixels):
    with Server(pixels, port=0) as server:
        yield server


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    return [png(*size, 10 + number) for number, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def masks(images) -> list[np.ndarray]:
    """What the Predictor says, each mask at its own size."""
    task = pixel_task.make()
    return [each["mask"] for each in Predictor(task, task.model()).predict(images)]


def ask(server, content) -> dict:
    request = urllib.request.Request(f"{server.url}/v1/models/pixels:predict", json.dumps(content).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def read_png(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_every_signature_is_exported_and_proven(pixels):
    outputs = {name: list(each.outputs) for name, each in pixels.description.signatures.items()}
    assert outputs == {
        "serving_default": ["mask", "size"],
        "png": ["mask_png_bytes"],
        "probabilities": ["mask", "size", "probabilities"],
        "images": ["mask", "size"],
    }
    assert pixels.description.proof.samples == 3 and pixels.description.proof.metric == {"accuracy": 1.0}
    assert prove(pixels.folder).samples == 3
    expected = np.load(pixels.folder / "assets.extra" / "proof" / "expected.npz")
    assert {name for name in outputs if any(f"|{name}|" in key for key in expected)} == set(outputs)


def test_a_signature_whose_results_differ_leaves_nothing(tmp_path):
    run = pixel_task.write_run(tmp_path / "run", pixel_task.DriftingPng, SIZES)
    message = r"^proof failed: 'mask_png_bytes' of png differs in 3 of 3 values \(all samples in one batch\)$"
    with pytest.raises(JobError, match=message):
        export(run, tmp_path / "bundles", "m")
    assert not (tmp_path / "bundles").exists()


def test_the_bundle_runs_each_signature(pixels, images, masks):
    batch = {"bytes": np.array(images, object)}
    padded = pixels.run(batch)
    assert padded["mask"].shape == (3, 24, 20) and padded["size"].tolist() == [list(size) for size in SIZES]
    likely = pixels.run(batch, signature="probabilities")
    np.testing.assert_array_equal(likely["mask"], padded["mask"])
    for place, mask in enumerate(masks):
        height, width = mask.shape
        np.testing.assert_array_equal(padded["mask"][place, :height, :width], mask)
        assert (padded["mask"][place, height:] == 255).all() and (padded["mask"][place, :, width:] == 255).all()
        np.testing.assert_array_equal(likely["probabilities"][place, :height, :width].argmax(-1), mask)
        assert (likely["probabilities"][place, height:] == 0).all()
    for each, mask in zip(pixels.predict(images, batch=2, signature="png"), masks, strict=True):
        np.testing.assert_array_equal(read_png(each["mask_png_bytes"]), mask)


@pytest.mark.parametrize("signature", ["serving_default", "png", "probabilities"])
def test_no_images_give_no_results(pixels, signature):
    for name, value in pixels.run({"bytes": np.array([], object)}, signature).items():
        assert len(value) == 0, name


def test_rest_gives_padded_masks_and_sizes(served, images, masks):
    answers = Client(served.url, "pixels").predict(images)
    for answer, mask in zip(answers, masks, strict=True):
        height, width = answer["size"]
        assert np.shape(answer["mask"]) == (24, 20) and (height, width) == mask.shape
        np.testing.assert_array_equal(np.array(answer["mask"])[:height, :width], mask)


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_the_client_gives_a_png_each(served, images, masks, batch):
    answers = Client(served.url, "pixels").predict(images, batch, signature="png")
    assert [each.keys() for each in answers] == [{"mask_png_bytes"}] * 3
    for answer, mask in zip(answers, masks, strict=True):
        np.testing.assert_array_equal(read_png(answer["mask_png_bytes"]), mask)


def test_rest_encodes_bytes_in_both_forms(served, images, pixels):
    import base64

    rows = [{"b64": base64.b64encode(each).decode()} for each in images]
    expected = [
        {"b64": base64.b64encode(each["mask_png_bytes"]).decode()} for each in pixels.predict(images, signature="png")
    ]
    assert ask(served, {"signature_name": "png", "instances": rows}) == {"predictions": expected}
    assert ask(served, {"signature_name": "png", "inputs": {"bytes": rows}}) == {"outputs": expected}


def test_the_server_lists_its_signatures(served):
    listed = Client(served.url, "pixels").metadata["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "png", "probabilities", "images"} <= listed.keys()
    assert list(listed["png"]["outputs"]) == ["mask_png_bytes"]
    with urllib.request.urlopen(served.url, timeout=60) as response:
        about = response.read().decode()
    assert "png: bytes to mask_png_bytes\n" in about and "images: images to mask, size\n" in about


def test_an_unknown_signature_is_told_with_the_nearest(served, images):
    with pytest.raises(InputError, match="pixels has no signature 'pgn': did you mean png"):
        Client(served.url, "pixels").predict(images, signature="pgn")


def test_a_request_in_several_calls_is_answered_as_in_one(pixels, images, monkeypatch):
    """Calls of one image each against the graph's own answer for all: what is beside the smaller ones, too."""
    encoded = np.array(images, object)
    graph = tf.saved_model.load(str(pixels.folder)).signatures
    monkeypatch.setattr(image_header, "_MAX_NATIVE_PIXELS", 1)
    for name in ("serving_default", "probabilities", "png"):
        right = graph[name](bytes=tf.constant(images))
        got = pixels.run({"bytes": encoded}, name)
        assert got.keys() == right.keys()
        for key, value in got.items():
            assert value.dtype == right[key].numpy().dtype
            if value.dtype.kind != "f":
                np.testing.assert_array_equal(value, right[key])
                continue
            np.testing.assert_allclose(value, right[key], atol=1e-5)


@pytest.mark.parametrize("signature", ["serving_default", "png", "probabilities", "images"])
def test_no_images_have_no_masks(served, signature):
    assert ask(served, {"signature_name": signature, "instances": []}) == {"predictions": []}


@pytest.mark.parametrize(
    "content, message",
    [
        ({"instances": [""] * 5}, "5 instances; this server takes at most 4 in a request"),
        ({"instances": [(20, 20)] * 2}, "0.0008 megapixels of images; this server takes at most 0.0007"),
        ({"instances": [(9, 10)]}, "instance 0 has 9e-05 megapixels; this server takes at most 8.7e-05 in an image"),
        ({"instances": [(80, 1), (1, 80)]}, "the answer would have 0.0128 million values"),
        ({"signature_name": "images", "instances": [np.zeros((10, 9, 3), int).tolist()]}, "instance 0 has 9e-05"),
    ],
)
def test_requests_beyond_the_limits_are_refused_with_the_limit(pixels, content, message):
    rows = [
        {"b64": base64.b64encode(png(*each, 0)).decode()} if isinstance(each, tuple) else each
        for each in content["instances"]
    ]
    endpoints = Endpoints(pixels, "http://here", Limits(images=4, pixels=700))
    body = json.dumps(content | {"instances": rows}).encode()
    answer = endpoints.answer("POST", "/v1/models/pixels:predict", body)
    assert answer.status == 413 and message in json.loads(answer.body)["error"]


def test_what_the_limits_allow_is_answered(pixels):
    """Tall and wide: their masks in one frame are too much, their PNGs are not."""
    rows = [{"b64": base64.b64encode(png(*each, 0)).decode()} for each in ((80, 1), (1, 80))]
    endpoints = Endpoints(pixels, "http://here", Limits(images=4, pixels=700))
    body = json.dumps({"signature_name": "png", "instances": rows}).encode()
    answer = endpoints.answer("POST", "/v1/models/pixels:predict", body)
    assert answer.status == 200
    masks = [read_png(base64.b64decode(each["b64"])) for each in json.loads(answer.body)["predictions"]]
    assert [each.shape for each in masks] == [(80, 1), (1, 80)]
