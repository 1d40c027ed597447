"""What a classifier starts from: files, ImageNet, former runs; and each that does not fit."""

import logging
import os
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from saccade.models import find_task
from saccade.models.errors import InputError
from saccade.models.predictor import WEIGHTS, Predictor

TASK = find_task("classification")
NAMES = ("ant", "bee")


def make(weights="none", class_names=NAMES, size=32, **options):
    options = {"name": "mobilenet_v2", "weights": str(weights)} | options
    return TASK(class_names, TASK.ModelOptions(**options), TASK.Input.Options(size=size))


def backbone(model):
    return model.split()[0].get_weights()


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def save_run(task, folder):
    """A run as `train` leaves it, as far as weights go."""
    folder.mkdir()
    predictor = Predictor(task, task.model())
    predictor.model.save_weights(folder / WEIGHTS)
    predictor.describe(folder, "classification")
    return predictor.model


@pytest.fixture(scope="module")
def plain():
    return keras.applications.MobileNetV2(weights=None, classes=4, input_shape=(32, 32, 3))


def test_takes_the_files_of_keras_applications_with_and_without_top(plain, tmp_path, caplog):
    whole, notop = tmp_path / "whole.weights.h5", tmp_path / "notop.weights.h5"
    plain.save_weights(whole)
    keras.Model(plain.inputs, plain.get_layer("out_relu").output).save_weights(notop)
    for path, skipped in (
        (whole, "skipped: layers/dense/vars/0 (1280, 4), layers/dense/vars/1 (4,)"),
        (notop, "skipped: none"),
    ):
        with caplog.at_level(logging.INFO, "saccade"):
            model = make(path).model()
        assert_equal(backbone(model), plain.get_weights()[:-2])
        assert skipped in caplog.messages[-1]


# Writing the older format, which is done only here, Keras 3.15 goes against NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_takes_keras_older_format_without_top(plain, tmp_path):
    path = tmp_path / "no_top.h5"
    keras.Model(plain.inputs, plain.get_layer("out_relu").output).save(path)
    assert_equal(backbone(make(path).model()), plain.get_weights()[:-2])


@pytest.mark.parametrize("name", ["mobilenet_v2_imagenet.weights.h5", "mobilenet_v2_imagenet_notop.weights.h5"])
def test_takes_real_imagenet_weights(name, random_images, weights_dir):
    model = make(weights_dir / "mobilenet_v2" / name).model()
    reference = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3))
    reference.load_weights(weights_dir / "mobilenet_v2/mobilenet_v2_imagenet_notop.weights.h5")
    images = random_images(2, 32, 32)
    expected = reference(keras.applications.mobilenet_v2.preprocess_input(images.copy()), training=False)
    np.testing.assert_allclose(model.split()[0](images, training=False), expected, rtol=1e-4, atol=1e-5)


def test_efficientnet_keeps_its_preprocessing_whatever_a_file_says(tmp_path):
    plain = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    (normalization,) = (layer for layer in plain.layers if isinstance(layer, keras.layers.Normalization))
    deviation = np.array([0.229, 0.224, 0.225], "float32")  # where the variance should be, as in Keras' own file
    normalization.set_weights([np.array([0.485, 0.456, 0.406], "float32"), deviation, np.int32(0)])
    plain.save_weights(tmp_path / "notop.weights.h5")
    model = make(tmp_path / "notop.weights.h5", name="efficientnet_b0").model()
    ours, theirs = backbone(model), plain.get_weights()
    np.testing.assert_array_equal(ours[1], deviation**2)
    assert_equal(ours[3:], theirs[3:])


def test_takes_the_weights_file_of_a_run(tmp_path):
    former = save_run(make(), tmp_path / "run")
    assert_equal(backbone(make(tmp_path / "run" / WEIGHTS, ("a", "b", "c")).model()), backbone(former))


def test_takes_a_run_with_the_same_classes_whole(tmp_path, caplog):
    former = save_run(make(name="lenet"), tmp_path / "run")
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(tmp_path / "run", name="lenet", dropout=0.2).model()
    assert_equal(model.get_weights(), former.get_weights())
    assert "skipped: none" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("from_run", "batch_norm", "moves"), [(True, None, False), (True, "train", True), (False, None, True)]
)
def test_batch_norm_is_frozen_where_training_starts_from_weights(random_images, tmp_path, from_run, batch_norm, moves):
    save_run(make(name="resnet20"), tmp_path / "run")
    task = make(tmp_path / "run" if from_run else "none", name="resnet20", batch_norm=batch_norm)
    model = task.model()
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    model.train_on_batch(*task.targets({"image": random_images(4, 32, 32), "label": np.array([0, 1, 0, 1], np.int32)}))
    moved = [weight.path for weight in model.weights if not np.array_equal(weight, before[weight.path])]
    assert any("moving" in path for path in moved) == any("gamma" in path for path in moved) == moves
    assert sum("kernel" in path for path in moved) == 20  # of all convolutions, and of the head


