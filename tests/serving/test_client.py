import socket

import numpy as np
import pytest

from saccade.models.errors import InputError, JobError
from saccade.serving.client import Client


def test_the_client_gives_what_the_predictor_gives(server, predictor, images, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(images[2])
    answers = Client(server.url + "/", "colours").predict([*images[:2], file, str(file), *images], batch=3)
    expected = predictor.predict([*images[:2], file, str(file), *images])
    assert len(answers) == len(expected) == 10
    for got, right in zip(answers, expected, strict=True):
        np.testing.assert_allclose(got["probabilities"], right["probabilities"], atol=1e-6)
        assert got["class_name"] == right["class_name"].decode() and got["raw_bytes"] == right["raw_bytes"]
        assert got["size"] == right["size"].tolist()


def test_no_images_need_no_server():
    assert Client("http://127.0.0.1:9", "m").predict([]) == []
    with pytest.raises(InputError, match="^batch 0: give 1 or more$"):
        Client("http://127.0.0.1:9", "m").predict([], batch=0)


def test_what_the_server_refuses_is_the_users(server, images):
    with pytest.raises(InputError, match=r"/v1/models/colours:predict: instances\[1\]: not an image saccade reads"):
        Client(server.url, "colours").predict([images[0], b"text"])
    with pytest.raises(InputError, match=r"Servable not found for request: Latest\(others\)"):
        Client(server.url, "others").predict(images)


def test_no_server_says_how_to_start_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"no server answers at {url}: start one with 'saccade serve BUNDLE'"):
            Client(url, "m").predict([b""])


def test_a_server_that_says_nothing_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(JobError, match="no answer within 0.2 s"):
            Client(url, "m", timeout=0.2).predict([b""])


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://x", ""])
def test_addresses_that_are_none(url):
    with pytest.raises(InputError, match="is not a server's address; it looks like http://127.0.0.1:8501"):
        Client(url, "m")


def test_a_missing_file_is_named(server):
    """By then the server has said that it takes images: of text a name would be a sample."""
    with pytest.raises(InputError, match=r"missing.png: cannot be read \(No such file"):
        Client(server.url, "colours").predict(["missing.png"])
