"""MixUp and CutMix: their distributions, that images and targets agree, that nothing but the seeds decides."""

import pickle
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.augment import Augmenter, AugmentError

EPOCH = tf.constant(0, tf.int64)


def keys(count, first=0):
    return tf.constant([f"{number}.png" for number in range(first, first + count)])


def mixing(steps, count=8, height=12, width=20, epoch=0, seed=0, first=0):
    return Augmenter(steps).mixer(keys(count, first), tf.constant(epoch, tf.int64), seed, height, width)


@pytest.mark.parametrize("alpha", [0.02, 0.2, 1.0, 4.0])
def test_shares_of_mixup_are_of_the_beta_distribution(alpha):
    """Against NumPy's, by mean and by the distance of the distributions (Kolmogorov and Smirnov, at 1 in 1000)."""
    share = np.sort(mixing([{"MixUp": {"alpha": alpha}}], 8000).share.numpy())
    expected = np.sort(np.random.default_rng(0).beta(alpha, alpha, 200_000).astype(np.float32))
    assert share.mean() == pytest.approx(0.5, abs=4 * expected.std() / np.sqrt(8000))
    places = np.unique(np.concatenate([share, expected]))
    below = [np.searchsorted(each, places, side="right") / len(each) for each in (share, expected)]
    assert np.abs(below[0] - below[1]).max() < 1.95 / np.sqrt(8000) * np.sqrt(1 + 8000 / 200_000)


def test_the_smallest_alpha_keeps_all_or_nothing():
    share = mixing([{"MixUp": {"alpha": 1e-4}}], 2000).share.numpy()
    assert np.mean((share < 0.01) | (share > 0.99)) > 0.99
    assert share.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2000))


def test_mixup_against_numpy():
    mixed = mixing(["MixUp"])
    x = np.random.default_rng(0).uniform(0, 255, (8, 12, 20, 3)).astype(np.float32)
    y, w = np.eye(8, dtype=np.float32)[:, :5], np.arange(8, dtype=np.float32)
    share, partner = mixed.share.numpy(), mixed.partner.numpy()
    got_x, got_y, got_w = mixed.targets(tf.constant(x), tf.constant(y), tf.constant(w))
    part = share[:, None, None, None]
    np.testing.assert_allclose(got_x, part * x + (1 - part) * x[partner], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(got_y, share[:, None] * y + (1 - share[:, None]) * y[partner], atol=1e-6)
    np.testing.assert_allclose(got_w, share * w + (1 - share) * w[partner], atol=1e-5)
    assert sorted(partner) == list(range(8))


@settings(max_examples=25)
@given(height=st.integers(1, 40), width=st.integers(1, 40), epoch=st.integers(0, 1000), alpha=st.floats(0.1, 5))
def test_the_area_of_cutmix_is_the_share_of_the_label(height, width, epoch, alpha):
    mixed = mixing([{"CutMix": {"alpha": alpha, "p": 1.0}}], 6, height, width, epoch)
    own, other = np.full((6, height, width, 3), 7, np.float32), np.full((6, height, width, 3), 9, np.float32)
    assert (mixed.apply(tf.constant(own)).numpy() == own).all()
    black_and_white = np.where(np.arange(6)[:, None, None, None] % 2 == 0, own, other)
    kept = mixed.kept.numpy()[..., 0]
    np.testing.assert_allclose(mixed.share, kept.mean(axis=(1, 2)), atol=1e-6)
    images = mixed.apply(tf.constant(black_and_white)).numpy()
    expected = np.where(kept[..., None] == 1, black_and_white, black_and_white[mixed.partner.numpy()])
    np.testing.assert_array_equal(images, expected)
    for each in kept:  # what is not kept is one box
        rows, columns = np.nonzero((each == 0).any(axis=1))[0], np.nonzero((each == 0).any(axis=0))[0]
        assert (each == 0).sum() == len(rows) * len(columns)
        assert not len(rows) or (np.ptp(rows) + 1 == len(rows) and np.ptp(columns) + 1 == len(columns))


def test_boxes_of_cutmix_have_the_size_that_was_drawn_and_lie_anywhere():
    """Without the border, a box has the area 1 - share; its centre is uniform, so the border takes a known part."""
    kept = mixing([{"CutMix": {"p": 1.0}}], 20_000, 32, 16).kept.numpy()[..., 0]
    # E[covered side] of a box with side s and a uniform centre in [0, 1]: s - s**2 / 4; side**2 is uniform for alpha 1
    side = np.sqrt(np.linspace(0, 1, 100001))
    assert 1 - kept.mean() == pytest.approx(np.mean((side - side**2 / 4) ** 2), abs=0.01)
    covered = 1 - kept.mean(axis=0)
    np.testing.assert_allclose(covered, covered[::-1, ::-1], atol=0.023)  # 5 standard deviations


@pytest.mark.parametrize(
    ("p", "expected"),
    [((0.3, 0.5), (0.3, 0.5)), ((1.0, 0.5), (2 / 3, 1 / 3)), ((0.0, 1.0), (0.0, 1.0)), ((0.0, 0.0), (0.0, 0.0))],
)
def test_each_batch_gets_one_mix_by_their_p(p, expected):
    mixer = Augmenter([{"MixUp": {"p": p[0]}}, {"CutMix": {"p": p[1]}}]).mixer
    graph = tf.function(lambda epoch: mixer(keys(4), epoch, 0, 16, 16).kept)
    kinds = {"up": 0, "cut": 0}
    for epoch in range(200):
        kept = graph(tf.constant(epoch, tf.int64)).numpy()
        if kept.shape[1:] == (16, 16, 1):
            kinds["cut"] += 1
        elif (kept < 1).any():
            kinds["up"] += 1
    for name, share in zip(("up", "cut"), expected, strict=True):
        assert kinds[name] / 200 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 200))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_seed_epoch_and_keys_decide_and_nothing_else(name):
    steps = [{name: {"p": 1.0}}]
    base = mixing(steps)
    tf.random.set_seed(99)
    assert same(base, mixing(steps))
    for other in ({"epoch": 1}, {"seed": 1}, {"first": 1}):
        assert not same(base, mixing(steps, **other))
    mixer = pickle.loads(pickle.dumps(Augmenter(steps))).mixer
    graph = tf.function(lambda: mixer(keys(8), EPOCH, 0, 12, 20))
    assert same(base, graph())


