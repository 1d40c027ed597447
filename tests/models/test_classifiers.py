"""What every network for classification must do. A new one adds two lines at the end."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from saccade.models import find_task
from saccade.models.image_items import to_bytes
from saccade.models.predictor import WEIGHTS, Predictor

CLASS_NAMES = ("daisy", "rose", "tulip")


class Contract:
    """Building, splitting, saving: cheap, for every network."""

    name: str
    size = 32
    features: int

    def task(self, **options):
        task = find_task("classification")
        return task(CLASS_NAMES, task.ModelOptions(name=self.name, **options), task.InputOptions(size=self.size))

    @pytest.fixture
    def images(self, pictures):
        return pictures(8, self.size, self.size)

    def test_gives_logits_and_splits_at_pooled_features(self, images):
        model = self.task(dropout=0.5).model()
        features, head = model.split()
        logits = model(images, training=False)
        assert logits.shape == (8, 3) and logits.dtype == "float32"
        assert features(images, training=False).shape == (8, self.features)
        np.testing.assert_allclose(head(features(images, training=False), training=False), logits, atol=1e-5)
        assert [id(weight) for weight in head.weights] == [id(weight) for weight in model.get_layer("logits").weights]

    def test_a_run_gives_the_same_probabilities_again(self, images, tmp_path):
        task = self.task(dropout=0.5, weights="none")
        predictor = Predictor(task, task.model())
        predictor.model.save_weights(tmp_path / WEIGHTS)
        predictor.describe(tmp_path, "classification")
        again = Predictor.load(tmp_path)
        encoded = [to_bytes(image.astype(np.uint8)) for image in images]
        before, after = (each(bytes=tf.constant(encoded))["probabilities"] for each in (predictor, again))
        np.testing.assert_allclose(before, after, atol=1e-6)
        assert again.fingerprint == predictor.fingerprint


class TrainingContract(Contract):
    """As `Contract`, and training."""

    steps = 25

    def test_one_step_moves_every_weight_and_some_learn_eight_pictures_by_heart(self, images):
        keras.utils.set_random_seed(0)
        task = self.task()
        model = task.model()
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        labels = np.arange(8, dtype=np.int32) % 3
        x, y = task.targets({"image": images, "label": labels})
        before = [weight.numpy() for weight in model.trainable_weights]
        model.train_on_batch(x, y)
        assert not [w.path for w, old in zip(model.trainable_weights, before, strict=True) if np.array_equal(w, old)]
        accuracies = [model.train_on_batch(x, y, return_dict=True)["accuracy"] for _ in range(self.steps)]
        assert accuracies[-1] == 1.0


class TestLeNet(TrainingContract):
    name, size, features, steps = "lenet", 16, 84, 100


class TestResNet20(TrainingContract):
    name, features = "resnet20", 64


class TestMobileNetV2(TrainingContract):
    name, features = "mobilenet_v2", 1280


class TestEfficientNetB0(Contract):
    name, features = "efficientnet_b0", 1280


@pytest.mark.quality
class TestEfficientNetB0Training(TrainingContract):
    name, features = "efficientnet_b0", 1280


@pytest.mark.quality
class TestResNet50(TrainingContract):
    name, features = "resnet50", 2048
