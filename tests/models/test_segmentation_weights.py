"""What a segmenter starts from: files, ImageNet, former runs of both tasks; and each that does not fit."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest

from saccade.models import find_task
from saccade.models.errors import InputError
from saccade.models.naming import make_importable
from saccade.models.predictor import WEIGHTS, Predictor
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

make_importable(Path(__file__).parent)
OWN = "own_segmentation:backbone"
NAMES = ("sky", "tree")


def make(weights="none", class_names=NAMES, **options):
    options = {"name": "unet", "backbone": OWN, "weights": str(weights)} | options
    return Segmentation(class_names, SegmentationOptions(**options), SegmentationInput())


def classifier(weights="none"):
    kind = find_task("classification")
    return kind(NAMES, kind.ModelOptions(name=OWN, weights=str(weights)), kind.Input.Options(size=32))


def save_run(task, folder, name="saccade.models.segmentation.task:Segmentation"):
    """A run as `train` leaves it, as far as weights go."""
    folder.mkdir()
    predictor = Predictor(task, task.model())
    predictor.model.save_weights(folder / WEIGHTS)
    predictor.describe(folder, name)
    return predictor.model


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of `unet` on the own backbone: its folder and its model."""
    folder = tmp_path_factory.mktemp("runs") / "former"
    return folder, save_run(make(), folder)


def test_takes_a_run_with_the_same_classes_whole(run, caplog):
    folder, former = run
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(folder, dropout=0.2).model()
    assert_equal(model.get_weights(), former.get_weights())
    assert caplog.messages[-1] == f"weights of {OWN} from {folder}; skipped: none"


@pytest.mark.parametrize("class_names", [("tree", "sky"), ("sky", "tree", "house")])
def test_takes_all_but_the_scores_of_a_run_with_other_classes(run, class_names, caplog):
    folder, former = run
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(folder, class_names).model()
    assert_equal(model.get_weights()[:-2], former.get_weights()[:-2])
    assert model.layers[-1].name == "logits" and not np.any(model.layers[-1].bias)
    count = len(class_names)
    skipped = f"logits/kernel (1, 1, 16, {count}) (other classes), logits/bias ({count},) (other classes)"
    assert caplog.messages[-1].endswith(f"skipped: {skipped}")


def test_a_finer_fcn_starts_as_the_coarser_one(tmp_path, caplog):
    former = save_run(make(name="fcn32s"), tmp_path / "run")
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(tmp_path / "run", name="fcn16s").model()
    for layer in ("head32_conv", "logits32"):
        assert_equal(model.get_layer(layer).get_weights(), former.get_layer(layer).get_weights())
    assert "skipped: logits32_up/kernel (4, 4, 2, 2) (not in that run), logits16/kernel" in caplog.messages[-1]


def test_batch_norm_of_the_backbone_is_frozen_and_that_of_the_decoder_trains(run, random_images):
    folder, _ = run
    kept = {name: stepped(make(folder, batch_norm=name), random_images) for name in (None, "train")}
    assert kept[None] == {f"own{stride}_norm" for stride in (2, 4, 8, 16, 32)}
    assert kept["train"] == set()


def stepped(task, random_images):
    """The batch norms whose statistics a training step leaves as they are."""
    model = task.model()
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = {norm.name: norm.moving_mean.numpy() for norm in norms}
    model.compile(optimizer="sgd")
    model.train_on_batch(random_images(2, 32, 32), np.zeros((2, 32, 32), np.int32))
    return {norm.name for norm in norms if np.array_equal(norm.moving_mean, before[norm.name])}


def test_another_network_takes_the_encoder_of_a_run(run, caplog):
    folder, former = run
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(folder, upsampling="resized").model()
    assert_equal(model.encoder.get_weights(), former.encoder.get_weights())
    assert "decoder16_up/kernel (1, 1, 8, 256) (not in that run)" not in caplog.messages[-1]
    assert "skipped: decoder16_up/kernel (1, 1, 8, 256) (another shape)" in caplog.messages[-1]


def test_both_tasks_take_the_backbone_of_a_run_of_the_other(run, tmp_path):
    folder, former = run
    model = classifier(folder).model()
    assert_equal(model.split()[0].get_weights(), former.encoder.get_weights())
    former = save_run(classifier(), tmp_path / "run", "classification")
    assert_equal(make(tmp_path / "run").model().encoder.get_weights(), former.split()[0].get_weights())


def test_a_network_without_names_starts_from_its_own_run(tmp_path):
    former = save_run(make(name="own_segmentation:plain", backbone="none"), tmp_path / "run")
    model = make(tmp_path / "run", name="own_segmentation:plain", backbone="none").model()
    assert_equal(model.get_weights(), former.get_weights())


def test_takes_the_file_of_a_whole_network_or_of_its_backbone(run, tmp_path):
    folder, former = run
    assert_equal(make(folder / WEIGHTS).model().get_weights(), former.get_weights())
    former.encoder.save_weights(tmp_path / "encoder.weights.h5")
    model = make(tmp_path / "encoder.weights.h5").model()
    assert_equal(model.encoder.get_weights(), former.encoder.get_weights())


@pytest.mark.parametrize("name", ["fcn32s", "deeplab_v3plus"])
def test_takes_real_imagenet_weights(name, random_images, weights_dir):
    path = weights_dir / "mobilenet_v2/mobilenet_v2_imagenet_notop.weights.h5"
    reference = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(None, None, 3))
    reference.load_weights(path)
    encoder = make(path, name=name, backbone="mobilenet_v2").model().encoder
    assert_equal(encoder.get_weights(), reference.get_weights())
    images = random_images(1, 64, 96)
    expected = reference(images / 127.5 - 1, training=False)
    found = encoder(images, training=False)
    found = found[:, 1::2, 1::2] if name == "deeplab_v3plus" else found  # dilated: the same map, and more between
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_refuses_what_does_not_fit(run, tmp_path):
    folder, _ = run
    with pytest.raises(InputError, match="former: this run's backbone is not unet at this size: expected 20 weights"):
        make(folder, backbone="none", width=2, depth=1, freeze="none").model()
    save_run(make(name="unet", backbone="none", width=2, depth=1), tmp_path / "narrow")
    with pytest.raises(InputError, match="narrow: this run's backbone is not .*: expected 25 weights"):
        make(tmp_path / "narrow").model()
    with pytest.raises(InputError, match="former: nothing of this run fits own_segmentation:plain"):
        make(folder, name="own_segmentation:plain", backbone="none").model()
    save_run(classifier(), tmp_path / "labels", "classification")
    with pytest.raises(InputError, match="labels: a run of another task has a backbone to start from, and own_segm"):
        make(tmp_path / "labels", name="own_segmentation:plain", backbone="none").model()
    with pytest.raises(InputError, match="best.weights.h5: not the weights of unet: expected 4 batch_normalization"):
        make(folder / WEIGHTS, backbone="none", width=2, depth=1).model()
    with pytest.raises(InputError, match="no file or folder .*absent"):
        make(tmp_path / "absent.weights.h5").model()


def test_refuses_imagenet_where_there_is_none():
    with pytest.raises(InputError, match="model.weights: unet has no ImageNet weights"):
        make("imagenet", backbone="none", width=2).model()
    with pytest.raises(InputError, match="model.weights: own_segmentation:plain has no ImageNet weights"):
        make("imagenet", name="own_segmentation:plain", backbone="none").model()
