"""Backbones: preprocessing, levels, freezing."""

import keras
import numpy as np
import pytest

from saccade.models.backbones.applications import MINIMUM, efficientnet_b0, mobilenet_v2, resnet50
from saccade.models.backbones.backbone import Backbone
from saccade.models.errors import InputError

APPLICATIONS = {
    "mobilenet_v2": (mobilenet_v2, keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
    "resnet50": (resnet50, keras.applications.ResNet50, keras.applications.resnet.preprocess_input),
    "efficientnet_b0": (
        efficientnet_b0,
        keras.applications.EfficientNetB0,
        keras.applications.efficientnet.preprocess_input,
    ),
}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module", params=APPLICATIONS)
def application(request):
    """Name, our backbone, and what builds and preprocesses the plain network."""
    ours, plain, preprocess = APPLICATIONS[request.param]
    return request.param, ours((64, 48, 3)), plain, preprocess


def test_equals_preprocess_input_and_the_plain_application(application, pictures):
    name, backbone, plain, preprocess = application
    images = pictures(2, 64, 48)
    reference = plain(include_top=False, weights=None, input_shape=(64, 48, 3))
    reference.set_weights(backbone.net.get_weights())
    for layer in reference.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # preprocess_input writes into its argument
    expected = reference(preprocess(images.copy()), training=False)
    np.testing.assert_allclose(backbone.net(images, training=False), expected, rtol=1e-4, atol=1e-5)


def test_efficientnet_normalises_by_mean_and_deviation(pictures):
    net = efficientnet_b0((32, 32, 3)).net
    images = pictures(2, 32, 32)
    normalised = keras.Model(net.inputs[0], net.get_layer("stem_conv_pad").input)(images)
    np.testing.assert_allclose(normalised, (images / 255 - MEAN) / DEVIATION, atol=1e-5)


def test_levels_align_with_the_input(application):
    backbone = application[1]
    assert list(backbone.levels) == [2, 4, 8, 16, 32]
    for stride, level in backbone.levels.items():
        assert level.shape[1:3] == (-(-64 // stride), -(-48 // stride))


def test_odd_sizes_align_too():
    backbone = mobilenet_v2((75, 33, 3))
    assert [level.shape[1:3] for level in backbone.levels.values()] == [(38, 17), (19, 9), (10, 5), (5, 3), (3, 2)]


def test_size_may_follow_the_picture(pictures):
    backbone = mobilenet_v2((None, None, 3))
    assert backbone.net(pictures(1, 64, 96)).shape == (1, 2, 3, 1280)


def test_refuses_levels_that_do_not_align():
    image = keras.Input((33, 33, 3))
    half = keras.layers.Conv2D(4, 3, strides=2, padding="valid")(image)  # 16 x 16, not 17 x 17
    with pytest.raises(InputError, match="level 2 is 16 x 16 for an input of 33 x 33, not 17 x 17"):
        Backbone(keras.Model(image, half, name="own"), {2: half})


@pytest.mark.parametrize("name", APPLICATIONS)
def test_refuses_an_input_that_is_too_small(name):
    ours, plain, _ = APPLICATIONS[name]
    with pytest.raises(InputError, match=rf"input\.size: 31 x 40 pixels are too few for {name}: at least 32 x 32"):
        ours((MINIMUM - 1, 40, 3))
    with pytest.raises(ValueError, match="Input size must be at least 32x32"):  # Keras' own limit is the same
        plain(include_top=False, weights=None, input_shape=(MINIMUM - 1, 40, 3))


def test_freezes_up_to_a_level():
    backbone = mobilenet_v2((32, 32, 3))
    backbone.freeze(16)
    frozen = {layer.name for layer in backbone.net.layers if not layer.trainable}
    assert {"Conv1", "bn_Conv1", "block_12_project", "block_13_expand", "block_13_expand_BN"} <= frozen
    assert not frozen & {"block_13_depthwise", "block_14_expand", "Conv_1"}


def test_freezing_all_makes_a_fixed_function(pictures):
    backbone = efficientnet_b0((32, 32, 3))  # has dropout inside, which Keras does not freeze
    backbone.freeze("all")
    images = pictures(4, 32, 32)
    assert backbone.net.trainable_weights == []
    np.testing.assert_array_equal(backbone.net(images, training=True), backbone.net(images, training=False))


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
