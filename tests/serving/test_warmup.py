"""The warm-up file, read with descriptors written down from TF Serving's .proto files."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from saccade.serving.saved_model import write_warmup

# message: field name, number, its message's type (None is a string), whether a map
MESSAGES = {
    "ModelSpec": [("name", 1, None), ("signature_name", 3, None)],
    "Entry": [("key", 1, None), ("value", 2, "tensorflow.TensorProto")],
    "PredictRequest": [("model_spec", 1, "test.ModelSpec"), ("inputs", 2, "test.Entry")],
    "PredictLog": [("request", 1, "test.PredictRequest")],
    "PredictionLog": [("predict_log", 6, "test.PredictLog")],
}


@pytest.fixture(scope="module")
def prediction_log():
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", package="test", syntax="proto3")
    file.dependency.append(tensor_pb2.DESCRIPTOR.name)
    for message, fields in MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, number, type_name in fields:
            label = kind.LABEL_REPEATED if name == "inputs" else kind.LABEL_OPTIONAL
            made.field.add(
                name=name,
                number=number,
                label=label,
                type=kind.TYPE_MESSAGE if type_name else kind.TYPE_STRING,
                type_name=f".{type_name}" if type_name else None,
            )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.PredictionLog"))


@pytest.mark.parametrize("size", [0, 100, 127, 128, 20_000, 3_000_000])
def test_tf_serving_reads_the_requests(prediction_log, tmp_path, size):
    image = np.random.default_rng(0).bytes(size)
    write_warmup(tmp_path / "requests", "colours", "serving_default", [{"bytes": [image]}, {"x": [1, 2]}])
    records = [each.numpy() for each in tf.data.TFRecordDataset(str(tmp_path / "requests"))]
    first, second = (prediction_log.FromString(each).predict_log.request for each in records)
    assert first.model_spec.name == "colours" and first.model_spec.signature_name == "serving_default"
    assert [each.key for each in first.inputs] == ["bytes"]
    tensor = tf.make_ndarray(first.inputs[0].value)
    assert tensor.tolist() == [image] and tensor.shape == (1,)
    assert tf.make_ndarray(second.inputs[0].value).tolist() == [1, 2]


def test_the_bundle_warms_up_with_a_proof_sample(prediction_log, bundle):
    file = bundle.folder / "assets.extra" / "tf_serving_warmup_requests"
    (record,) = tf.data.TFRecordDataset(str(file))
    request = prediction_log.FromString(record.numpy()).predict_log.request
    assert request.model_spec.name == "colours"
    assert tf.make_ndarray(request.inputs[0].value).tolist() == [bundle.samples[0].raw["bytes"]]