def test_takes_the_backbone_of_a_run_with_other_classes(tmp_path, caplog):
    former = save_run(make(name="lenet"), tmp_path / "run")
    with caplog.at_level(logging.INFO, "saccade"):
        model = make(tmp_path / "run", ("bee", "ant", "fly"), name="lenet").model()
    assert_equal(backbone(model), backbone(former))
    assert "skipped: logits/kernel (84, 2) (other classes), logits/bias (2,) (other classes)" in caplog.messages[-1]


def test_refuses_a_run_of_another_network(tmp_path):
    save_run(make(name="resnet20"), tmp_path / "run")
    with pytest.raises(
        InputError, match="run: this run's backbone is not lenet at this size: expected 8 weights .* found 95 with"
    ):
        make(tmp_path / "run", name="lenet").model()


def test_refuses_the_weights_of_another_network(plain, tmp_path):
    path = tmp_path / "other.weights.h5"
    plain.save_weights(path)
    with pytest.raises(
        InputError,
        match="other.weights.h5: not the weights of resnet20: expected 19 batch_normalization, 19 conv2d; "
        "found 52 batch_normalization, 35 conv2d, 1 dense, 17 depthwise_conv2d",
    ):
        make(path, name="resnet20").model()


def test_refuses_the_same_network_in_another_width(tmp_path):
    path = tmp_path / "narrow.weights.h5"
    narrow = keras.applications.MobileNetV2(alpha=0.5, weights=None, include_top=False, input_shape=(32, 32, 3))
    narrow.save_weights(path)
    with pytest.raises(InputError, match=r"not the weights of mobilenet_v2: expected layers/\S+ of shape .*, found"):
        make(path).model()


def test_refuses_files_that_hold_no_such_weights(plain, tmp_path):
    with pytest.raises(InputError, match="no file or folder .*absent.weights.h5"):
        make(tmp_path / "absent.weights.h5").model()
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(InputError, match="text.weights.h5: no HDF5 file"):
        make(tmp_path / "text.weights.h5").model()
    plain.save_weights(tmp_path / "renamed.weights.h5")
    (tmp_path / "renamed.weights.h5").rename(tmp_path / "renamed.h5")
    with pytest.raises(InputError, match="renamed.h5: this is Keras' format whose name ends in .weights.h5"):
        make(tmp_path / "renamed.h5").model()
    with h5py.File(tmp_path / "older.h5", "w") as file:
        file.attrs["layer_names"] = [b"Conv1"]
        file.create_group("Conv1").attrs["weight_names"] = [b"kernel"]
        file["Conv1/kernel"] = np.zeros(3)
    with pytest.raises(InputError, match="older.h5: not the weights of mobilenet_v2 without its top: Layer count"):
        make(tmp_path / "older.h5").model()
    with pytest.raises(InputError, match="not a run"):
        make(tmp_path).model()


def test_refuses_imagenet_where_there_is_none():
    with pytest.raises(InputError, match="lenet has no ImageNet weights"):
        make("imagenet", name="lenet").model()


def test_a_failed_download_says_how_to_give_a_file(tmp_path):
    """In a process of its own, whose Keras cache is empty and whose proxy does not answer."""
    code = (
        "from saccade.models import find_task; task = find_task('classification');"
        "task(['a', 'b'], task.ModelOptions(weights='imagenet'), task.Input.Options(size=32)).model()"
    )
    proxy = "http://127.0.0.1:9"
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "https_proxy": proxy, "no_proxy": "", "HTTPS_PROXY": proxy}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("saccade.models.errors.InputError: model.weights: the ImageNet weights of mobilenet_v2")
    assert last.endswith("give them as a file, model.weights=PATH.weights.h5")


def test_loading_a_run_does_not_look_for_what_it_started_from(plain, tmp_path):
    path = tmp_path / "start.weights.h5"
    plain.save_weights(path)
    former = save_run(make(path), tmp_path / "run")
    path.unlink()
    assert_equal(Predictor.load(tmp_path / "run").model.get_weights(), former.get_weights())
