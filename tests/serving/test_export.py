import json
import os
import resource
import shutil
import signal
import tempfile
import threading

import numpy as np
import pytest
import tensorflow as tf

from saccade.models.errors import InputError, JobError
from saccade.models.predictor import Predictor
from saccade.models.stopping import Interrupted
from saccade.serving.bundle import Bundle
from saccade.serving.clean_process import write_tensors
from saccade.serving.client import Client
from saccade.serving.export import export
from saccade.serving.proof import prove
from saccade.serving.server import Server


def test_the_bundle_has_what_a_server_and_a_client_need(bundle, predictor, run):
    extra = bundle.folder / "assets.extra"
    assert bundle.folder.name == "1" and bundle.folder.parent.name == "colours"
    assert (extra / "labels.txt").read_text("utf-8") == "red\ngreen\ngrünblau\n"
    assert (extra / "proof" / "samples.jsonl").exists() and (extra / "tf_serving_warmup_requests").exists()
    for each in (run / "proof").glob("*.png"):
        assert (extra / "proof" / each.name).read_bytes() == each.read_bytes()
    told = json.loads((extra / "saccade.json").read_text("utf-8"))
    assert told["name"] == "colours" and told["version"] == 1 and told["task"] == "colour_task:Colour"
    assert told["class_names"] == ["red", "green", "grünblau"] and told["settings"] == {"temperature": 0.5}
    assert told["fingerprint"] == predictor.fingerprint
    assert told["input"]["size"] == 16 and told["input"]["fit"] == "letterbox"
    assert told["signatures"]["serving_default"]["inputs"] == {"bytes": {"dtype": "string", "shape": [None]}}
    assert told["signatures"]["images"]["inputs"] == {"images": {"dtype": "uint8", "shape": [None, None, None, 3]}}
    assert told["signatures"]["images"]["outputs"]["probabilities"] == {"dtype": "float32", "shape": [None, 3]}
    assert told["made_with"]["tensorflow"] == tf.__version__ and set(told["made_with"]) >= {"saccade", "keras"}


def test_the_proof_is_in_the_bundle(bundle):
    proof = bundle.description.proof
    assert proof.samples == 4 and proof.metric == {"accuracy": 1.0}
    assert 0 <= proof.largest_difference <= 1e-5
    assert str(proof).startswith("4 samples equal in a clean process (largest difference ")


def test_nothing_but_the_version_is_left(bundle):
    assert [each.name for each in bundle.folder.parent.iterdir()] == ["1"]


def test_the_next_export_is_the_next_version_and_none_is_overwritten(bundle, make_run, tmp_path, images):
    target = tmp_path / "bundles"
    shutil.copytree(bundle.folder, target / "colours" / "1")
    run = make_run(tmp_path / "run", "Brightness")
    assert export(run, target, "colours") == target / "colours" / "2"
    with pytest.raises(InputError, match="colours/2: exists, and none is overwritten"):
        export(run, target, "colours", version=2)
    newest = Bundle(target / "colours")
    assert newest.version == 2 and list(newest.signature().outputs) == ["brightness"]
    assert Bundle(target / "colours", version=1).fingerprint == bundle.fingerprint != newest.fingerprint
    with Server(newest, port=0) as server:  # a single output is sent without its name; the client knows it
        (answer,) = Client(server.url, "colours").predict(images[:1])
    assert answer == {"brightness": pytest.approx(float(newest.predict(images[:1])[0]["brightness"]))}


def test_a_graph_that_differs_from_the_predictor_leaves_nothing(make_run, tmp_path):
    run = make_run(tmp_path / "run", "Drifting")
    with pytest.raises(JobError, match=r"proof failed: 'probabilities' of serving_default differs by 0\.\d+ \("):
        export(run, tmp_path / "bundles", "m")
    assert not (tmp_path / "bundles").exists()


def test_a_graph_that_needs_python_leaves_nothing(make_run, tmp_path):
    run = make_run(tmp_path / "run", "InPython")
    with pytest.raises(JobError, match=r"^proof failed: the SavedModel does not run by itself: .+$"):
        export(run, tmp_path / "bundles", "m")
    assert not (tmp_path / "bundles").exists()


def test_a_full_disk_while_the_weights_are_saved_leaves_nothing(run, tmp_path):
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
    try:
        with pytest.raises(InputError, match="bundles/m/1: no room to write it"):
            export(run, tmp_path / "bundles", "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert not (tmp_path / "bundles").exists()


def test_a_run_without_proof_samples_or_no_run_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="missing: no such run"):
        export(tmp_path / "missing", tmp_path / "bundles", "m")
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("proof"))
    with pytest.raises(InputError, match="no proof samples .* 'train' leaves them"):
        export(tmp_path / "run", tmp_path / "bundles", "m")
    assert not (tmp_path / "bundles").exists()


def test_a_proof_sample_that_is_no_image_is_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "proof" / "1.jpeg").write_bytes(b"this is text")
    with pytest.raises(InputError, match="proof samples, sample 1.jpeg alone: not an image"):
        export(tmp_path / "run", tmp_path / "bundles", "m")
    assert not (tmp_path / "bundles").exists()


def test_a_finished_bundle_proves_itself_again_until_its_weights_change(bundle, tmp_path):
    assert prove(bundle.folder).samples == 4
    copy = shutil.copytree(bundle.folder, tmp_path / "1")
    (weights,) = (copy / "variables").glob("*.data*")
    stored = bytearray(weights.read_bytes())
    kernel = np.eye(3, dtype=np.float32)
    at = stored.index(kernel.tobytes())
    stored[at : at + kernel.nbytes] = (kernel * 2).tobytes()
    weights.write_bytes(stored)
    with pytest.raises(JobError, match="proof failed"):
        prove(copy)


def test_only_a_bundle_with_a_proof_can_be_proven(tmp_path, bundle):
    with pytest.raises(InputError, match="not a bundle"):
        prove(tmp_path)
    copy = shutil.copytree(bundle.folder, tmp_path / "1")
    (copy / "assets.extra" / "proof" / "expected.npz").unlink()
    with pytest.raises(InputError, match="carries no proof"):
        prove(copy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_amid_the_proof_leaves_nothing(run, tmp_path, number, monkeypatch):
    """A signal to the job while the clean process works: neither the bundle nor what was exchanged stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "exchange"))
    (tmp_path / "exchange").mkdir()
    timer = None

    def write_then_stop(file, groups):
        nonlocal timer
        write_tensors(file, groups)
        if file.name == "calls.npz":
            timer = threading.Timer(1.0, os.kill, (os.getpid(), number))
            timer.start()

    monkeypatch.setattr("saccade.serving.proof.write_tensors", write_then_stop)
    with pytest.raises(Interrupted) as stopped:
        export(run, tmp_path / "bundles", "colours")
    assert stopped.value.number == number
    assert [each.name for each in tmp_path.rglob("*")] == ["exchange"]


def test_a_target_that_cannot_be_written_is_told_before_the_model_is_loaded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Predictor, "load", None)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="m/1: a file stands here or above: name a folder"):
        export(run, tmp_path / "file", "m")
