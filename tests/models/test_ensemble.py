"""One Keras model of several networks and views, against NumPy on what each network says alone."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from saccade.models import find_task
from saccade.models.ensemble import Ensemble, mean_of_weights
from saccade.models.errors import InputError
from saccade.models.inputs.image.options import ImageOptions
from saccade.models.predictor import WEIGHTS, Predictor
from saccade.models.views import Views

TASK = find_task("classification")
NAMES = ("ant", "bee", "fly")
INPUT = ImageOptions(size=16, fit="stretch")
EXTREME = [np.array([[300.0, -300.0, 0.0], [1.0, 2.0, 3.0]], np.float32), np.array([[-300.0, -300.0, 0.0]] * 2, "f4")]


def make(*names, views=None, multi_label=False):
    """A Predictor of new networks; their first kernels made larger, so that they disagree."""
    views = views or Views()
    members = [TASK(NAMES, TASK.ModelOptions(name=name, multi_label=multi_label), INPUT) for name in names]
    models = [member.model() for member in members]
    for model in models:
        model.get_layer("logits").kernel.assign(model.get_layer("logits").kernel * 8)
    whole = TASK(NAMES, members[0].model_options, views.input(INPUT))
    return Predictor(whole, Ensemble(whole, members, models, views))


def softmax(logits):
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).integers(0, 256, (4, 21, 30, 3), np.uint8)


@pytest.mark.parametrize("multi_label", [False, True])
def test_networks_of_two_kinds_are_averaged_by_their_probabilities(multi_label, noise):
    predictor = make("lenet", "resnet20", multi_label=multi_label)
    tensors, _ = predictor.task.input(images=noise)
    alone = [model(tensors, training=False).numpy() for model in predictor.model.models]
    probabilities = sigmoid if multi_label else softmax
    assert np.abs(probabilities(alone[0]) - probabilities(alone[1])).max() > 0.05
    answers = predictor.predict([encoded(pixels) for pixels in noise])
    found = np.array([answer["probabilities"] for answer in answers])
    np.testing.assert_allclose(found, (probabilities(alone[0]) + probabilities(alone[1])) / 2, atol=1e-5)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_average_is_safe_for_logits_of_any_size(multi_label):
    task = TASK(NAMES, TASK.ModelOptions(name="lenet", multi_label=multi_label), INPUT)
    means = task.average([tf.constant(each) for each in EXTREME]).numpy()
    assert np.isfinite(means).all()
    probabilities = sigmoid if multi_label else softmax
    expected = np.mean([probabilities(each) for each in EXTREME], axis=0)
    np.testing.assert_allclose(probabilities(means), expected, atol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_average_of_one_is_itself(multi_label):
    task = TASK(NAMES, TASK.ModelOptions(name="lenet", multi_label=multi_label), INPUT)
    probabilities = sigmoid if multi_label else softmax
    logits = np.array([[4.0, -3.0, 0.5]], np.float32)
    np.testing.assert_allclose(probabilities(task.average([logits] * 3).numpy()), probabilities(logits), atol=1e-6)


def test_a_mirrored_image_gets_the_same_answer(noise):
    predictor = make("lenet", views=Views.of(flip=True))
    straight, mirrored = (
        predictor.predict([encoded(each) for each in images]) for images in (noise, noise[:, :, ::-1])
    )
    plain = predictor.model.models[0]
    one, other = (plain(predictor.task.input(images=each)[0]).numpy() for each in (noise, noise[:, :, ::-1]))
    assert np.abs(softmax(one) - softmax(other)).max() > 0.05
    for left, right in zip(straight, mirrored, strict=True):
        np.testing.assert_allclose(left["probabilities"], right["probabilities"], atol=1e-5)


def test_ten_crops_against_crops_cut_by_hand(noise):
    predictor = make("lenet", views=Views.of(crops=10))
    whole = predictor.task.input(images=noise)[0].numpy()
    assert whole.shape == (4, 18, 18, 3)
    corners = [(1, 1), (0, 0), (0, 2), (2, 0), (2, 2)]
    crops = [whole[:, top : top + 16, left : left + 16] for top, left in corners]
    crops += [crop[:, :, ::-1] for crop in crops]
    expected = np.mean([softmax(predictor.model.models[0](crop).numpy()) for crop in crops], axis=0)
    found = [answer["probabilities"] for answer in predictor.predict([encoded(pixels) for pixels in noise])]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_it_is_loaded_as_it_was_described_and_saved(noise, tmp_path):
    predictor = make("lenet", "lenet", views=Views.of(flip=True))  # their layers have the same names
    predictor.describe(tmp_path, "classification")
    predictor.model.save_weights(tmp_path / WEIGHTS)
    loaded = Predictor.load(tmp_path)
    assert loaded.fingerprint == predictor.fingerprint
    raw = tf.constant([encoded(pixels) for pixels in noise])
    np.testing.assert_array_equal(loaded(bytes=raw)["probabilities"], predictor(bytes=raw)["probabilities"])


def test_the_fingerprint_covers_views_and_every_member():
    predictor = make("lenet", "lenet", views=Views.of(crops=5))
    task, model = predictor.task, predictor.model
    member = TASK(NAMES, task.model_options, INPUT)
    others = [
        Ensemble(task, [member] * 2, model.models, Views.of(crops=10)),
        Ensemble(task, [member] * 2, model.models, Views.of(crops=5, crop_share=0.89)),
        Ensemble(task, [member], model.models[:1], Views.of(crops=5)),
    ]
    prints = {predictor.fingerprint, *(Predictor(task, each).fingerprint for each in others)}
    model.models[1].get_layer("logits").bias.assign_add([0.0, 0.0, 1.0])
    assert len(prints | {Predictor(task, model).fingerprint}) == 5


def test_a_member_is_in_inference_whatever_it_is_told(noise):
    options = TASK.ModelOptions(name="lenet", dropout=0.9)
    task = TASK(NAMES, options, INPUT)
    model = Ensemble(task, [task], [task.model()], Views.of(flip=True))
    images = noise[:, :16, :16].astype(np.float32)
    np.testing.assert_array_equal(model(images, training=True), model(images, training=False))


class PixelByPixel(TASK):
    """Its outputs have places: the image itself."""

    def model(self):
        image = keras.Input(self.input.shape)
        return keras.Model(image, keras.layers.Rescaling(1.0)(image))

    def average(self, outputs):
        return tf.add_n(outputs) / len(outputs)

    def invert_view(self, outputs, view):
        return outputs[:, :, ::-1] if view.mirrored else outputs


def test_outputs_with_places_are_averaged_where_they_were_seen(noise):
    task = PixelByPixel(NAMES, TASK.ModelOptions(name="lenet"), INPUT)
    model = Ensemble(task, [task], [task.model()], Views.of(flip=True))
    images = noise[:, :16, :16].astype(np.float32)
    np.testing.assert_array_equal(model(images), images)


class NoAverage(TASK):
    def average(self, outputs):
        return super(TASK, self).average(outputs)


class NoWayBack(TASK):
    def invert_view(self, outputs, view):
        return super(TASK, self).invert_view(outputs, view)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (NoAverage, "NoAverage has no way to average several models or views: take one run as it is"),
        (NoWayBack, "NoWayBack has no way back from a mirrored or cropped view: leave the views out"),
    ],
)
def test_a_task_that_cannot_says_so_in_one_line(kind, part):
    task = kind(NAMES, TASK.ModelOptions(name="lenet"), INPUT)
    with pytest.raises(InputError) as caught:
        Ensemble(task, [task], [task.model()], Views.of(flip=True))
    assert str(caught.value) == part


def test_without_views_no_way_back_is_asked_for():
    task = NoWayBack(NAMES, TASK.ModelOptions(name="lenet"), INPUT)
    assert Ensemble(task, [task] * 2, [task.model(), task.model()], Views()).count_params() > 0


def network(seed):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.count = model.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(7 - seed if weight.dtype == "int32" else generator.random(weight.shape))
    return model


def test_the_mean_of_weights_with_moving_statistics_but_not_of_counts():
    models = [network(seed) for seed in range(3)]
    alone = [model.get_weights() for model in models]
    mean = mean_of_weights(models)
    assert mean is models[0]
    for weight, found, *each in zip(mean.weights, mean.get_weights(), *alone, strict=True):
        expected = 7 if weight.dtype == "int32" else np.mean(each, axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert sum("moving" in weight.path for weight in mean.weights) == 2
