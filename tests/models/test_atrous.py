"""Backbones whose last stage is dilated: the old map is in the new one, number for number."""

import gc

import keras
import numpy as np
import pytest

from saccade.models.backbones.applications import build
from saccade.models.backbones.atrous import atrous
from saccade.models.backbones.families import FAMILIES, NETWORKS

SMALLEST = [min(family.members, key=lambda name: NETWORKS[name].parameters) for family in FAMILIES if family.atrous]
OFFSET = {
    "mobilenet": 1,
    "mobilenet_v2": 1,
}  # which stride from rows 2 i to 2 i + 2: around 2 i + 1
QUICK = ("mobilenet", "mobilenet_v2", "vgg16")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.quality) for name in SMALLEST]
)
def test_every_second_row_and_column_is_the_old_map(name, random_images):
    keras.utils.set_random_seed(0)
    backbone = build(name, (96, 64, 3))
    images = random_images(2, 96, 64)
    backbone.set_batch_norm_momentum(0)
    backbone.net(images, training=True)  # statistics of these random_images, so that no signal fades on its way down
    dilated = atrous(backbone)
    assert [weight.shape for weight in dilated.net.weights] == [weight.shape for weight in backbone.net.weights]
    dilated.net.set_weights(backbone.net.get_weights())
    old, new = backbone.net(images, training=False), dilated.net(images, training=False)
    start = OFFSET.get(name, 0)
    assert new.shape == (2, 6, 4, old.shape[-1]) and list(dilated.levels) == [2, 4, 8, 16]
    np.testing.assert_allclose(new[:, start::2, start::2], old, rtol=1e-3, atol=1e-3 * np.abs(old).max())
    largest = float(np.abs(old).max())
    assert largest > 1e-3 and not np.allclose(new[:, 1 - start :: 2, 1 - start :: 2], old, atol=0.01 * largest)
    finer = {stride: level.shape for stride, level in backbone.levels.items() if stride < 16}
    assert {stride: level.shape for stride, level in dilated.levels.items() if stride < 16} == finer
    gc.collect()


def test_freezing_up_to_the_last_level_is_freezing_all():
    dilated = atrous(build("mobilenet", (32, 32, 3)))
    dilated.freeze(8)
    assert dilated.net.trainable_weights
    dilated.freeze(16)
    assert not dilated.net.trainable_weights
