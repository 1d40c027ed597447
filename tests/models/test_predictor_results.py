"""Which results a Predictor is asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    task = Segmentation(("background", "cell", "wall"), SegmentationOptions(), SegmentationInput(stride=4))
    return Predictor(task, keras.Sequential([keras.Input(task.input.shape), keras.layers.Conv2D(3, 1)]))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 256, (5 + seed, 9 - seed, 3), np.uint8) for seed in range(3)]


def test_the_default_signature_unless_others_are_asked_for(predictor, pictures):
    assert [each.keys() for each in predictor.predict(pictures)] == [{"mask", "size"}] * 3
    assert predictor.predict(pictures, results=["mask_png_bytes"])[0].keys() == {"mask_png_bytes"}
    all_of_them = predictor.predict(pictures, results=["probabilities", "mask", "size"])
    assert [each["probabilities"].shape for each in all_of_them] == [(5, 9, 3), (6, 8, 3), (7, 7, 3)]
    for each in all_of_them:
        np.testing.assert_array_equal(each["probabilities"].argmax(-1), each["mask"])


def test_two_pictures_a_call_give_what_one_gives(predictor, pictures):
    for one, two in zip(predictor.predict(pictures, batch=1), predictor.predict(pictures, batch=2), strict=True):
        np.testing.assert_array_equal(one["mask"], two["mask"])


def test_what_is_not_asked_for_is_not_computed(predictor, pictures):
    encoded = tf.constant([tf.io.encode_png(pictures[0]).numpy()])
    predictor(["size"], bytes=encoded)
    graph = predictor._calls["size"].get_concrete_function().graph
    pruned = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [each.op.name for each in graph.outputs])
    assert not [node for node in pruned.node if node.op == "Conv2D"]


def test_an_unknown_name_lists_the_nearest(predictor, pictures):
    with pytest.raises(InputError, match=r"no result 'masks': did you mean mask") as told:
        predictor.predict(pictures, results=["masks"])
    assert "\n" not in str(told.value)
