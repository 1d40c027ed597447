"""The networks of keras.applications: all are there, what the table says of them holds, and each is Keras' own."""

import gc

import keras
import numpy as np
import pytest

from saccade.models import find_task
from saccade.models.backbones.applications import DEVIATION, build
from saccade.models.backbones.families import FAMILIES, NETWORKS, family_of
from saccade.models.backbones.weights import load_imagenet
from saccade.models.errors import InputError

TASK = find_task("classification")
SMALLEST = [min(family.members, key=lambda name: NETWORKS[name].parameters) for family in FAMILIES]
SLOW = ("inception_resnet_v2", "nasnet_mobile")  # to build


def quick(*names):
    """A family's smallest each; the quick ones always, the others among the checks of quality."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.quality) for name in SMALLEST]


QUICK = quick(*(name for name in SMALLEST if name not in SLOW))


def size_of(name):
    """Small sides at which all levels align; odd ones where these may be odd."""
    minimum, multiple = NETWORKS[name].minimum, NETWORKS[name].multiple
    if multiple == 1:
        return (minimum + 1, minimum + 13)
    return (-(-minimum // multiple) * multiple, (minimum // multiple + 1) * multiple)


def make(name):
    return build(name, (*size_of(name), 3))


@pytest.fixture(scope="module", params=QUICK)
def smallest(request):
    """A family's smallest network."""
    yield make(request.param)
    gc.collect()


@pytest.fixture(scope="module", params=NETWORKS)
def every(request):
    """Every network in turn; the largest takes 1.4 GB."""
    yield make(request.param)
    gc.collect()


def keras_own(name, shape):
    """The network as a user of Keras builds it, and what its images go through before."""
    family = family_of(name)
    builder = getattr(keras.applications, family.members[name].builder)
    net = builder(include_top=False, weights=None, input_shape=shape)
    return net, getattr(keras.applications, family.module).preprocess_input


