import base64
import http.client
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from saccade.models.errors import InputError
from saccade.quiet import log_to_stderr
from saccade.serving.bundle import Bundle
from saccade.serving.endpoints import Endpoints, Limits
from saccade.serving.server import Server

PREDICT = "/v1/models/colours:predict"


def ask(server, method, path, body=None, headers=None):
    """Status, headers and content of one request."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        content = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, content, headers or {})
        response = connection.getresponse()
        data = response.read()
        told = json.loads(data) if response.headers["Content-Type"] == "application/json" and data else data.decode()
        return response.status, response.headers, told
    finally:
        connection.close()


def predict(server, body, path=PREDICT):
    status, _, told = ask(server, "POST", path, body)
    return status, told


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="module")
def expected(predictor, images):
    """The Predictor's results, as JSON gives them."""
    return [
        {
            "probabilities": pytest.approx(each["probabilities"].tolist(), abs=1e-6),
            "label": int(each["label"]),
            "class_name": each["class_name"].decode(),
            "raw_bytes": b64(each["raw_bytes"]),
            "size": each["size"].tolist(),
        }
        for each in predictor.predict(images)
    ]


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/colours/versions/1:predict"])
def test_rows_are_answered_as_the_predictor_does(server, images, expected, path):
    assert predict(server, {"instances": [b64(each) for each in images]}, path) == (200, {"predictions": expected})
    rows = [{"bytes": b64(each)} for each in images]
    assert predict(server, {"signature_name": "serving_default", "instances": rows}, path)[1]["predictions"] == expected


def test_columns_are_answered_as_the_predictor_does(server, images, expected):
    columns = {name: [each[name] for each in expected] for name in expected[0]}
    for inputs in ({"bytes": [b64(each) for each in images]}, [b64(each) for each in images]):
        status, told = predict(server, {"inputs": inputs})
        assert status == 200 and told["outputs"].keys() == columns.keys()
        for name, values in columns.items():
            assert told["outputs"][name] == values


def test_no_instances_have_no_answers(server):
    empty = {"probabilities": [], "label": [], "class_name": [], "raw_bytes": [], "size": []}
    assert predict(server, {"inputs": {"bytes": []}}) == (200, {"outputs": empty})
    assert predict(server, {"instances": []}) == (200, {"predictions": []})
    assert predict(server, {"signature_name": "images", "instances": []}) == (200, {"predictions": []})


def test_decoded_images_are_answered_alike(server, images, expected, predictor):
    for image, row in zip(images, expected, strict=True):
        pixels = predictor.task.input.show({"bytes": image}).tolist()
        told = predict(server, {"signature_name": "images", "instances": [pixels]})
        assert told == (200, {"predictions": [row]})


