"""TF Serving's warm-up file: requests that it answers for itself while it loads a model, so that no user waits.

The file is a TFRecord of `PredictionLog` messages (TensorFlow Serving, "SavedModel Warmup"). Their Python classes
come with tensorflow-serving-api, which would bring gRPC along; of these messages only four nested fields are needed,
and each is written here by its number in TF Serving's .proto files.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

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
