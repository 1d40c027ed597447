"""What every network for segmentation must do. A new one adds a line to `SMALL`."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from saccade.models.naming import make_importable
from saccade.models.segmentation import NETWORKS
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

make_importable(Path(__file__).parent)
OWN = "own_segmentation:backbone"
SMALL = {
    "unet": {"name": "unet", "width": 4},
    "unet, resized": {"name": "unet", "width": 4, "depth": 2, "upsampling": "resized"},
    "unet on a backbone": {"name": "unet", "backbone": OWN},
    "fcn8s": {"name": "fcn8s", "backbone": OWN},
    "fcn16s": {"name": "fcn16s", "backbone": OWN},
    "fcn32s": {"name": "fcn32s", "backbone": OWN},
    "segnet": {"name": "segnet", "width": 4},
    "deeplab_v3plus": {"name": "deeplab_v3plus", "backbone": OWN},
}
NAMES = ("sky", "tree", "house")


def make(size=None, class_names=NAMES, **options):
    image = SegmentationInput() if size is None else SegmentationInput(size=size, fit="stretch")
    return Segmentation(class_names, SegmentationOptions(**options), image).model()


@pytest.fixture(scope="module", params=SMALL)
def model(request):
    """A small one of each, for pictures of any size; dropout must change nothing outside training."""
    keras.utils.set_random_seed(0)
    return make(**SMALL[request.param], dropout=0.1)


@pytest.fixture
def one_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)


def test_scores_every_pixel_and_does_so_again_when_exported(model, pictures, tmp_path):
    module = tf.Module()
    module.model = model
    module.call = tf.function(lambda images: model(images, training=False), [tf.TensorSpec([None, None, None, 3])])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for images in (pictures(1, 32, 32), pictures(2, 64, 96)):
        logits = module.call(images)
        assert logits.shape == (*images.shape[:3], 3) and logits.dtype == "float32"
        np.testing.assert_allclose(saved.call(images), logits, atol=1e-5)


def test_one_step_moves_every_weight(model, pictures, one_loss):
    before = [weight.numpy() for weight in model.trainable_weights]
    kept = model.get_weights()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=one_loss, run_eagerly=True)
    ids = (pictures(2, 64, 64)[..., 0] % 3).astype(np.int32)
    assert np.isfinite(model.train_on_batch(pictures(2, 64, 64), ids, return_dict=True)["loss"])
    assert not [w.path for w, old in zip(model.trainable_weights, before, strict=True) if np.array_equal(w, old)]
    model.set_weights(kept)


def test_weights_are_saved_and_loaded(model, pictures, tmp_path):
    images = pictures(1, 32, 32)
    before = model(images, training=False)
    kept = model.get_weights()
    model.save_weights(tmp_path / "own.weights.h5")
    model.set_weights([np.zeros_like(weight) for weight in kept])
    model.load_weights(tmp_path / "own.weights.h5")
    np.testing.assert_array_equal(model(images, training=False), before)


def test_stages_hold_every_variable_once(model):
    stages = model.stages()
    flat = [id(variable) for variables in stages.values() for variable in variables]
    assert sorted(flat) == sorted(id(variable) for variable in model.trainable_variables)
    assert list(stages) == [*model.backbone.levels, "head"] and stages["head"]


@pytest.mark.parametrize("kind", ["unet", "segnet", "deeplab_v3plus"])
def test_logits_stay_in_float32_under_mixed_precision(kind, pictures, one_loss):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(32, **SMALL[kind])
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer(index=3).compute_dtype == "bfloat16"
    images = pictures(2, 32, 32)
    assert model(images).dtype == "float32"
    model.compile(optimizer="sgd", loss=one_loss, run_eagerly=True)
    ids = (images[..., 0] % 3).astype(np.int32)
    assert np.isfinite(model.train_on_batch(images, ids, return_dict=True)["loss"])


def test_the_papers_unet_has_as_many_weights_as_one_counts():
    """Figure 1 of the paper, with batch norm's four values a channel in place of the convolutions' biases."""

    def convolution(taken, given):
        return 9 * taken * given + 4 * given

    def two(taken, given):
        return convolution(taken, given) + convolution(given, given)

    down = two(3, 64) + two(64, 128) + two(128, 256) + two(256, 512) + two(512, 1024)
    up = sum(4 * 2 * width * width + width + two(2 * width, width) for width in (512, 256, 128, 64))
    assert make(32).count_params() == down + up + 64 * len(NAMES) + len(NAMES)


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.parameters])
def test_the_table_tells_the_truth(name):
    known = NETWORKS[name]
    model = make(known.minimum, name=name)
    without_top = sum(layer.count_params() for layer in model.layers if not layer.name.startswith("logits"))
    assert without_top == known.parameters
    assert tuple(model.backbone.levels) == known.strides
    assert model.stride == known.multiple == known.minimum


def test_the_table_knows_what_depends_on_the_backbone():
    known = NETWORKS["deeplab_v3plus"]
    model = make(known.minimum, **SMALL["deeplab_v3plus"])
    assert (known.parameters, known.strides) == (None, ())
    assert model.stride == known.multiple == known.minimum
