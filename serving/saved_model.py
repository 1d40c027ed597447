"""From a Predictor to a SavedModel that plain TensorFlow runs, and the requests that warm TensorFlow Serving up."""

import errno
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from ..models.contract import PREPARED, SERVING, Task
from ..models.predictor import Predictor
from .description import Signature, TensorType


def save(predictor: Predictor, folder: Path) -> dict[str, Signature]:
    """Writes the Predictor's graph and weights as a SavedModel.

    It holds no Keras object: the graph calls the model with `training=False` once, when it is traced here, and the
    variables that the graph reads are saved as they are.

    Args:
        predictor: what is saved.
        folder: where to; it becomes the SavedModel.

    Returns:
        The type of each signature: those of the input with the task's default results, and those that the task adds,
        which take what `serving_default` takes. Where raw values are prepared before the graph, also those that take
        raw ones, which the SavedModel itself does not have.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    source = predictor.task.input
    functions = {name: _trace(predictor, spec, results) for name, (spec, results) in signatures_of(predictor).items()}
    module = tf.Module()
    module.variables_read = list({id(each): each for f in functions.values() for each in f.variables}.values())
    module.resources = list(source.resources)  # a table that nothing tracks is not saved with the graph
    try:
        tf.saved_model.save(module, str(folder), signatures=functions)
    except tf.errors.OpError as error:
        raise _file_error(error) from error
    described = {name: _describe(function) for name, function in functions.items()}
    raw = {name: _type(each) for name, each in source.signatures[SERVING].items()}
    prepared = raw_signatures(predictor.task)
    return {
        name: Signature(inputs=raw, outputs=described[graph].outputs) for name, graph in prepared.items()
    } | described


def signatures_of(predictor: Predictor) -> dict[str, tuple[Mapping[str, tf.TensorSpec], Sequence[str] | None]]:
    """Each signature of a SavedModel by name: the values that it takes, and the names of its results; None are those of
    the default."""
    source, given, raw = predictor.task.input, predictor.task.signatures, raw_signatures(predictor.task)
    return {
        raw.get(name, name): (source.prepared if name in raw else spec, given.get(name))
        for name, spec in _taken(predictor.task).items()
    }


def raw_signatures(task: Task) -> dict[str, str]:
    """Where the input prepares raw values: each signature that takes them, to the SavedModel's, which takes prepared
    ones: "prepared" for the default one, "prepared_NAME" for another. A name of its own, so that TensorFlow Serving,
    which cannot prepare, refuses what saccade's server would answer otherwise."""
    if not task.input.prepare_version:
        return {}
    taken = _taken(task)
    raw = [name for name, spec in taken.items() if spec.keys() == taken[SERVING].keys()]
    return {name: PREPARED if name == SERVING else f"{PREPARED}_{name}" for name in raw}


def _taken(task: Task) -> dict[str, Mapping[str, tf.TensorSpec]]:
    """Each signature to the values that a client sends."""
    taken = task.input.signatures
    return {name: taken.get(name, taken[SERVING]) for name in dict.fromkeys([*taken, *task.signatures])}


def _trace(
    predictor: Predictor, types: Mapping[str, tf.TensorSpec], results: Sequence[str] | None
) -> tf.types.experimental.ConcreteFunction:
    def graph(**raw: tf.Tensor) -> dict[str, tf.Tensor]:  # by keyword, so that the signature bears the inputs' names
        return predictor.answer(*predictor.task.input(**raw), results)

    named = {name: tf.TensorSpec(each.shape, each.dtype, name) for name, each in types.items()}
    return tf.function(graph).get_concrete_function(**named)


def _describe(function: tf.types.experimental.ConcreteFunction) -> Signature:
    return Signature(
        inputs={name: _type(each) for name, each in function.structured_input_signature[1].items()},
        outputs={name: _type(each) for name, each in function.structured_outputs.items()},
    )


def _type(tensor: Any) -> TensorType:
    return TensorType(dtype=tensor.dtype.name, shape=None if tensor.shape.rank is None else tuple(tensor.shape))


def _file_error(error: tf.errors.OpError) -> Exception:
    """TensorFlow's errors about files as Python's own; another error stays as it is."""
    if isinstance(error, tf.errors.PermissionDeniedError):
        return PermissionError(errno.EACCES, "Permission denied")
    for number, sign in {errno.ENOSPC: "No space left", errno.EDQUOT: "quota", errno.EFBIG: "File too large"}.items():
        if sign in error.message:
            return OSError(number, sign)
    return error


FILE = "tf_serving_warmup_requests"
"""The name that TF Serving looks for in assets.extra/."""

# Numbers of the fields, all of them length-delimited.
_LOG_PREDICT = 6  # PredictionLog.predict_log
_PREDICT_REQUEST = 1  # PredictLog.request
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2  # PredictRequest.model_spec, .inputs (a map: entries of key 1 and value 2)
_MODEL_NAME, _MODEL_SIGNATURE = 1, 3  # ModelSpec.name, .signature_name


def write_warmup(file: Path, name: str, signature: str, requests: Iterable[Mapping[str, Any]]) -> None:
    """Writes requests that TF Serving runs while it loads the model.

    Args:
        file: `assets.extra/tf_serving_warmup_requests` of a version folder.
        name: the model's name.
        signature: the signature to call.
        requests: input name to value, one mapping a request.
    """
    model = _field(_MODEL_NAME, name.encode()) + _field(_MODEL_SIGNATURE, signature.encode())
    with tf.io.TFRecordWriter(str(file)) as records:
        for inputs in requests:
            request = _field(_REQUEST_MODEL, model)
            for key, value in inputs.items():
                tensor = tf.make_tensor_proto(value).SerializeToString()
                request += _field(_REQUEST_INPUTS, _field(1, key.encode()) + _field(2, tensor))
            records.write(_field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request)))


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field in protobuf's wire format: key, length, content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
