"""The losses of segmentation against NumPy, Keras and by hand; what does not count; numbers that stay finite."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.models.errors import InputError
from saccade.models.segmentation.losses import SegmentationLoss, make_loss, make_targets, weight_map
from saccade.models.segmentation.options import LOSSES, WEIGHTED, SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

NAMES = ("background", "cell", "rim")
CLASSES = ("none", "rose", "tulip")
SHAPE = (2, 4, 5)
WEIGHTS = np.array([0.5, 1.0, 3.0], np.float32)
EVERY = {name: 0.5 + place for place, name in enumerate(LOSSES)}


@st.composite
def cases(draw):
    """A mask, of all or of some classes, and logits; drawn by a seed, which is faster than number by number."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = draw(st.lists(st.sampled_from([0, 1, 2, 255]), min_size=1, unique=True))
    logits = generator.uniform(-6, 6, (*SHAPE, 3)) * draw(st.sampled_from([0, 0.1, 1]))
    return generator.choice(np.array(present, np.uint8), SHAPE), logits.astype(np.float32)


def options(**given):
    return SegmentationOptions(**given)


def loss_of(mask, logits, weights=None, **given):
    """The loss as training sees it: from a mask, by way of the targets. Weights reach the losses that take any."""
    names = given.get("loss", "cross_entropy")
    if {*WEIGHTED}.isdisjoint([names] if isinstance(names, str) else names):
        weights = None
    given["class_weights"] = "none" if weights is None else "balanced"
    chosen = options(**given)
    return make_loss(chosen, weights)(make_targets(tf.constant(mask), CLASSES, chosen), tf.convert_to_tensor(logits))


def reference(name, mask, logits, weights, gamma=2.0, alpha=0.3, peak=10.0, sigma=5.0):
    """Each loss written out, in float64 and pixel by pixel; None where no pixel counts."""
    z = logits.astype(np.float64)
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    if not (mask != 255).any():
        return 0.0
    if name in {"dice", "jaccard", "tversky"}:
        indices = []
        for label in range(z.shape[-1]):
            true, share = (mask == label)[mask != 255], p[mask != 255, label]
            shared, positives, negatives = share[true].sum(), share[~true].sum(), (1 - share[true]).sum()
            if not true.any():
                continue
            if name == "dice":
                indices.append(2 * shared / (2 * shared + positives + negatives))
            elif name == "jaccard":
                indices.append(shared / (true.sum() + share.sum() - shared))
            else:
                indices.append(shared / (shared + alpha * positives + (1 - alpha) * negatives))
        return 1 - np.mean(indices)
    total = weight = 0.0
    gaps = [weight_map(each, peak, sigma) for each in mask]
    for place in zip(*np.nonzero(mask != 255), strict=True):
        label = mask[place]
        each = -np.log(p[place][label])
        if name == "focal":
            each *= (1 - p[place][label]) ** gamma
        w = weights[label] + (gaps[place[0]][place[1:]] if name == "boundary" else 0)
        total, weight = total + w * each, weight + w
    return total / weight


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=20)
@given(case=cases(), weighted=st.booleans())
def test_each_loss_is_what_its_formula_says(name, case, weighted):
    mask, logits = case
    weights = WEIGHTS if weighted else None
    expected = reference(name, mask, logits, WEIGHTS if weighted else np.ones(3))
    assert float(loss_of(mask, logits, weights, loss=name)) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@settings(max_examples=20)
@given(case=cases())
def test_cross_entropy_is_keras_own(case):
    mask, logits = case
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    expected = float(theirs(mask.astype(np.int32), logits))
    assert float(loss_of(mask, logits)) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_dice_and_tversky_are_keras_own_where_all_classes_are_there():
    generator = np.random.default_rng(0)
    mask, logits = generator.integers(0, 3, SHAPE).astype(np.uint8), generator.normal(size=(*SHAPE, 3)).astype("f4")
    true, p = keras.ops.one_hot(mask.astype(np.int32), 3), keras.ops.softmax(logits)
    dice = np.mean(keras.losses.dice(true, p, axis=(0, 1, 2)))
    assert float(loss_of(mask, logits, loss="dice")) == pytest.approx(dice, rel=1e-5)
    # Keras' alpha weighs (1 - p) * truth, which is a false negative.
    tversky = np.mean(keras.losses.tversky(true, p, alpha=0.8, beta=0.2, axis=(0, 1, 2)))
    assert float(loss_of(mask, logits, loss="tversky", tversky_alpha=0.2)) == pytest.approx(tversky, rel=1e-5)
    half = loss_of(mask, logits, loss="tversky", tversky_alpha=0.5)
    assert float(half) == pytest.approx(dice, rel=1e-5)


def certain(prediction, classes):
    return 200.0 * np.eye(classes, dtype=np.float32)[np.array(prediction)]


