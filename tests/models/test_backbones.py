"""Backbones: preprocessing, levels, freezing."""

import keras
import numpy as np
import pytest

from saccade.models.backbones.applications import efficientnet_b0, mobilenet_v2
from saccade.models.backbones.backbone import Backbone
from saccade.models.errors import InputError

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def test_efficientnet_normalises_by_mean_and_deviation(random_images):
    net = efficientnet_b0((32, 32, 3)).net
    images = random_images(2, 32, 32)
    normalised = keras.Model(net.inputs[0], net.get_layer("stem_conv_pad").input)(images)
    np.testing.assert_allclose(normalised, (images / 255 - MEAN) / DEVIATION, atol=1e-5)


def test_odd_sizes_align_too():
    backbone = mobilenet_v2((75, 33, 3))
    assert [level.shape[1:3] for level in backbone.levels.values()] == [(38, 17), (19, 9), (10, 5), (5, 3), (3, 2)]


def test_size_may_follow_the_image(random_images):
    backbone = mobilenet_v2((None, None, 3))
    assert backbone.net(random_images(1, 64, 96)).shape == (1, 2, 3, 1280)


def test_refuses_levels_that_do_not_align():
    image = keras.Input((33, 33, 3))
    half = keras.layers.Conv2D(4, 3, strides=2, padding="valid")(image)  # 16 x 16, not 17 x 17
    with pytest.raises(InputError, match="level 2 is 16 x 16 for an input of 33 x 33, not 17 x 17"):
        Backbone(keras.Model(image, half, name="own"), {2: half})


def test_freezes_up_to_a_level():
    backbone = mobilenet_v2((32, 32, 3))
    backbone.freeze(16)
    frozen = {layer.name for layer in backbone.net.layers if not layer.trainable}
    assert {"Conv1", "bn_Conv1", "block_12_project", "block_13_expand", "block_13_expand_BN"} <= frozen
    assert not frozen & {"block_13_depthwise", "block_14_expand", "Conv_1"}


def test_freezing_all_makes_a_fixed_function(random_images):
    backbone = efficientnet_b0((32, 32, 3))  # has dropout inside, which Keras does not freeze
    backbone.freeze("all")
    images = random_images(4, 32, 32)
    assert backbone.net.trainable_weights == []
    np.testing.assert_array_equal(backbone.net(images, training=True), backbone.net(images, training=False))


def test_frozen_batch_norm_uses_its_stored_statistics_in_training(random_images):
    backbone = mobilenet_v2((32, 32, 3))
    images = random_images(4, 32, 32)
    assert not np.allclose(backbone.net(images, training=True), backbone.net(images, training=False))
    backbone.freeze_batch_norm()
    np.testing.assert_array_equal(backbone.net(images, training=True), backbone.net(images, training=False))
    assert len(backbone.net.trainable_weights) == 52  # a kernel for each


def test_refuses_to_freeze_up_to_an_unknown_level():
    with pytest.raises(InputError, match="no level of stride 3: this backbone has 2, 4, 8, 16, 32; or none, all"):
        mobilenet_v2((32, 32, 3)).freeze(3)
    image = keras.Input((8, 8, 3))
    with pytest.raises(InputError, match="no level of stride 4: this backbone has no levels; or none, all"):
        Backbone(keras.Model(image, keras.layers.Conv2D(4, 3)(image))).freeze(4)


def test_sets_the_momentum_of_every_batch_norm():
    backbone = mobilenet_v2((32, 32, 3))
    norms = [layer for layer in backbone.net.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {norm.momentum for norm in norms} == {0.999}
    backbone.set_batch_norm_momentum(0.9)
    assert len(norms) == 52 and {norm.momentum for norm in norms} == {0.9}