def test_one_sample_alone_is_mixed_with_itself():
    x = tf.random.stateless_uniform([1, 12, 20, 3], [0, 0])
    np.testing.assert_allclose(mixing(["MixUp"], 1).apply(x), x, atol=1e-6)


def test_the_list_is_split_into_transforms_and_mixes():
    both = Augmenter(["MixUp", "HorizontalFlip"])
    assert both and both.transforms and both.mixer.names == "MixUp"
    mixes = Augmenter([{"CutMix": {}}, "MixUp"])
    assert mixes and not mixes.transforms and mixes.mixer.names == "CutMix, MixUp"
    sample = {"image": np.zeros((4, 4, 3), np.uint8)}
    assert mixes(sample, 0)["image"] is sample["image"]
    assert Augmenter(["HorizontalFlip"]).mixer is None


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["Mixup"], "augment[0]: unknown transform 'Mixup': did you mean MixUp"),
        (["cutmix"], "augment[0]: unknown transform 'cutmix': did you mean CutMix"),
        ([{"MixUp": {"aplha": 1}}], "augment[0]: MixUp: unknown argument 'aplha': did you mean alpha"),
        ([{"MixUp": {"alpha": 0}}], "augment[0]: MixUp: alpha=0: Input should be greater than 0"),
        ([{"MixUp": {"alpha": float("inf")}}], "augment[0]: MixUp: alpha=inf: Input should be a finite number"),
        (["Blur", {"CutMix": {"p": "often"}}], "augment[1]: CutMix: p='often': Input should be a valid number"),
        ([{"CutMix": {"p": 1.5}}], "augment[0]: CutMix: p=1.5: Input should be less than or equal to 1"),
        ([{"MixUp": {"transforms": []}}], "augment[0]: MixUp holds no 'transforms'"),
        (
            [{"OneOf": {"transforms": ["MixUp", "CutMix"]}}],
            "augment[0].OneOf.transforms[0]: MixUp: it mixes whole batches; it stands in the list itself",
        ),
    ],
)
def test_what_is_wrong_is_told(steps, message):
    with pytest.raises(AugmentError, match=f"^{re.escape(message)}"):
        Augmenter(steps)
