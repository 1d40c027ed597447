"""Which results a Predictor is asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from saccade.models.errors import InputError
from saccade.models.inputs.image.files import to_bytes
from saccade.models.inputs.reasons import NO_MEMORY, answer_calls
from saccade.models.predictor import Predictor
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    task = Segmentation(("background", "cell", "wall"), SegmentationOptions(), SegmentationInput(stride=4))
    return Predictor(task, keras.Sequential([keras.Input(task.input.shape), keras.layers.Conv2D(3, 1)]))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 256, (5 + seed, 9 - seed, 3), np.uint8) for seed in range(3)]


def test_the_default_signature_unless_others_are_asked_for(predictor, images):
    assert [each.keys() for each in predictor.predict(images)] == [{"mask", "size"}] * 3
    assert predictor.predict(images, results=["mask_png_bytes"])[0].keys() == {"mask_png_bytes"}
    all_of_them = predictor.predict(images, results=["probabilities", "mask", "size"])
    assert [each["probabilities"].shape for each in all_of_them] == [(5, 9, 3), (6, 8, 3), (7, 7, 3)]
    for each in all_of_them:
        np.testing.assert_array_equal(each["probabilities"].argmax(-1), each["mask"])


def test_each_image_has_its_own_shape_whatever_is_asked_for(predictor, images):
    masks = predictor.predict(images, results=["mask"])
    assert [(each.keys(), each["mask"].shape) for each in masks] == [({"mask"}, image.shape[:2]) for image in images]


def test_two_images_a_call_give_what_one_gives(predictor, images):
    for one, two in zip(predictor.predict(images, batch=1), predictor.predict(images, batch=2), strict=True):
        np.testing.assert_array_equal(one["mask"], two["mask"])


def test_a_bad_image_is_told_and_the_others_are_answered(predictor, images):
    encoded = [to_bytes(each) for each in images]
    raws = [{"bytes": each} for each in (encoded[0], b"text", encoded[0][:40], *encoded[1:])]
    answers = list(predictor.answer_raws(raws, ["mask", "size"]))
    reasons = [each if isinstance(each, str) else "" for each in answers]
    assert reasons == ["", "not an image saccade reads (JPEG, PNG, GIF, BMP, WebP)", "truncated or broken PNG", "", ""]
    for answer, right in zip([answers[0], *answers[3:]], predictor.predict(images), strict=True):
        np.testing.assert_array_equal(answer["mask"], right["mask"])
    assert list(predictor.answer_raws([])) == [] and predictor.predict([]) == []


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_none_is_refused(predictor, images, batch):
    with pytest.raises(InputError, match=f"^batch {batch}: give 1 or more$"):
        predictor.predict(images, batch=batch)


def test_what_is_not_asked_for_is_not_computed(predictor, images):
    encoded = tf.constant([tf.io.encode_png(images[0]).numpy()])
    predictor(["size"], bytes=encoded)
    graph = predictor._graphs["serving_default size"].get_concrete_function().graph
    pruned = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [each.op.name for each in graph.outputs])
    assert not [node for node in pruned.node if node.op == "Conv2D"]


def test_an_unknown_name_lists_the_nearest(predictor, images):
    with pytest.raises(InputError, match=r"no result 'masks': did you mean mask") as told:
        predictor.predict(images, results=["masks"])
    assert "\n" not in str(told.value)


class Hungry(Predictor):
    """Asks for more memory than any machine has where a batch, or an image, is too large for it."""

    def __call__(self, results=None, **raw):
        answer = super().__call__(results, **raw)
        if len(answer["size"]) > 2 or answer["size"].numpy().max() > 20:
            np.ones([2**45])
        return answer


@pytest.fixture(scope="module")
def hungry() -> Predictor:
    task = Segmentation(
        ("background", "cell", "wall"), SegmentationOptions(), SegmentationInput(size=8, fit="letterbox")
    )
    return Hungry(task, keras.Sequential([keras.Input(task.input.shape), keras.layers.Conv2D(3, 1)]))


def test_a_batch_that_memory_does_not_bear_is_halved(hungry, images):
    large = np.zeros((30, 5, 3), np.uint8)
    raws = [{"bytes": to_bytes(each)} for each in [*images, large, *images]]
    answers = list(hungry.answer_raws(raws))
    assert answers[3].startswith("needs more memory than there is: ")
    alone = [hungry.predict([each])[0]["mask"] for each in images]
    for answer, right in zip(answers[:3] + answers[4:], alone * 2, strict=True):
        np.testing.assert_array_equal(answer["mask"], right)
    with pytest.raises(InputError, match="^item 1: needs more memory than there is"):
        hungry.predict([images[0], large])


@pytest.mark.parametrize("options", [{"size": 8, "fit": "letterbox"}, {"size": 8, "fit": "stretch"}, {"stride": 4}])
def test_an_empty_batch_has_empty_results(options):
    network = SegmentationOptions(name="unet", width=4, depth=1)
    task = Segmentation(("background", "cell"), network, SegmentationInput(**{"stride": 4} | options))
    predictor = Predictor(task, task.model())
    names = ["mask", "size", "probabilities", "mask_png_bytes"]
    empty = predictor(names, bytes=tf.zeros([0], tf.string))
    assert {name: value.shape[0] for name, value in empty.items()} == dict.fromkeys(empty, 0)
    some = predictor(names, bytes=[to_bytes(np.zeros((5, 6, 3), np.uint8))])
    for name, value in some.items():
        assert (empty[name].dtype, empty[name].shape.rank) == (value.dtype, value.shape.rank)


def test_what_the_graph_has_no_memory_for_is_halved_and_what_it_refuses_called_alone():
    asked = []

    def call(places):
        asked.append(places)
        if 5 in places and len(places) > 1:
            raise tf.errors.InvalidArgumentError(None, None, "Invalid PNG data")
        if len(places) > 3 or places == [7]:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return sum(places)

    answers = list(answer_calls([[0, 1, 2, 3, 4], [5, 6], [7]], call))
    assert answers == [([0, 1], 1), ([2, 3, 4], 9), ([5], 5), ([6], 6), ([7], NO_MEMORY)]
    assert asked == [[0, 1, 2, 3, 4], [0, 1], [2, 3, 4], [5, 6], [5], [6], [7]]
