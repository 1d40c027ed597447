"""TF Serving's REST predict format: JSON to tensors and back.

Source: TensorFlow Serving, "RESTful API" (g3doc/api_rest.md) and util/json_tensor.cc, which decides where the page
says nothing. As there, NaN, Infinity and -Infinity stand bare in requests and answers: Python's json reads them, a
strict JSON parser does not.
"""

import base64
import binascii
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.errors import InputError, nearest
from ..models.inputs.image.files import as_items, to_bytes
from .description import Signature, TensorType

ROWS, COLUMNS = "instances", "inputs"
_MAX_AT_ONCE = 2**16  # values that are made text together: as Python objects they take up to 200 bytes each


@dataclass(frozen=True)
class PredictRequest:
    """One predict call.

    Attributes:
        signature: the signature that it names, or None.
        form: `instances` (one value or object an instance) or `inputs` (one list an input); the answer has the same.
        values: what stands under that key.
    """

    signature: str | None
    form: str
    values: Any


def as_raws(items: Any, inputs: Collection[str]) -> list[Any]:
    """What a person hands to a bundle or a server as a list of raw values; one alone is a list of one.

    A single input named `bytes`, or whose name ends in `_bytes`, is binary data: images are taken as paths, arrays and
    PIL images too.

    Args:
        items: what was given.
        inputs: the names of the signature's inputs.
    """
    if isinstance(items, Mapping):
        return [items]
    if len(inputs) == 1 and next(iter(inputs)).endswith("bytes"):
        return [each if isinstance(each, Mapping) else to_bytes(each) for each in as_items(items)]
    return [items] if isinstance(items, str | bytes | int | float) else list(items)


