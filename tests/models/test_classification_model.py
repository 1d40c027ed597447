"""The classifier: its size, its loss, what is frozen, networks of a user's own."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from saccade.models import find_task
from saccade.models.classification import NETWORKS
from saccade.models.errors import InputError
from saccade.models.naming import find_object, make_importable

TASK = find_task("classification")


def make(class_names=("ant", "bee"), size=16, **options):
    return TASK(class_names, TASK.ModelOptions(**({"name": "lenet"} | options)), TASK.Input.Options(size=size))


def backbone_of(name):
    return find_object(name, TASK.models, "saccade.models.classification", "model")((32, 32, 3))


def by_path(model):
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.fixture(scope="module")
def own_networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_networks.py").write_text(
        "import keras\n"
        "from saccade.models.backbones.backbone import Backbone\n"
        "def maps(shape, options):\n"
        "    return keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(5, 3)])\n"
        "def levels(shape, options):\n"
        "    image = keras.Input(shape)\n"
        "    half = keras.layers.Conv2D(5, 3, strides=2, padding='same')(image)\n"
        "    out = keras.layers.Conv2D(6, 3, padding='same')(half)\n"
        "    return Backbone(keras.Model(image, out), {2: half})\n"
        "class Subclassed(keras.Model):\n"
        "    def __init__(self, shape, options):\n"
        "        super().__init__()\n"
        "        self.dense = keras.layers.Dense(4)\n"
        "    def call(self, images):\n"
        "        return self.dense(keras.ops.mean(images, axis=(1, 2)) / 255)\n"
        "def nothing(shape, options):\n"
        "    return 3\n"
        "def two(shape, options):\n"
        "    image = keras.Input(shape)\n"
        "    return keras.Model(image, [image, image])\n"
    )
    make_importable(folder)


@pytest.mark.parametrize("depth, millions", [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_the_small_resnets_have_the_sizes_of_their_paper(depth, millions):
    model = make([str(digit) for digit in range(10)], 32, name=f"resnet{depth}").model()
    count = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert count / 1e6 == pytest.approx(millions, abs=0.005)  # He et al. 2016, table 6
    assert sum(isinstance(layer, keras.layers.Conv2D | keras.layers.Dense) for layer in model.layers) == depth
    assert [level.shape[1:3] for level in backbone_of(f"resnet{depth}").levels.values()] == [(32, 32), (16, 16), (8, 8)]


@pytest.mark.parametrize("name", ["lenet", "resnet20", "resnet32", "resnet44", "resnet56"])
def test_the_table_tells_the_truth_about_small_networks(name):
    backbone, known = backbone_of(name), NETWORKS[name]
    assert backbone.net.count_params() == known.parameters
    assert tuple(backbone.levels) == known.strides
    with pytest.raises(InputError, match=f"{name}: at least {known.minimum} x {known.minimum}"):
        make(size=known.minimum - 1, name=name).model()
    assert make(size=known.minimum, name=name).model().input_shape[1] == known.minimum


def test_the_loss_is_cross_entropy_of_smoothed_targets(random_images):
    task = make(label_smoothing=0.1)
    model = task.model()
    model.compile(optimizer="sgd")
    x, y = task.targets({"image": random_images(4, 16, 16), "label": np.array([0, 1, 1, 0], np.int32)})
    logits = model.predict(x, verbose=0).astype(np.float64)
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -((np.asarray(y) * 0.9 + 0.05) * log_softmax).sum(axis=1).mean()
    metrics = model.evaluate(x, y, verbose=0, return_dict=True)
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)
    assert metrics["accuracy"] == np.mean(logits.argmax(axis=1) == [0, 1, 1, 0])


def test_several_labels_have_a_loss_for_each(random_images):
    task = make(("ant", "bee", "fly"), multi_label=True)
    model = task.model()
    model.compile(optimizer="sgd")
    labels = np.array([[1, 0, 1], [0, 0, 0]], np.float32)
    x, y = task.targets({"image": random_images(2, 16, 16), "labels": labels})
    logits = model.predict(x, verbose=0).astype(np.float64)
    expected = np.mean(np.log1p(np.exp(-logits)) * labels + np.log1p(np.exp(logits)) * (1 - labels))
    metrics = model.evaluate(x, y, verbose=0, return_dict=True)
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)
    assert metrics["accuracy"] == pytest.approx(np.mean((logits > 0) == labels))


def test_the_head_learns_on_cached_features_and_the_model_with_it(random_images):
    keras.utils.set_random_seed(0)
    task = make(freeze="all")
    model = task.model()
    features, head = model.split()
    x, y = task.targets({"image": random_images(8, 16, 16), "label": np.arange(8, dtype=np.int32) % 2})
    cached = features.predict(x, verbose=0)
    head.compile(optimizer=keras.optimizers.Adam(0.05))
    for _ in range(60):
        head.train_on_batch(cached, y)
    model.compile(optimizer="sgd")
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] == 1.0
    assert len(model.trainable_weights) == 2


def test_freezing_leaves_frozen_weights_and_statistics_as_they_are(random_images):
    task = make(size=32, name="resnet20", freeze=2)
    model = task.model()
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    before = by_path(model)
    model.train_on_batch(*task.targets({"image": random_images(4, 32, 32), "label": np.array([0, 1, 0, 1], np.int32)}))
    moved = {path for path, value in by_path(model).items() if not np.array_equal(value, before[path])}
    assert {path.split("/")[0].split("_")[0] for path in moved} == {"stride4", "logits"}


@pytest.mark.parametrize(("name", "features"), [("maps", 5), ("levels", 6), ("Subclassed", 4)])
def test_takes_a_network_of_your_own(own_networks, random_images, name, features):
    task = make(name=f"own_networks:{name}", freeze="all")
    model = task.model()
    assert model.get_layer("features").output.shape == (None, features)
    assert model(random_images(2, 16, 16)).shape == (2, 2)
    assert len(model.trainable_weights) == 2


def test_a_network_of_your_own_may_have_levels_to_freeze(own_networks):
    assert len(make(name="own_networks:levels", freeze=2).model().trainable_weights) == 4
    with pytest.raises(InputError, match="no level of stride 2"):
        make(name="own_networks:maps", freeze=2).model()


def test_refuses_what_is_no_network(own_networks):
    with pytest.raises(InputError, match="'own_networks:nothing' returned a int, not a keras.Model"):
        make(name="own_networks:nothing").model()
    with pytest.raises(InputError, match="'own_networks:two' ends in .* not in one feature map"):
        make(name="own_networks:two").model()


def test_refuses_unknown_names_with_the_nearest():
    with pytest.raises(InputError, match="unknown model 'resnet51': did you mean .*resnet50"):
        make(name="resnet51").model()


def test_refuses_sizes_that_a_network_cannot_take():
    with pytest.raises(InputError, match=r"input\.size: 7 x 7 pixels are too few for lenet: at least 8 x 8"):
        make(size=7).model()
    with pytest.raises(InputError, match=r"input\.size: 31 x 31 .* mobilenet_v2: at least 32 x 32"):
        make(size=31, name="mobilenet_v2").model()
    with pytest.raises(InputError, match=r"input\.fit: lenet has dense layers"):
        TASK(("a", "b"), TASK.ModelOptions(name="lenet"), TASK.Input.Options(fit="pad")).model()


def test_refuses_data_with_fewer_than_two_classes():
    with pytest.raises(InputError, match="needs at least two classes and the data has only 'ant'"):
        make(("ant",)).model()
    with pytest.raises(InputError, match="the data has none"):
        make((), multi_label=True).model()
    assert make(("ant",), multi_label=True).truth["labels"].shape == (1,)


@pytest.mark.parametrize(
    "options",
    [{"dropout": 1.0}, {"dropout": -0.1}, {"label_smoothing": 1}, {"freeze": "half"}, {"freeze": 0}, {"droput": 0.1}],
)
def test_options_are_checked(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        TASK.ModelOptions(**options)


def test_names_and_options_need_no_tensorflow():
    code = (
        "import sys; from saccade.models import find_task; task = find_task('classification'); task.ModelOptions();"
        "task(['a', 'b'], task.ModelOptions(), task.Input.Options()).truth;"
        "print({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