def assert_as_the_table_says(backbone):
    known = NETWORKS[backbone.net.name]
    assert backbone.net.count_params() == known.parameters
    assert tuple(backbone.levels) == known.strides
    height, width = backbone.net.inputs[0].shape[1:3]
    for stride, level in backbone.levels.items():
        assert level.shape[1:3] == (-(-height // stride), -(-width // stride))


def assert_equals_keras(backbone, random_images):
    images = random_images(2, *backbone.net.inputs[0].shape[1:3])
    net, preprocess = keras_own(backbone.net.name, backbone.net.inputs[0].shape[1:])
    net.set_weights(backbone.net.get_weights())
    for layer in net.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    expected = net(preprocess(images.copy()), training=False)  # preprocess_input writes into its argument
    np.testing.assert_allclose(backbone.net(images, training=False), expected, rtol=1e-3, atol=1e-5)


def assert_levels_freeze_one_after_the_other(backbone):
    frozen = [0]
    for stride in backbone.levels:
        backbone.freeze(stride)
        frozen.append(sum(not layer.trainable for layer in backbone.net.layers))
    assert frozen == sorted(set(frozen))
    backbone.freeze("all")
    assert backbone.net.trainable_weights == []


def assert_takes_imagenet_weights(name, random_images, folder, monkeypatch):
    """Keras' own loading, of a file that stands here in place of the download."""
    source, preprocess = keras_own(name, (224, 224, 3))
    for layer in source.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:  # as EfficientNet's files have it
            layer.set_weights([np.array([0.485, 0.456, 0.406]), DEVIATION, np.int32(0)])
    source.save(folder / "notop.h5")
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(folder / "notop.h5"))
    backbone = build(name, (224, 224, 3))
    load_imagenet(backbone, name)
    images = random_images(1, 224, 224)
    expected = backbone.imagenet()(preprocess(images.copy()), training=False)
    np.testing.assert_allclose(backbone.net(images, training=False), expected, rtol=1e-3, atol=1e-5)


def test_every_network_of_keras_has_a_name():
    builders = {name for name in vars(keras.applications) if name[0].isupper()}
    assert builders == {member.builder for family in FAMILIES for member in family.members.values()}
    assert set(NETWORKS) <= set(TASK.models)


def test_a_familys_smallest_is_as_the_table_says(smallest):
    assert_as_the_table_says(smallest)


def test_a_familys_smallest_equals_preprocess_input_and_keras_own(smallest, random_images):
    assert_equals_keras(smallest, random_images)


def test_a_familys_smallest_has_a_pyramid_or_refuses_it(smallest):
    if smallest.levels:
        assert list(smallest.pyramid([32, 8])) == [32, 8]
        return
    name = smallest.net.name
    with pytest.raises(InputError) as refused:
        smallest.pyramid([8, 32])
    assert str(refused.value).startswith(
        f"model.backbone: {name} at {' x '.join(map(str, size_of(name)))} has no level of stride 8, 32 "
        f"(it has no levels: the maps of {name} do not align at any size); networks with all: convnext_base, "
    )
    assert "xception" in str(refused.value) and "inception" not in str(refused.value).partition("networks with all")[2]
    with pytest.raises(InputError, match=f"no level of stride 8: this backbone has no levels: the maps of {name} do"):
        smallest.freeze(8)


def test_levels_that_round_down_are_left_out():
    backbone = build("mobilenet", (100, 96, 3))
    assert list(backbone.levels) == [2, 4]
    where = "mobilenet has 2, 4, 8, 16, 32 where both sides are multiples of 32"
    with pytest.raises(InputError) as refused:
        backbone.pyramid([4, 8])
    assert f"mobilenet at 100 x 96 has no level of stride 8 (it has 2, 4: {where})" in str(refused.value)
    with pytest.raises(InputError, match=f"no level of stride 16: this backbone has 2, 4: {where}; or none, all"):
        backbone.freeze(16)


def test_no_network_may_have_all_levels_asked_for():
    with pytest.raises(InputError, match="no level of stride 64 .*; networks with all: none"):
        build("mobilenet", (32, 32, 3)).pyramid([32, 64])


@pytest.mark.parametrize("name", NETWORKS)
def test_refuses_an_input_that_is_too_small(name):
    minimum = NETWORKS[name].minimum
    with pytest.raises(
        InputError,
        match=rf"input\.size: {minimum - 1} x 224 pixels are too few for {name}: at least {minimum} x {minimum}",
    ):
        build(name, (minimum - 1, 224, 3))
    with pytest.raises(ValueError, match=f"Input size must be at least {minimum}x{minimum}"):  # Keras' own limit
        keras_own(name, (minimum - 1, 224, 3))


@pytest.mark.parametrize("name", ["inception_v3", "inception_resnet_v2", "xception", "nasnet_mobile", "nasnet_large"])
def test_refuses_to_follow_the_image_where_a_network_cannot(name):
    with pytest.raises(InputError, match=rf"input\.fit: {name} is built for one size: take letterbox or stretch"):
        build(name, (None, None, 3))


def test_an_unknown_name_is_no_attribute():
    from saccade.models.backbones import applications

    assert applications.vgg16.args == ("vgg16",)
    with pytest.raises(AttributeError, match="has no attribute 'vgg17'"):
        applications.vgg17  # noqa: B018


# Writing the older format, which is done only here, Keras 3.15 goes against NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("name", quick("efficientnet_b0"))
def test_takes_imagenet_weights_as_keras_loads_them(name, random_images, tmp_path, monkeypatch):
    assert_takes_imagenet_weights(name, random_images, tmp_path, monkeypatch)


@pytest.mark.quality
def test_every_network_is_as_the_table_says_and_keras_own(every, random_images):
    assert_as_the_table_says(every)
    assert_equals_keras(every, random_images)


@pytest.mark.quality
@pytest.mark.parametrize("name", [name for name in NETWORKS if not family_of(name).fixed])
def test_every_network_that_may_follow_the_image_does(name, random_images):
    backbone = build(name, (None, None, 3))
    assert tuple(backbone.levels) == NETWORKS[name].strides
    levels = keras.Model(backbone.net.inputs[0], list(backbone.levels.values()))(
        random_images(1, 32, 64), training=False
    )
    assert [level.shape[1:3] for level in levels] == [(-(-32 // s), -(-64 // s)) for s in backbone.levels]


@pytest.mark.quality
def test_every_network_freezes_level_by_level(every, random_images):
    images = random_images(2, *every.net.inputs[0].shape[1:3])
    assert_levels_freeze_one_after_the_other(every)
    np.testing.assert_array_equal(every.net(images, training=True), every.net(images, training=False))


@pytest.mark.quality
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_in_the_classifier(name, random_images):
    keras.utils.set_random_seed(0)
    height, width = size_of(name)
    task = TASK(("ant", "bee"), TASK.ModelOptions(name=name), TASK.Input.Options(size=(height, width)))
    model = task.model()
    model.compile(optimizer=keras.optimizers.Lion(1e-4), run_eagerly=True)  # its steps do not depend on the gradient
    before = [weight.numpy() for weight in model.trainable_weights]
    x, y = task.targets({"image": random_images(4, height, width), "label": np.array([0, 1, 0, 1], np.int32)})
    assert np.isfinite(model.train_on_batch(x, y, return_dict=True)["loss"])
    assert not [w.path for w, old in zip(model.trainable_weights, before, strict=True) if np.array_equal(w, old)]
    del model, before
    gc.collect()
