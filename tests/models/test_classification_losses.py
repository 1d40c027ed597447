"""The losses of a classifier against NumPy and Keras; what weighs a class; what a kernel costs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saccade.models import find_task
from saccade.models.classification.losses import OneLabelLoss, SeveralLabelsLoss, make_loss
from saccade.models.errors import InputError

TASK = find_task("classification")
NAMES = ("ant", "bee", "fly")
LOGITS = arrays.arrays(np.float32, (4, 3), elements=st.floats(-6, 6, width=32))
SHARES = arrays.arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32))


def make(names=NAMES, size=16, **options):
    return TASK(names, TASK.ModelOptions(**({"name": "lenet"} | options)), TASK.Input.Options(size=size))


def softmax(z):
    powers = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z.astype(np.float64)))


@settings(max_examples=30)
@given(logits=LOGITS, shares=SHARES, gamma=st.sampled_from([0.0, 0.5, 2.0]), smoothing=st.sampled_from([0.0, 0.1]))
def test_one_label_with_soft_targets_is_keras_own(logits, shares, gamma, smoothing):
    y = (shares + 1e-3) / (shares + 1e-3).sum(axis=1, keepdims=True)
    ours = OneLabelLoss(gamma, smoothing)(y, logits)
    theirs = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, from_logits=True, label_smoothing=smoothing
    )
    assert float(ours) == pytest.approx(float(theirs(y, logits)), rel=1e-4, abs=1e-6)


@settings(max_examples=30)
@given(logits=LOGITS, shares=SHARES, gamma=st.sampled_from([0.0, 1.0, 2.0]))
def test_several_labels_are_keras_own(logits, shares, gamma):
    """Soft targets too for cross-entropy; Keras' focal factor means something else for those."""
    y = shares if gamma == 0 else np.round(shares)
    theirs = keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True)
    assert float(SeveralLabelsLoss(gamma, 0.0)(y, logits)) == pytest.approx(
        float(theirs(y, logits)), rel=1e-4, abs=1e-6
    )


@settings(max_examples=30)
@given(logits=LOGITS, share=st.floats(0, 1, width=32), gamma=st.sampled_from([0.0, 2.0]), several=st.booleans())
def test_the_loss_of_a_mix_is_the_mix_of_the_losses(logits, share, gamma, several):
    one, other = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], np.eye(3, dtype=np.float32)[[2, 1, 0, 1]]
    loss = (SeveralLabelsLoss if several else OneLabelLoss)(gamma, 0.0)
    mixed = loss.call(tf.constant(share * one + (1 - share) * other), logits)
    parts = [loss.call(tf.constant(each), logits) for each in (one, other)]
    np.testing.assert_allclose(mixed, share * parts[0] + (1 - share) * parts[1], rtol=1e-4, atol=1e-5)


def test_smoothing_several_labels():
    y, z = np.array([[1, 0, 0]], np.float32), np.array([[2.0, -1.0, 0.5]], np.float32)
    theirs = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    assert float(SeveralLabelsLoss(0.0, 0.2)(y, z)) == pytest.approx(float(theirs(y, z)), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("kind", [OneLabelLoss, SeveralLabelsLoss])
def test_gradients_where_the_network_is_sure(kind, gamma):
    """Surely wrong: a full gradient, where Keras' focal loss has none. Surely right: none, and it is a number."""
    y = tf.constant([[1.0, 0.0]])
    for logits, expected in (([[-60.0, 60.0]], -1.0), ([[60.0, -60.0]], 0.0)):
        z = tf.Variable(logits)
        with tf.GradientTape() as tape:
            loss = kind(gamma, 0.0)(y, z)
        scale = 0.5 if kind is SeveralLabelsLoss else 1.0  # a mean over two labels
        np.testing.assert_allclose(tape.gradient(loss, z), [[scale * expected, -scale * expected]], atol=1e-3)


def test_class_weights_weigh_samples_by_their_targets():
    weights = np.array([0.5, 1.0, 3.0], np.float32)
    y = np.array([[1, 0, 0], [0, 0, 1], [0.25, 0, 0.75]], np.float32)
    z = np.array([[1, 2, 0], [0, 1, -1], [2, 0, 1]], np.float32)
    expected = -(y * np.log(softmax(z))).sum(axis=1) * np.array([0.5, 3.0, 0.25 * 0.5 + 0.75 * 3])
    np.testing.assert_allclose(OneLabelLoss(0.0, 0.0, weights).call(tf.constant(y), z), expected, rtol=1e-5)
    smoothed = OneLabelLoss(0.0, 0.3, weights).call(tf.constant(y), z)
    plain = OneLabelLoss(0.0, 0.3).call(tf.constant(y), z)
    np.testing.assert_allclose(smoothed / plain, y @ weights, rtol=1e-5)  # smoothing changes no weight


def test_label_weights_are_those_of_weighted_cross_entropy():
    weights = np.array([0.5, 1.0, 3.0], np.float32)
    y, z = np.array([[1, 0, 0.4], [0, 1, 1]], np.float32), np.array([[1, 2, 0], [0, 1, -1]], np.float32)
    expected = tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(y, z, weights), axis=1)
    np.testing.assert_allclose(SeveralLabelsLoss(0.0, 0.0, weights).call(tf.constant(y), z), expected, rtol=1e-5)
    p = sigmoid(z)
    focal = -weights * y * (1 - p) ** 2 * np.log(p) - (1 - y) * p**2 * np.log(1 - p)
    got = SeveralLabelsLoss(2.0, 0.0, weights).call(tf.constant(y), z)
    np.testing.assert_allclose(got, focal.mean(axis=1), rtol=1e-5)


