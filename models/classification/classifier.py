"""The Keras model of a classifier: backbone, head, and the loss that belongs to them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
from keras import ops

from ..backbones.stages import stages_of


class Classifier(keras.Model):
    """From images (or from cached features) to logits `[n, classes]`; brings its own loss and metrics.

    Plain Keras: `compile(optimizer=...)` and `fit` on one-hot or multi-hot targets. The weights file has the layers of
    the backbone first, in the names and the order of the backbone's own files.

    Args:
        inputs: images, or features.
        features: `[n, channels]`, the output of the layer named "features", or `inputs` itself.
        head: layers from features to logits, applied one after the other; a head made by `split` shares them.
        multi_label: each class is judged on its own (sigmoid); else exactly one holds (softmax).
        loss: makes its loss.
        levels: stride to feature map, as the backbone has them; they part the layers into stages.
    """

    def __init__(
        self,
        inputs: keras.KerasTensor,
        features: keras.KerasTensor,
        head: Sequence[keras.Layer],
        multi_label: bool,
        loss: Callable[[], keras.losses.Loss],
        name: str = "classifier",
        levels: Mapping[int, keras.KerasTensor] = MappingProxyType({}),
    ):
        outputs = features
        for layer in head:
            outputs = layer(outputs)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.multi_label = multi_label
        self.make_loss = loss
        self.head_names = tuple(layer.name for layer in head)
        self.levels = dict(levels)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **others: Any) -> None:
        """As `keras.Model.compile`, to which everything goes; without a loss it takes the task's, metrics likewise."""
        if loss is None:
            loss = self.make_loss()
        if metrics is None:
            kind = _label_accuracy if self.multi_label else keras.metrics.categorical_accuracy
            metrics = [keras.metrics.MeanMetricWrapper(kind, name="accuracy")]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **others)

    def split(self) -> tuple[keras.Model, "Classifier"]:
        """The part up to the pooled features, and a head that shares its layers with this model and has its loss."""
        features = keras.Model(self.inputs[0], self.get_layer("features").output, name="features_of_" + self.name)
        cached = keras.Input(features.outputs[0].shape[1:], name="cached_features")
        layers = [self.get_layer(name) for name in self.head_names]
        head = Classifier(cached, cached, layers, self.multi_label, self.make_loss, name="head_of_" + self.name)
        return features, head

    def stages(self) -> dict[int | str, list[keras.Variable]]:
        """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head"."""
        return stages_of(self, self.levels)


def _label_accuracy(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Whether logits say the likelier of present and absent; Keras' own takes no target between the two for right."""
    return ops.cast(ops.equal(y_true > 0.5, y_pred > 0), "float32")