@pytest.mark.parametrize(("alpha", "index"), [(0.0, 2 / 3), (0.3, 2 / (2 + 0.3 * 3 + 0.7)), (1.0, 2 / 5)])
def test_alpha_is_what_a_false_positive_costs(alpha, index):
    """Class 1: two pixels right, one missed, three too many. Class 0: four right, three missed, one too many."""
    mask = np.array([[[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]]], np.uint8)
    logits = certain([[[1, 1, 0, 1, 1, 1, 0, 0, 0, 0]]], 2)
    other = 4 / (4 + alpha * 1 + (1 - alpha) * 3)
    found = float(loss_of(mask, logits, loss="tversky", tversky_alpha=alpha))
    assert found == pytest.approx(1 - (index + other) / 2, rel=1e-5)


def test_dice_and_jaccard_by_hand():
    """One of two pixels of class 1 found, nothing else wrong; class 2 is absent from the truth."""
    mask, logits = np.array([[[1, 1, 0, 255]]], np.uint8), certain([[[1, 0, 0, 2]]], 3)
    dice, jaccard = (2 / 3 + 2 / 3) / 2, (1 / 2 + 1 / 2) / 2
    assert float(loss_of(mask, logits, loss="dice")) == pytest.approx(1 - dice, rel=1e-5)
    assert float(loss_of(mask, logits, loss="jaccard")) == pytest.approx(1 - jaccard, rel=1e-5)
    right = certain([[[1, 1, 0, 0]]], 3)
    for name in LOSSES:
        assert float(loss_of(mask, right, loss=name)) == pytest.approx(0, abs=1e-5)


def test_the_weighted_mean_is_divided_by_the_weights():
    """As in PyTorch: twice as large weights change nothing."""
    mask, logits = np.array([[[0, 1, 1]]], np.uint8), np.zeros((1, 1, 3, 2), np.float32)
    logits[..., 0] = [1.0, 2.0, 0.0]
    losses = np.log1p(np.exp([-1.0, 2.0, 0.0]))
    for scale in (1.0, 2.0):
        weights = np.array([1.0, 3.0], np.float32) * scale
        assert float(loss_of(mask, logits, weights)) == pytest.approx(losses @ [1, 3, 3] / 7, rel=1e-5)


def test_the_boundary_weight_is_that_of_the_class_and_of_the_gap():
    """Two objects with one pixel between them: d1 + d2 is 2 there, and at their edges that face each other, too."""
    mask = np.array([[[1, 0, 1]]], np.uint8)
    gap = 4.0 * np.exp(-(2**2) / (2 * 3.0**2))
    logits = np.zeros((1, 1, 3, 2), np.float32)
    logits[..., 1] = [0.0, 1.0, -2.0]
    losses = np.log1p(np.exp([0.0, 1.0, 2.0]))
    for weights in (None, np.array([0.5, 2.0], np.float32)):
        w = np.array([1, 1, 1] if weights is None else [2, 0.5, 2]) + gap
        found = loss_of(mask, logits, weights, loss="boundary", boundary_weight=4.0, boundary_sigma=3.0)
        assert float(found) == pytest.approx(losses @ w / w.sum(), rel=1e-5)


@settings(max_examples=15)
@given(case=cases())
def test_a_sum_is_the_sum_of_its_parts(case):
    mask, logits = case
    expected = sum(factor * float(loss_of(mask, logits, WEIGHTS, loss=name)) for name, factor in EVERY.items())
    assert float(loss_of(mask, logits, WEIGHTS, loss=EVERY)) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@settings(max_examples=20)
@given(case=cases(), order=st.permutations([0, 1, 2]))
def test_classes_have_no_order(case, order):
    """Renamed in truth, logits and weights alike, they give the same loss. The weight map is left out: there the
    background is special."""
    mask, logits = case
    new = np.full(256, 255, np.uint8)
    new[order] = range(3)  # class order[k] becomes class k
    parts = {name: factor for name, factor in EVERY.items() if name != "boundary"}
    one = loss_of(mask, logits, WEIGHTS, loss=parts)
    other = loss_of(new[mask], logits[..., order], WEIGHTS[order], loss=parts)
    assert float(other) == pytest.approx(float(one), rel=1e-4, abs=1e-5)


def gradient(mask, logits, weights=None, **given):
    z = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = loss_of(mask, z, weights, **given)
    return float(loss), tape.gradient(loss, z).numpy()


