import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from saccade.models.errors import InputError
from saccade.serving import rest
from saccade.serving.description import Signature, TensorType

ONE = Signature(inputs={"bytes": TensorType(dtype="string", shape=(None,))}, outputs={})
IMAGES = Signature(inputs={"images": TensorType(dtype="uint8", shape=(None, None, None, 3))}, outputs={})
TWO = Signature(
    inputs={"bytes": TensorType(dtype="string", shape=(None,)), "strength": TensorType(dtype="float32", shape=(None,))},
    outputs={},
)


def read(request, signature):
    return rest.tensors(rest.parse(json.dumps(request).encode()), signature)


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    "request_",
    [
        {"instances": [b64(b"\xff\0"), b64(b"")]},
        {"instances": [{"bytes": b64(b"\xff\0")}, {"bytes": b64(b"")}]},
        {"inputs": {"bytes": [b64(b"\xff\0"), b64(b"")]}},
        {"inputs": [b64(b"\xff\0"), b64(b"")]},
        {"signature_name": "serving_default", "other": 1, "inputs": [{"b64": "/w\nA"}, ""]},
    ],
)
def test_every_form_gives_the_same_strings(request_):
    (array,) = read(request_, ONE).values()
    assert array.tolist() == [b"\xff\0", b""] and array.dtype == object


def test_numbers_take_the_signatures_type():
    image = [[[1, 2, 255]], [[0, 0, 0]]]
    for request in ({"instances": [image]}, {"inputs": {"images": [image]}}, {"instances": [{"images": image}]}):
        array = read(request, IMAGES)["images"]
        assert array.dtype == np.uint8 and array.tolist() == [image]
    both = read({"instances": [{"bytes": "text", "strength": 1}, {"bytes": "ü", "strength": 0.5}]}, TWO)
    assert both["bytes"].tolist() == [b"text", "ü".encode()]
    assert both["strength"].dtype == np.float32 and both["strength"].tolist() == [1, 0.5]


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[1]", 'either "instances" or "inputs"'),
        (b"{}", 'either "instances" or "inputs"'),
        (b'{"instances": [], "inputs": []}', 'either "instances" or "inputs"'),
        (b'{"instances": [], "signature_name": 1}', '"signature_name" must be a string'),
    ],
)
def test_bodies_that_are_no_predict_call(body, message):
    with pytest.raises(InputError, match=message):
        rest.parse(body)


@pytest.mark.parametrize(
    "request_, signature, message",
    [
        ({"instances": {"bytes": []}}, ONE, '"instances" must be a list'),
        ({"instances": [{"b64": "####"}]}, ONE, r"instances\[0\]: not base64"),
        ({"instances": ["", {"bytes": {"b64": "a"}}]}, ONE, r"instances\[1\].bytes: not base64"),
        ({"instances": ["", 3]}, ONE, r"instances\[1\]: expected a string, or"),
        ({"instances": [["", ""]]}, ONE, r"instances\[0\]: expected a string"),
        ({"instances": [{"byte": ""}]}, ONE, r"instances\[0\]: no input 'byte': did you mean bytes"),
        ({"instances": [{}]}, ONE, r"instances\[0\]: input 'bytes' is missing"),
        ({"instances": [""]}, TWO, "the inputs must be named: bytes, strength"),
        ({"inputs": [""]}, TWO, "the inputs must be named: bytes, strength"),
        ({"inputs": {"bytes": [""]}}, TWO, "inputs: input 'strength' is missing"),
        ({"inputs": {"bytes": [1]}}, ONE, r"inputs.bytes\[0\]: expected a string"),
        ({"inputs": {"bytes": [""], "strength": ["1"]}}, TWO, r"inputs.strength\[0\]: expected float32 numbers"),
        ({"inputs": {"bytes": [""], "strength": [[1]]}}, TWO, r"shape \[1, 1\], expected \[\?\]"),
        ({"instances": [[[[256, 0, 0]]]]}, IMAGES, r"instances\[0\]: expected uint8, 0 to 255"),
        ({"instances": [[[[-1, 0, 0]]]]}, IMAGES, "expected uint8, 0 to 255"),
        ({"instances": [[[[0.5, 0, 0]]]]}, IMAGES, r"uint8 numbers, nested in lists to shape \[\?, \?, \?, 3\]"),
        ({"instances": [[[[10**30, 0, 0]]]]}, IMAGES, "expected uint8 numbers"),
        ({"instances": [[[[None, 0, 0]]]]}, IMAGES, "expected uint8 numbers"),
        ({"instances": [[[1, 2, 3]]]}, IMAGES, r"shape \[1, 1, 3\], expected \[\?, \?, \?, 3\] \(batch first\)"),
        ({"instances": [[[[1, 2]]]]}, IMAGES, r"shape \[1, 1, 1, 2\]"),
        ({"instances": [[[[1, 2, 3]]], [[[1, 2, 3]], [[1, 2, 3]]]]}, IMAGES, "differ in shape: send"),
    ],
)
def test_wrong_values_are_told_with_their_place(request_, signature, message):
    with pytest.raises(InputError, match=message) as told:
        read(request_, signature)
    assert "\n" not in str(told.value)


