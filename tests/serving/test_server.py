import base64
import http.client
import json
import os
import shutil
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from saccade.models.errors import InputError
from saccade.serving.bundle import Bundle
from saccade.serving.endpoints import Limits
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
def expected(predictor, pictures):
    """The Predictor's results, as JSON gives them."""
    return [
        {
            "probabilities": pytest.approx(each["probabilities"].tolist(), abs=1e-6),
            "label": int(each["label"]),
            "class_name": each["class_name"].decode(),
            "raw_bytes": b64(each["raw_bytes"]),
            "size": each["size"].tolist(),
        }
        for each in predictor.predict(pictures)
    ]


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/colours/versions/1:predict"])
def test_rows_are_answered_as_the_predictor_does(server, pictures, expected, path):
    assert predict(server, {"instances": [b64(each) for each in pictures]}, path) == (200, {"predictions": expected})
    rows = [{"bytes": b64(each)} for each in pictures]
    assert predict(server, {"signature_name": "serving_default", "instances": rows}, path)[1]["predictions"] == expected


def test_columns_are_answered_as_the_predictor_does(server, pictures, expected):
    columns = {name: [each[name] for each in expected] for name in expected[0]}
    for inputs in ({"bytes": [b64(each) for each in pictures]}, [b64(each) for each in pictures]):
        status, told = predict(server, {"inputs": inputs})
        assert status == 200 and told["outputs"].keys() == columns.keys()
        for name, values in columns.items():
            assert told["outputs"][name] == values


def test_no_instances_have_no_answers(server):
    empty = {"probabilities": [], "label": [], "class_name": [], "raw_bytes": [], "size": []}
    assert predict(server, {"inputs": {"bytes": []}}) == (200, {"outputs": empty})
    assert predict(server, {"instances": []}) == (200, {"predictions": []})
    assert predict(server, {"signature_name": "images", "instances": []}) == (200, {"predictions": []})


def test_decoded_pictures_are_answered_alike(server, pictures, expected, predictor):
    for picture, row in zip(pictures, expected, strict=True):
        pixels = predictor.task.input.decode(picture).numpy().tolist()
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


def test_every_answer_has_the_fingerprint(server, bundle, pictures):
    for method, path, body in (("GET", "/", None), ("POST", PREDICT, {"inputs": [b64(pictures[0])]})):
        assert ask(server, method, path, body)[1]["X-Saccade-Fingerprint"] == bundle.fingerprint


def test_bad_pictures_among_good_ones_are_named(server, pictures):
    broken = pictures[1][: len(pictures[1]) // 2]
    status, told = predict(server, {"instances": [b64(pictures[0]), b64(broken), b64(b""), b64(pictures[2])]})
    assert status == 400
    assert told["error"] == "instances[1]: truncated or broken PNG; instances[2]: empty: 0 bytes"
    status, told = predict(server, {"inputs": {"bytes": ["no picture"]}})
    assert status == 400 and told["error"].startswith("inputs.bytes[0]: not an image")


def test_a_fault_inside_is_logged_and_not_told_to_the_client(bundle, tmp_path, caplog):
    copy = shutil.copytree(bundle.folder, tmp_path / "1")
    with Server(Bundle(copy), port=0) as server:
        (copy / "saved_model.pb").unlink()
        status, _, told = ask(server, "GET", "/v1/models/colours/metadata")
    assert (status, told) == (500, {"error": "internal error; the server's log says more"})
    assert "FileNotFoundError" in caplog.text and str(tmp_path) in caplog.text


def test_many_at_once_get_the_answers_of_one_after_the_other(server, pictures):
    one_by_one = [predict(server, {"instances": [b64(each)]})[1]["predictions"][0] for each in pictures]

    def five(first):
        order = [(first + i) % len(pictures) for i in range(5)]
        return [(i, predict(server, {"instances": [b64(pictures[i])]})) for i in order]

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


def test_a_stop_finishes_what_is_in_flight(bundle, pictures, expected):
    body = json.dumps({"instances": [b64(pictures[0])]}).encode()
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