def test_status_and_metadata_are_tf_servings(server):
    status, _, told = ask(server, "GET", "/v1/models/colours")
    version = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (status, told) == (200, {"model_version_status": [version]})
    assert ask(server, "GET", "/v1/models/colours/versions/1")[2] == told
    status, _, told = ask(server, "GET", "/v1/models/colours/metadata")
    assert status == 200 and told["model_spec"] == {"name": "colours", "signature_name": "", "version": "1"}
    signatures = told["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert signatures["serving_default"]["inputs"]["bytes"]["dtype"] == "DT_STRING"
    shape = signatures["images"]["inputs"]["images"]["tensor_shape"]
    assert [each["size"] for each in shape["dim"]] == ["-1", "-1", "-1", "3"] and shape["unknown_rank"] is False


def test_the_front_page_says_what_is_served(server, bundle):
    status, headers, told = ask(server, "GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "colours version 1" in told and "3 classes (red, green, grünblau)" in told and bundle.fingerprint in told
    assert f"curl -d @- {server.url}{PREDICT}" in told


BAD = [
    ("POST", "/v1/models/other:predict", "{}", 404, "Servable not found for request: Latest(other); this server has"),
    ("POST", "/v1/models/colours/versions/7:predict", "{}", 404, "not found for request: Specific(colours, 7)"),
    ("GET", "/v1/models/other", None, 404, "Servable not found"),
    ("GET", "/v1/models", None, 404, "this server has /v1/models/colours; / tells more"),
    ("GET", "/favicon.ico", None, 404, "nothing at /favicon.ico"),
    ("GET", PREDICT, None, 405, "GET is not offered at this address: use POST"),
    ("POST", "/v1/models/colours", "{}", 405, "use GET"),
    ("DELETE", "/v1/models/colours", None, 405, "DELETE is not offered"),
    ("PURGE", "/v1/models/colours", None, 405, "Unsupported method"),
    ("POST", "/v1/models/colours:classify", "{}", 400, "'classify' is not offered by this model"),
    ("POST", PREDICT, "{", 400, "the body is not JSON"),
    ("POST", PREDICT, '{"instances": [5]}', 400, "instances[0]: expected a string"),
    (
        "POST",
        PREDICT,
        '{"instances": [""], "signature_name": "image"}',
        400,
        "colours has no signature 'image': did you mean images?",
    ),
]


@pytest.mark.parametrize("method, path, body, status, message", BAD)
def test_wrong_requests_are_told_in_one_line(server, bundle, method, path, body, status, message):
    got, headers, told = ask(server, method, path, body)
    assert got == status and message in told["error"] and "\n" not in told["error"]
    assert headers["X-Saccade-Fingerprint"] == bundle.fingerprint
    assert "Python" not in headers["Server"]


def test_every_answer_has_the_fingerprint(server, bundle, images):
    for method, path, body in (("GET", "/", None), ("POST", PREDICT, {"inputs": [b64(images[0])]})):
        assert ask(server, method, path, body)[1]["X-Saccade-Fingerprint"] == bundle.fingerprint


def test_bad_images_among_good_ones_are_named(server, images):
    broken = images[1][: len(images[1]) // 2]
    status, told = predict(server, {"instances": [b64(images[0]), b64(broken), b64(b""), b64(images[2])]})
    assert status == 400
    assert told["error"] == "instances[1]: truncated or broken PNG; instances[2]: empty: 0 bytes"
    status, told = predict(server, {"inputs": {"bytes": ["no image"]}})
    assert status == 400 and told["error"].startswith("inputs.bytes[0]: not an image")


def test_a_fault_inside_is_logged_and_not_told_to_the_client(bundle, tmp_path, caplog):
    copy = shutil.copytree(bundle.folder, tmp_path / "1")
    with Server(Bundle(copy), port=0) as server:
        (copy / "saved_model.pb").unlink()
        status, _, told = ask(server, "GET", "/v1/models/colours/metadata")
    assert (status, told) == (500, {"error": "internal error; the server's log says more"})
    assert "FileNotFoundError" in caplog.text and str(tmp_path) in caplog.text


def test_the_log_of_the_command_shows_where_a_fault_is(bundle, tmp_path, capsys, monkeypatch):
    """What `saccade serve` writes on stderr is the log that the client is told of."""
    log = logging.getLogger("saccade")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", True)
    before = log.level
    log_to_stderr(always=True)
    copy = Bundle(shutil.copytree(bundle.folder, tmp_path / "1"))
    (copy.folder / "saved_model.pb").unlink()
    answer = Endpoints(copy, "http://here").answer("GET", "/v1/models/colours/metadata")
    log.setLevel(before)
    assert answer.status == 500 and json.loads(answer.body)["error"].endswith("the server's log says more")
    told = capsys.readouterr().err
    assert "error: GET /v1/models/colours/metadata failed" in told
    assert "Traceback" in told and "FileNotFoundError" in told and str(copy.folder) in told


@pytest.mark.parametrize(
    "cut", ["no saved_model.pb", "half a saved_model.pb", "no variables", "no sample", "description"]
)
def test_the_newest_whole_version_is_served(bundle, tmp_path, caplog, images, cut):
    for number in ("1", "0003"):
        shutil.copytree(bundle.folder, tmp_path / number)
    broken = tmp_path / "0003"
    saved, variables = broken / "saved_model.pb", broken / "variables" / "variables.data-00000-of-00001"
    if cut == "no saved_model.pb":
        saved.unlink()
    elif cut == "half a saved_model.pb":
        saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    elif cut == "no variables":
        variables.write_bytes(variables.read_bytes()[:10])
    elif cut == "no sample":
        next((broken / "assets.extra" / "proof").glob("*.png")).unlink()
    else:
        (broken / "assets.extra" / "saccade.json").write_text("{")
    with Server(Bundle(tmp_path), port=0) as server:
        assert ask(server, "GET", "/v1/models/colours")[2]["model_version_status"][0]["version"] == "1"
        assert predict(server, {"instances": [b64(images[0])]}, "/v1/models/colours/versions/1:predict")[0] == 200
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert str(broken) in warning and "version 1 is" in warning
    with pytest.raises(InputError), Server(Bundle(tmp_path, version=3), port=0):
        pass


def test_the_version_is_the_folders_number(bundle, tmp_path):
    copy = Bundle(shutil.copytree(bundle.folder, tmp_path / "colours" / "0007").parent)
    endpoints = Endpoints(copy, "http://here")
    assert copy.version == 7 and copy.description.version == 1
    assert json.loads(endpoints.answer("GET", "/v1/models/colours/versions/7").body)["model_version_status"]
    assert endpoints.answer("GET", "/v1/models/colours/versions/1").status == 404
    assert json.loads(endpoints.answer("GET", "/v1/models/colours/metadata").body)["model_spec"]["version"] == "7"


def test_thousands_of_instances_are_refused(server, images):
    status, told = predict(server, {"instances": [b64(images[0])] * 1025})
    assert (status, told["error"][:63]) == (413, "1025 instances; this server takes at most 1024 in a request: se")
    status, told = predict(server, {"instances": [b64(images[i % 6]) for i in range(100)]})
    assert status == 200 and [each["label"] for each in told["predictions"]] == [i % 3 for i in range(100)]


LIGHT = """
import logging, sys, threading, time
import numpy as np
from saccade.serving.bundle import Bundle
from saccade.serving.server import Server

class Light(Bundle):  # all is real but the graph: TensorFlow takes seconds to start
    def warm_up(self):
        pass

    def run(self, inputs, signature="serving_default"):
        time.sleep(float(inputs["bytes"][0]))
        return {"x": np.zeros(len(inputs["bytes"]), np.float32)}

for _ in range(3):  # other threads, to one of which the system may give the signal
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
server = Server(Light(sys.argv[1]), port=0)
logging.getLogger("saccade").addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger("saccade").setLevel("INFO")
number = server.run()
assert "tensorflow" not in sys.modules
sys.exit(number)
"""


@pytest.fixture
def light(bundle, root):
    """`light()`: a process that serves the bundle without its graph, and its address."""
    started = []

    def start():
        command = [sys.executable, "-u", "-c", LIGHT, str(bundle.folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        started.append(process)
        port = int(process.stdout.readline().rpartition(":")[2])
        return process, ("127.0.0.1", port)

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def asked(address, seconds):
    """A connection that has sent a request which takes so long."""
    connection = socket.create_connection(address, timeout=60)
    body = json.dumps({"instances": [str(seconds)]}).encode()
    connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT] * 3)
def test_a_signal_under_load_ends_the_server_and_every_request_is_answered(light, number):
    process, address = light()
    told = []

    def client():
        while True:
            try:
                connection = asked(address, 0.03)
            except OSError as error:
                told.append(type(error))
                return
            with connection:
                told.append(connection.makefile("rb").read()[:12])

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    while len(told) < 8:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(60) == number
    for each in clients:
        each.join(60)
    assert set(told) == {b"HTTP/1.1 200", ConnectionRefusedError}


def test_a_second_signal_ends_the_server_at_once(light):
    process, address = light()
    with asked(address, 600):
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert any("stopping" in line for line in process.stdout)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_many_at_once_get_the_answers_of_one_after_the_other(server, images):
    one_by_one = [predict(server, {"instances": [b64(each)]})[1]["predictions"][0] for each in images]

    def five(first):
        order = [(first + i) % len(images) for i in range(5)]
        return [(i, predict(server, {"instances": [b64(images[i])]})) for i in order]

    with ThreadPoolExecutor(8) as pool:
        answers = [each for some in pool.map(five, range(8)) for each in some]
    assert len(answers) == 40
    for i, (status, told) in answers:
        near = pytest.approx(one_by_one[i]["probabilities"])
        assert status == 200 and told["predictions"] == [{**one_by_one[i], "probabilities": near}]


def test_bodies_that_are_too_large_or_of_unknown_length(bundle):
    with Server(bundle, port=0, limits=Limits(bytes=1000)) as server:
        status, _, told = ask(server, "POST", PREDICT, b"x" * 3000)
        assert status == 413 and told["error"].startswith("the body has 3000 bytes; this server takes at most")
        status, _, told = ask(server, "POST", PREDICT, iter([b"{}"]), {"Transfer-Encoding": "chunked"})
        assert status == 411 and "Content-Length" in told["error"]
        assert ask(server, "POST", PREDICT, b"x" * 1000)[0] == 400


def test_a_stop_finishes_what_is_in_flight(bundle, images, expected):
    body = json.dumps({"instances": [b64(images[0])]}).encode()
    server = Server(bundle, port=0)
    server.start()
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    with socket.create_connection(address, timeout=20) as idle, socket.create_connection(address, timeout=20) as busy:
        head = ["POST /v1/models/colours:predict HTTP/1.1", f"Content-Length: {len(body)}", "Expect: 100-continue"]
        busy.sendall("\r\n".join([*head, "", ""]).encode())
        assert busy.recv(1000).startswith(b"HTTP/1.1 100")  # from here on it is in flight
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.recv(1) == b""  # who asked nothing is not waited for
        busy.sendall(body)
        response = http.client.HTTPResponse(busy)
        response.begin()
        assert response.status == 200 and json.load(response)["predictions"] == expected[:1]
    stopping.join(20)
    assert not stopping.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run(bundle, number):
    server, former = Server(bundle, port=0), signal.getsignal(number)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()
    assert server.run() == number
    timer.join()
    assert signal.getsignal(number) is former
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((urlsplit(server.url).hostname, urlsplit(server.url).port), timeout=5)


def test_a_port_in_use_is_told(server, bundle):
    port = urlsplit(server.url).port
    with pytest.raises(InputError, match=f"port {port} is in use at 127.0.0.1: stop what uses it, give another port"):
        Server(bundle, port=port)


def test_a_port_is_free_again_after_a_stop(bundle):
    with Server(bundle, port=0) as first:
        assert ask(first, "GET", "/")[0] == 200
    with Server(bundle, port=urlsplit(first.url).port) as second:
        assert second.url == first.url and ask(second, "GET", "/")[0] == 200


@pytest.mark.parametrize("host, port", [("no.such.host.invalid", 0), ("127.0.0.1", 70_000), ("192.0.2.1", 0)])
def test_places_that_cannot_be_served_at_are_told(bundle, host, port):
    with pytest.raises(InputError, match=f"cannot serve at host '{host}', port {port}: ") as told:
        Server(bundle, host, port)
    assert "\n" not in str(told.value)


def test_the_url_and_a_line_to_try_are_logged(bundle, caplog):
    with caplog.at_level("INFO", "saccade"), Server(bundle, port=0) as server:
        pass
    assert f"serving colours version 1 at {server.url}" in caplog.messages
    assert any(f"curl -d @- {server.url}{PREDICT}" in each for each in caplog.messages)