def named(item: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The raw values of one sample by name.

    Raises:
        InputError: a single value, and the signature takes several, or a name that it does not take.
    """
    if not isinstance(item, Mapping):
        if len(inputs) > 1:
            raise InputError(f"this signature takes {', '.join(inputs)}: give a mapping of them")
        return {next(iter(inputs)): item}
    if item.keys() != inputs.keys():
        raise InputError(f"a sample of {', '.join(item) or 'nothing'}: this signature takes {', '.join(inputs)}")
    return item


def parse(body: bytes) -> PredictRequest:
    """Reads the body of a predict call as far as that goes without its signature.

    Raises:
        InputError: not JSON, or not a predict call.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON: {error}") from None
    if not isinstance(request, dict) or (ROWS in request) == (COLUMNS in request):
        raise InputError('the body must be an object with either "instances" or "inputs"')
    signature = request.get("signature_name")
    if not isinstance(signature, str | None):
        raise InputError('"signature_name" must be a string')
    form = ROWS if ROWS in request else COLUMNS
    return PredictRequest(signature or None, form, request[form])


def tensors(request: PredictRequest, signature: Signature) -> dict[str, np.ndarray]:
    """The request's values as the arrays that a signature takes.

    Raises:
        InputError: a name, type or shape that the signature does not have; with the place.
    """
    values = request.values
    if request.form == ROWS:
        return {
            name: _array([each for each, _ in column], [where for _, where in column], signature.inputs[name])
            for name, column in _columns(values, signature).items()
        }
    if not isinstance(values, dict) or _is_b64(values):
        values = {_only_input(signature): values}
    _check_names(values, signature, COLUMNS)
    arrays = {}
    for name, value in values.items():
        value = value if isinstance(value, list) else [value]
        arrays[name] = _array(value, [f"{COLUMNS}.{name}[{i}]" for i in range(len(value))], signature.inputs[name])
    return arrays


def answer(outputs: Mapping[str, np.ndarray], form: str) -> bytes:
    """Results as the JSON object that answers a request of this form; a single output stands without its name."""
    return b"".join(piece.encode() for piece in _answer(outputs, form))


def _answer(outputs: Mapping[str, np.ndarray], form: str) -> Iterator[str]:
    if form == COLUMNS:
        yield '{"outputs": '
        yield from _named(outputs)
        yield "}"
        return
    yield '{"predictions": ['
    for i in range(len(next(iter(outputs.values())))):
        yield ", " if i else ""
        yield from _named({name: value[i : i + 1] for name, value in outputs.items()}, row=True)
    yield "]}"


def _named(values: Mapping[str, np.ndarray], row: bool = False) -> Iterator[str]:
    """The values by their names, or the only one as it is; with `row` the one row that each has."""
    for i, (name, value) in enumerate(values.items()):
        if len(values) > 1:
            yield f"{', ' if i else '{'}{json.dumps(name)}: "
        if not row:
            yield from _text_of(name, value)
        elif value.ndim == 1:
            yield json.dumps(_plain(name, value)[0])
        else:
            yield from _text_of(name, value[0])
    yield "}" if len(values) > 1 else ""


def _text_of(name: str, value: np.ndarray) -> Iterator[str]:
    """An array as JSON, a part at a time where it is large."""
    if value.ndim < 2 or value.size <= _MAX_AT_ONCE:
        yield json.dumps(_plain(name, value))
        return
    for i, part in enumerate(value):
        yield ", " if i else "["
        yield from _text_of(name, part)
    yield "]"


def _columns(rows: Any, signature: Signature) -> dict[str, list[tuple[Any, str]]]:
    """Input name to its values, each with its place."""
    if not isinstance(rows, list):
        raise InputError('"instances" must be a list')
    columns: dict[str, list[tuple[Any, str]]] = {name: [] for name in signature.inputs}
    for i, row in enumerate(rows):
        where = f"{ROWS}[{i}]"
        named = row if isinstance(row, dict) and not _is_b64(row) else {_only_input(signature): row}
        _check_names(named, signature, where)
        for name, value in named.items():
            columns[name].append((value, where if named is not row else f"{where}.{name}"))
    return columns


def _only_input(signature: Signature) -> str:
    if len(signature.inputs) > 1:
        raise InputError(f"the inputs must be named: {', '.join(signature.inputs)}")
    return next(iter(signature.inputs))


def _check_names(values: Mapping[str, Any], signature: Signature, where: str) -> None:
    for name in values:
        if name not in signature.inputs:
            raise InputError(f"no input '{name}': {nearest(name, signature.inputs)}", where=where)
    for name in signature.inputs:
        if name not in values:
            raise InputError(f"input '{name}' is missing", where=where)


def _array(values: list[Any], places: list[str], kind: TensorType) -> np.ndarray:
    """One input's values, batch first, as an array of its type."""
    if not values:  # there may be none, and what varies in shape has then any
        shape = [1 if each is None else each for each in (kind.shape or (0,))[1:]]
        return np.zeros((0, *shape), object if kind.dtype == "string" else kind.dtype)
    if kind.dtype == "string":
        array = np.empty(len(values), object)
        array[:] = [_string(value, where) for value, where in zip(values, places, strict=True)]
        return _shaped(array, kind, places)
    target = np.dtype(kind.dtype)
    try:
        array = np.array(values)
    except ValueError:
        raise InputError(f"{places[0]} and what follows differ in shape: send such instances one by one") from None
    allowed = {"f": "iuf", "b": "b"}.get(target.kind, "iu")
    if array.size and array.dtype.kind not in allowed:
        raise InputError(f"expected {kind.dtype} numbers, nested in lists to shape {_shape(kind)}", where=places[0])
    if target.kind in "iu" and array.size:
        limits = np.iinfo(target)
        if array.min() < limits.min or array.max() > limits.max:
            raise InputError(f"expected {kind.dtype}, {limits.min} to {limits.max}", where=places[0])
    return _shaped(array.astype(target), kind, places)


def _shaped(array: np.ndarray, kind: TensorType, places: list[str]) -> np.ndarray:
    fits = kind.shape is None or (
        array.ndim == len(kind.shape)
        and all(wanted in (None, got) for wanted, got in zip(kind.shape, array.shape, strict=True))
    )
    if not fits:
        raise InputError(
            f"the whole has shape {list(array.shape)}, expected {_shape(kind)} (batch first)", where=places[0]
        )
    return array


def _shape(kind: TensorType) -> str:
    sizes = ["?" if each is None else str(each) for each in kind.shape or ()]
    return f"[{', '.join(sizes)}]"


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _string(value: Any, where: str) -> bytes:
    """A string as it stands, or the bytes of `{"b64": ...}`."""
    if isinstance(value, str):
        return value.encode()
    if not _is_b64(value):
        raise InputError(f'{where}: expected a string, or {{"b64": "..."}} for binary data such as an image')
    text = "".join(value["b64"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # as TF Serving: padding may be missing
    except (binascii.Error, ValueError):
        raise InputError("not base64", where=where) from None


def _plain(name: str, value: np.ndarray) -> list[Any]:
    """An array as nested lists: bytes of outputs named `*_bytes` as b64, other strings as text."""
    if value.dtype.kind == "O":
        tell = _b64 if name.endswith("_bytes") else _text
        told = np.empty(value.size, object)
        told[:] = [tell(each) for each in value.ravel()]
        return told.reshape(value.shape).tolist()
    if value.dtype == np.float32:
        return value.astype(str).astype(float).tolist()  # the shortest decimals that give the same float32 again
    return value.tolist()


def _b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