def test_answers_have_the_form_of_the_request():
    outputs = {
        "score": np.array([0.2, 1], np.float32),
        "name": np.array(["grün".encode(), b"\xff"], object),
        "mask_bytes": np.array([[b"\xff\0"], [b""]], object),
        "label": np.array([3, 4], np.int64),
        "known": np.array([True, False]),
    }
    first = {"score": 0.2, "name": "grün", "mask_bytes": [{"b64": "/wA="}], "label": 3, "known": True}
    second = {"score": 1.0, "name": "\ufffd", "mask_bytes": [{"b64": ""}], "label": 4, "known": False}
    assert json.loads(rest.answer(outputs, rest.ROWS)) == {"predictions": [first, second]}
    columns = {name: [first[name], second[name]] for name in outputs}
    assert json.loads(rest.answer(outputs, rest.COLUMNS)) == {"outputs": columns}


def test_a_single_output_stands_without_its_name():
    outputs = {"score": np.array([[0.5], [1]], np.float32)}
    assert json.loads(rest.answer(outputs, rest.ROWS)) == {"predictions": [[0.5], [1.0]]}
    assert json.loads(rest.answer(outputs, rest.COLUMNS)) == {"outputs": [[0.5], [1.0]]}


def test_what_is_no_number_stands_bare_as_in_tf_serving():
    outputs = {"score": np.array([np.nan, np.inf, -np.inf], np.float32)}
    assert rest.answer(outputs, rest.ROWS) == b'{"predictions": [NaN, Infinity, -Infinity]}'


@given(arrays(np.float32, (3,), elements=st.floats(width=32, allow_nan=False)))
def test_floats_come_back_bit_for_bit(values):
    told = json.loads(rest.answer({"x": values}, rest.ROWS))["predictions"]
    np.testing.assert_array_equal(np.array(told, np.float32), values)


@pytest.mark.parametrize("request_", [{"instances": []}, {"inputs": []}, {"inputs": {"bytes": []}}])
def test_none_are_an_empty_array(request_):
    assert read(request_, ONE)["bytes"].shape == (0,)
    if "bytes" not in request_.get("inputs", {}):
        images = read(request_, IMAGES)["images"]
        assert images.dtype == np.uint8 and images.shape == (0, 1, 1, 3)


@pytest.mark.parametrize("form", [rest.ROWS, rest.COLUMNS])
def test_large_answers_are_the_same_text_as_small_ones(form, monkeypatch):
    outputs = {
        "mask": np.arange(48, dtype=np.uint8).reshape(2, 4, 6),
        "probabilities": np.linspace(0, 1, 96, dtype=np.float32).reshape(2, 4, 6, 2),
        "names": np.array([[b"a", b"b"], [b"c", b"d"]], object),
        "size": np.array([[4, 6], [4, 5]], np.int32),
    }
    for some in (outputs, {"mask": outputs["mask"]}):
        whole = rest.answer(some, form)
        with monkeypatch.context() as smaller:
            smaller.setattr(rest, "_MAX_AT_ONCE", 5)
            assert rest.answer(some, form) == whole
