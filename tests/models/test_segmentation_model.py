"""The segmenter: what it refuses, what is frozen, networks and backbones of a user's own."""

from pathlib import Path

import keras
import numpy as np
import pytest

from saccade.models.errors import InputError
from saccade.models.naming import make_importable
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions, SegmentationResults
from saccade.models.segmentation.task import Segmentation

make_importable(Path(__file__).parent)
OWN = "own_segmentation:backbone"


def make(size=32, **options):
    image = SegmentationInput() if size is None else SegmentationInput(size=size, fit="stretch")
    return Segmentation(("sky", "tree"), SegmentationOptions(**options), image)


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def refusal(size=32, **options) -> str:
    with pytest.raises(InputError) as refused:
        make(size, **options).model()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_brings_its_own_loss_and_accuracy(random_images):
    task = make(name="unet", width=2, depth=1)
    model = task.model()
    model.compile(optimizer="sgd")
    mask = np.zeros((2, 32, 32), np.uint8)
    mask[:, :4] = 255
    x, y = task.targets({"image": random_images(2, 32, 32), "mask": mask})
    metrics = model.evaluate(x, y, verbose=0, return_dict=True)
    right = np.argmax(model.predict(x, verbose=0), axis=-1)[:, 4:] == 0
    assert metrics["accuracy"] == pytest.approx(right.mean())
    assert np.isfinite(metrics["loss"])


def test_freezing_leaves_frozen_weights_and_statistics_as_they_are(random_images):
    model = make(name="unet", backbone=OWN, freeze=8).model()
    model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.train_on_batch(random_images(2, 32, 32), np.zeros((2, 32, 32), np.int32))
    still = {weight.path.split("/")[0] for weight in model.weights if np.array_equal(weight, before[weight.path])}
    assert still == {f"own{stride}_{layer}" for stride in (2, 4, 8) for layer in ("conv", "norm")}
    assert not {id(each) for each in model.stages()[8]} and model.stages()[16]


def test_the_encoder_of_a_networks_own_paper_can_be_frozen():
    assert make(name="fcn32s", freeze="all").model().backbone.net.trainable_weights == []


@pytest.mark.parametrize("loss", ["dice", {"jaccard": 1.0, "tversky": 1.0}])
def test_class_weights_without_a_loss_that_takes_them_are_refused(loss):
    with pytest.raises(ValueError, match="class_weights are for cross_entropy, focal, boundary, and loss is [djt]"):
        SegmentationOptions(loss=loss, class_weights="balanced")
    assert SegmentationOptions(loss={"dice": 1.0, "focal": 1.0}, class_weights={"tree": 2.0})


def test_a_threshold_for_three_classes_is_refused():
    task = Segmentation(
        ("sky", "tree", "rock"), SegmentationOptions(), SegmentationInput(), SegmentationResults(threshold=0.3)
    )
    with pytest.raises(InputError, match="^results.threshold: for two classes, and these are 3: leave it out$"):
        task.model()


def test_freezing_all_leaves_the_decoder():
    model = make(name="fcn32s", backbone=OWN, freeze="all").model()
    assert model.backbone.net.trainable_weights == []
    assert {each.path.split("/")[0] for each in model.trainable_weights} == {"head32_conv", "head32_norm", "logits32"}


def test_batch_norm_of_a_network_without_a_backbone_is_not_frozen():
    assert "model.batch_norm: 'own_segmentation:plain' does not say which part is its backbone" in refusal(
        name="own_segmentation:plain", batch_norm="frozen"
    )
    assert make(name="own_segmentation:plain", batch_norm="train").model()


def test_refuses_to_freeze_up_to_a_level_that_is_not_there():
    found = refusal(name="unet", backbone=OWN, freeze=3)
    assert found == "model.freeze: no level of stride 3: this backbone has 2, 4, 8, 16, 32; or none, all"


def test_momentum_is_that_of_every_batch_norm():
    assert {norm.momentum for norm in norms(make(name="unet", backbone=OWN).model())} == {0.9}
    assert {norm.momentum for norm in norms(make(name="segnet", width=2, batch_norm_momentum=0.5).model())} == {0.5}
    assert {norm.momentum for norm in norms(make(name="unet", width=2, batch_norm_momentum=None).model())} == {0.99}


def test_a_real_backbone_takes_its_own_momentum_too():
    model = make(name="fcn32s", backbone="mobilenet_v2").model()
    assert len(norms(model)) == 53 and {norm.momentum for norm in norms(model)} == {0.9}