def test_the_recipe_reaches_model_and_head(random_images):
    task = make(loss="focal", focal_gamma=1.5, label_smoothing=0.1, class_weights={"bee": 2.0}, freeze="all")
    labels = np.array([0, 1, 1, 2], np.int32)
    task.adapt([{"label": label} for label in labels])
    model = task.model()
    features, head = model.split()
    x, y = task.targets({"image": random_images(4, 16, 16), "label": labels})
    logits = model.predict(x, verbose=0)
    weights = np.array([1, 2, 2, 1]) * 4 / 6
    p, smoothed = softmax(logits), np.asarray(y) * 0.9 + 0.1 / 3
    expected = np.mean(-(smoothed * (1 - p) ** 1.5 * np.log(p)).sum(axis=1) * weights)
    for part, inputs in ((model, x), (head, features.predict(x, verbose=0))):
        part.compile(optimizer="sgd")
        assert part.evaluate(inputs, y, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-4)


def test_class_weights_without_training_truth_are_not_silently_left_out():
    model = make(class_weights="balanced").model()  # as Predictor.load makes it
    with pytest.raises(InputError, match=r"model\.class_weights: they come from the training truth"):
        model.compile(optimizer="sgd")
    assert make_loss(TASK.ModelOptions()).weights is None


def test_accuracy_of_soft_targets():
    for several, y in ((True, [[0.7, 0.2, 0.9]]), (False, [[0.7, 0.2, 0.1]])):
        model = make(multi_label=several).model()
        model.compile(optimizer="sgd")
        x = np.zeros((1, 16, 16, 3), np.float32)
        model.get_layer("logits").set_weights([np.zeros((84, 3)), np.array([3.0, -1.0, -2.0])])
        metrics = model.evaluate(x, np.array(y, np.float32), verbose=0, return_dict=True)
        assert metrics["accuracy"] == pytest.approx(2 / 3 if several else 1.0)


def kernels(model):
    return [weight for weight in model.trainable_weights if weight.path.endswith("/kernel")]


@pytest.mark.parametrize("options", [{"l2": 0.01}, {"l1": 0.003}, {"l1": 0.003, "l2": 0.01}])
def test_penalties_count_the_kernels_alone(options):
    model = make(size=32, name="resnet20", **options).model()
    weights = [weight.numpy().astype(np.float64) for weight in kernels(model)]
    l1, l2 = options.get("l1", 0), options.get("l2", 0)
    assert len(weights) == len(model.losses) == 20
    expected = sum(l1 * np.abs(each).sum() + l2 * (each**2).sum() for each in weights)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)


def test_penalties_are_in_the_loss_of_model_and_head(random_images):
    model, without = make(l1=0.003, l2=0.01).model(), make().model()
    without.set_weights(model.get_weights())
    x, y = make().targets({"image": random_images(4, 16, 16), "label": np.array([0, 1, 2, 0], np.int32)})
    cached = without.split()[0](x)
    for penalised, free, inputs, count in ((model, without, x, 5), (model.split()[1], without.split()[1], cached, 1)):
        losses = []
        for each in (penalised, free):
            each.compile(optimizer="sgd")
            losses.append(each.evaluate(inputs, y, verbose=0, return_dict=True)["loss"])
        weights = [weight.numpy() for weight in kernels(penalised)]
        assert len(weights) == count
        expected = sum(0.003 * np.abs(each).sum() + 0.01 * (each**2).sum() for each in weights)
        assert losses[0] - losses[1] == pytest.approx(expected, rel=1e-3)


def test_a_penalty_moves_kernels_in_a_training_step(random_images):
    task = make(l2=0.5)
    model = task.model()
    x, y = task.targets({"image": random_images(2, 16, 16), "label": np.array([0, 1], np.int32)})
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=lambda y_true, y_pred: 0.0 * y_pred[:, 0])
    before = [weight.numpy() for weight in model.trainable_weights]
    model.train_on_batch(x, y)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        factor = 1 - 1e-3 * 2 * 0.5 if weight.path.endswith("/kernel") else 1.0
        np.testing.assert_allclose(weight, factor * old, rtol=1e-5, atol=1e-8)


def test_frozen_layers_cost_nothing():
    model = make(size=32, name="resnet20", freeze=2, l2=0.01).model()
    weights = kernels(model)
    assert len(weights) == 7 and len(model.losses) == 7  # six convolutions of the last stage, and the head
    assert float(sum(model.losses)) == pytest.approx(
        0.01 * sum((each.numpy() ** 2).sum() for each in weights), rel=1e-4
    )
    assert len(make(freeze="all", l2=0.01).model().losses) == 1


def test_a_regularizer_of_a_networks_own_stays(tmp_path):
    from saccade.models.naming import make_importable

    (tmp_path / "regularised.py").write_text(
        "import keras\n"
        "def net(shape, options):\n"
        "    convolution = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L1(0.5))\n"
        "    return keras.Sequential([keras.Input(shape), convolution])\n"
    )
    make_importable(tmp_path)
    model = make(name="regularised:net", l2=0.01).model()
    assert [weight.regularizer.get_config() for weight in kernels(model)] == [
        {"l1": pytest.approx(0.5)},
        {"l1": 0.0, "l2": pytest.approx(0.01)},
    ]
