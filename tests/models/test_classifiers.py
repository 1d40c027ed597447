"""What every network for classification must do. A new one adds two lines at the end."""

import keras
import numpy as np
import pytest
from base_network import BaseNetworkTest

from saccade.models import find_task

TASK = find_task("classification")


class ClassifierTest(BaseNetworkTest):
    any_size = True
    name: str
    features: int

    def task(self, size, dropout=0.5):
        fit = {"fit": "pad"} if size is None else {"size": size}
        return TASK(
            ("daisy", "rose", "tulip"), TASK.ModelOptions(name=self.name, dropout=dropout), TASK.Input.Options(**fit)
        )

    def truth(self, images):
        return {"label": np.arange(len(images), dtype=np.int32) % 3}

    def output(self, images):
        return (len(images), 3)

    def test_is_split_at_its_pooled_features(self, model, images):
        features, head = model.split()
        assert features(images, training=False).shape == (len(images), self.features)
        assert [id(weight) for weight in head.weights] == [id(weight) for weight in model.get_layer("logits").weights]


class LearningTest:
    """Training, which takes longer."""

    steps = 25

    def test_learns_eight_images_by_heart(self, random_images):
        keras.utils.set_random_seed(0)
        task, images = self.task(self.sizes[0], dropout=0.0), random_images(8, *self.sizes[0])
        model = task.model()
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        x, y = task.targets({"image": images, **self.truth(images)})
        accuracies = [model.train_on_batch(x, y, return_dict=True)["accuracy"] for _ in range(1 + self.steps)]
        assert accuracies[-1] == 1.0


class TestLeNet(LearningTest, ClassifierTest):
    name, features, any_size, sizes, steps = "lenet", 84, False, ((16, 16), (24, 20)), 100


class TestResNet20(ClassifierTest):
    name, features = "resnet20", 64


class TestMobileNetV2(ClassifierTest):
    name, features = "mobilenet_v2", 1280


class TestEfficientNetB0(ClassifierTest):
    name, features = "efficientnet_b0", 1280


@pytest.mark.quality
class TestResNet20Learning(LearningTest, TestResNet20):
    pass


@pytest.mark.quality
class TestMobileNetV2Learning(LearningTest, TestMobileNetV2):
    pass


@pytest.mark.quality
class TestEfficientNetB0Learning(LearningTest, TestEfficientNetB0):
    pass


@pytest.mark.quality
class TestResNet50(LearningTest, ClassifierTest):
    name, features = "resnet50", 2048