def test_fcn_begins_with_what_the_coarsest_scores_say(random_images):
    """Finer scores are zero at the beginning, so the three differ by how they upsample alone."""
    keras.utils.set_random_seed(0)
    models = [make(None, name=name, backbone=OWN).model() for name in ("fcn8s", "fcn32s")]
    for layer in models[1].layers:
        layer.set_weights(models[0].get_layer(layer.name).get_weights() if layer.weights else [])
    images = random_images(1, 256, 256)
    finer, coarser = (model(images, training=False)[:, 64:-64, 64:-64] for model in models)
    assert np.corrcoef(np.ravel(finer), np.ravel(coarser))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (40, {"name": "unet", "width": 2}, "input.size: 40 x 40: unet of depth 4 needs .* multiples of 16"),
        (48, {"name": "unet", "backbone": OWN}, f"input.size: 48 x 48: unet on {OWN} needs .* multiples of 32"),
        (48, {"name": "fcn8s"}, "input.size: 48 x 48: fcn8s needs height and width that are multiples of 32"),
        ((32, 40), {"name": "segnet"}, "input.size: 32 x 40: segnet needs"),
        (16, {"name": "deeplab_v3plus", "backbone": OWN}, "input.size: 16 x 16: deeplab_v3plus needs"),
        (None, {"name": "unet", "width": 1, "depth": 6}, "input.stride: unet needs .* multiples of 64, not of 32"),
        (32, {"name": "segnet", "backbone": "mobilenet_v2"}, "model.backbone: segnet has an encoder of its own"),
        (32, {"name": "deeplab_v3plus"}, "model.backbone: deeplab_v3plus needs one, .*: .*mobilenet_v2"),
        (32, {"name": "fcn8s", "backbone": "own_segmentation:no_backbone"}, "returned a Sequential, not a Backbone"),
        (
            32,
            {"name": "unet", "backbone": "own_segmentation:backbone_without_4"},
            r"model.backbone: own_backbone at 32 x 32 has no level of stride 4 \(it has 2, 8, 16, 32\); .*mobilenet_v2",
        ),
        (None, {"name": "fcn8s", "backbone": "xception"}, "input.fit: xception is built for one size: take letterbox"),
        (32, {"name": "unett"}, "unknown model 'unett': did you mean unet"),
    ],
)
def test_refuses_what_does_not_go_together(size, options, message):
    with pytest.raises(InputError, match=message):
        make(size, **options).model()
    refusal(size, **options)


@pytest.mark.parametrize("size", [32, None])
def test_takes_a_network_of_your_own(random_images, size):
    plain = make(size, name="own_segmentation:plain").model()
    assert plain(random_images(2, 32, 32)).shape == (2, 32, 32, 2)
    assert list(plain.stages()) == ["head"] and plain.encoder is None
    own = make(
        size, name="own_segmentation:with_levels", backbone="own_segmentation:its_own_business", freeze=2
    ).model()
    assert own(random_images(1, 32, 32)).shape == (1, 32, 32, 2)
    assert len(own.trainable_weights) == 2 and list(own.stages()) == [2, "head"]


@pytest.mark.parametrize("size", [32, None])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("halved", "float32 [1, {}, {}, 2]"),
        ("one_too_many", "float32 [1, {}, {}, 3]"),
        ("short", "float16 [1, {}, {}, 2]"),
        ("two", "float32 [1, {}, {}, 2], float32 [1, {}, {}, 2]"),
    ],
)
def test_refuses_a_network_of_your_own_with_another_output(size, name, found):
    height, width = (32, 32) if size else (64, 96)
    sides = (height // 2, width // 2) if name == "halved" else (height, width)
    assert refusal(size, name=f"own_segmentation:{name}") == (
        f"model 'own_segmentation:{name}' must make logits float32 [1, {height}, {width}, 2] (a score of each class "
        f"for each pixel) of an image of {height} x {width}, and makes {found.format(*sides * 2)}"
    )


def test_refuses_what_is_no_network():
    assert refusal(name="own_segmentation:number") == (
        "model 'own_segmentation:number' returned a int, not a keras.Model"
    )


def test_a_network_without_a_backbone_has_nothing_to_freeze():
    assert refusal(name="own_segmentation:plain", backbone=OWN, freeze="all").startswith(
        "model.freeze: 'own_segmentation:plain' does not say which part is its backbone"
    )