@settings(max_examples=20)
@given(case=cases(), other=st.sampled_from([0.0, 1e4, -1e30, np.inf, np.nan]))
def test_ignored_pixels_never_matter(case, other):
    """Whatever the network says there, even what is no number, neither loss nor gradient sees it."""
    mask, logits = case
    changed = logits.copy()
    changed[mask == 255, 0] = other
    one, one_gradient = gradient(mask, logits, WEIGHTS, loss=EVERY)
    two, two_gradient = gradient(mask, changed, WEIGHTS, loss=EVERY)
    assert one == two
    np.testing.assert_array_equal(one_gradient, two_gradient)
    assert (two_gradient[mask == 255] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_that_count_have_a_gradient(name):
    mask = np.array([[[0, 1, 255], [2, 1, 0]]], np.uint8)
    _, found = gradient(mask, np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32), loss=name)
    assert ((found != 0).all(axis=-1) == (mask != 255)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_that_counts_is_zero_and_a_number(name):
    loss, found = gradient(np.full(SHAPE, 255, np.uint8), np.ones((*SHAPE, 3), np.float32), WEIGHTS, loss=name)
    assert loss == 0 and not found.any()


@pytest.mark.parametrize("given", [*LOSSES, "focal at 0.5", "tversky at 1", "tversky at 0"])
def test_gradients_where_the_network_is_sure(given):
    """Logits 20,000 apart, right in one half and wrong in the other, and both signs for a class that is absent."""
    name, _, value = given.partition(" at ")
    extra = {{"focal": "focal_gamma", "tversky": "tversky_alpha"}[name]: float(value)} if value else {}
    mask = np.array([[[0, 1, 0, 1, 255, 1]]], np.uint8)
    logits = np.full((1, 1, 6, 3), -1e4, np.float32)
    for place, label in enumerate([0, 1, 1, 0, 2, 2]):
        logits[0, 0, place, label] = 1e4
    loss, found = gradient(mask, logits, loss=name, **extra)
    assert np.isfinite(loss) and np.isfinite(found).all()
    if name in {"cross_entropy", "focal", "boundary"}:  # full where it is surely wrong
        assert (np.abs(found[0, 0, [2, 3, 5]]).max(axis=-1) > 0.1).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_computes_in_float32(name, dtype):
    """Sums of many pixels would be over float16's 65504 and under bfloat16's three digits."""
    generator = np.random.default_rng(3)
    mask = generator.integers(0, 2, (1, 300, 300)).astype(np.uint8)
    logits = tf.cast(generator.normal(size=(1, 300, 300, 2)) * 8, dtype)
    chosen = options(loss=name)
    targets = make_targets(tf.constant(mask), CLASSES, chosen)
    low = make_loss(chosen)(targets, logits)
    assert low.dtype == tf.float32
    assert float(low) == pytest.approx(float(make_loss(chosen)(targets, tf.cast(logits, tf.float32))), rel=1e-6)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean"])
def test_the_number_of_images_does_not_scale_the_loss(reduction):
    generator = np.random.default_rng(0)
    mask = generator.integers(0, 3, (1, 6, 6)).astype(np.uint8)
    logits = generator.normal(size=(1, 6, 6, 3)).astype(np.float32)
    found = []
    for copies in (1, 5):
        loss = make_loss(options(loss=EVERY))
        loss.reduction = reduction
        y = make_targets(tf.repeat(tf.constant(mask), copies, axis=0), CLASSES, options(loss=EVERY))
        found.append(float(loss(y, np.repeat(logits, copies, axis=0))))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", {"boundary": 1.0, "dice": 0.5}])
def test_fit_takes_targets_of_any_size_and_moves_every_weight(name):
    chosen = options(loss=name)
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    model.compile(optimizer="sgd", loss=make_loss(chosen))
    before = model.get_weights()
    for size in (8, 12):
        mask = np.random.default_rng(size).integers(0, 3, (2, size, size)).astype(np.uint8)
        task = Segmentation(NAMES, chosen, SegmentationInput())
        x, y = task.targets({"image": tf.random.stateless_uniform((2, size, size, 3), (0, 1)), "mask": mask})
        logits = model(x)
        logged = model.train_on_batch(x, y, return_dict=True)["loss"] if size == 8 else None
        if logged is not None:
            assert float(logged) == pytest.approx(float(make_loss(chosen)(y, logits)), rel=1e-4)
        else:
            assert model.evaluate(x, y, verbose=0) == pytest.approx(float(make_loss(chosen)(y, logits)), rel=1e-4)
    assert all((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


def test_the_recipe_reaches_the_loss():
    loss = make_loss(options(loss={"focal": 2.0, "tversky": 1.0}, focal_gamma=1.5, tversky_alpha=0.7))
    assert isinstance(loss, SegmentationLoss)
    assert (loss.factors, loss.gamma, loss.alpha) == ({"focal": 2.0, "tversky": 1.0}, 1.5, 0.7)
    assert make_loss(options()).factors == {"cross_entropy": 1.0} and make_loss(options()).class_weights is None


def test_class_weights_without_training_truth_are_not_silently_left_out():
    with pytest.raises(InputError, match=r"model\.class_weights: they come from the training truth"):
        make_loss(options(class_weights="balanced"))
