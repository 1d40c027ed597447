"""The Keras model of a classifier: backbone, head, and the loss that belongs to them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras


class Classifier(keras.Model):
    """From images (or from cached features) to logits `[n, classes]`; brings its own loss and metrics.

    Plain Keras: `compile(optimizer=...)` and `fit` on one-hot or multi-hot targets. The weights file has the layers of
    the backbone first, in the names and the order of the backbone's own files.

    Args:
        inputs: images, or features.
        features: `[n, channels]`, the output of the layer named "features", or `inputs` itself.
        head: layers from features to logits, applied one after the other; a head made by `split` shares them.
        multi_label: each class is judged on its own (sigmoid); else exactly one holds (softmax).
        label_smoothing: as in `keras.losses.CategoricalCrossentropy`.
        levels: stride to feature map, as the backbone has them; they part the layers into stages.
    """

    def __init__(
        self,
        inputs: keras.KerasTensor,
        features: keras.KerasTensor,
        head: Sequence[keras.Layer],
        multi_label: bool,
        label_smoothing: float,
        name: str = "classifier",
        levels: Mapping[int, keras.KerasTensor] = MappingProxyType({}),
    ):
        outputs = features
        for layer in head:
            outputs = layer(outputs)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.multi_label = multi_label
        self.label_smoothing = label_smoothing
        self.head_names = tuple(layer.name for layer in head)
        self.levels = dict(levels)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **others: Any) -> None:
        """As `keras.Model.compile`, to which everything goes; without a loss it takes the task's, metrics likewise."""
        if loss is None and self.multi_label:
            loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=self.label_smoothing)
        elif loss is None:
            loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=self.label_smoothing)
        if metrics is None and self.multi_label:
            metrics = [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]  # of logits: probability 0.5
        elif metrics is None:
            metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **others)

    def split(self) -> tuple[keras.Model, "Classifier"]:
        """The part up to the pooled features, and a head that shares its layers with this model and has its loss."""
        features = keras.Model(self.inputs[0], self.get_layer("features").output, name="features_of_" + self.name)
        cached = keras.Input(features.outputs[0].shape[1:], name="cached_features")
        layers = [self.get_layer(name) for name in self.head_names]
        head = Classifier(cached, cached, layers, self.multi_label, self.label_smoothing, name="head_of_" + self.name)
        return features, head

    def stages(self) -> dict[int | str, list[keras.Variable]]:
        """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head"."""
        found: dict[int | str, list[keras.Variable]] = {}
        for stride, level in sorted(self.levels.items()):
            found[stride] = _others(keras.Model(self.inputs[0], level).trainable_variables, found)
        return found | {"head": _others(self.trainable_variables, found)}


def _others(variables: list[keras.Variable], known: Mapping[int | str, list[keras.Variable]]) -> list[keras.Variable]:
    seen = {id(variable) for each in known.values() for variable in each}
    return [variable for variable in variables if id(variable) not in seen]
