"""The Keras model of a classifier: backbone, head and the loss that belongs to them, and how options make one."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import ops

from ..backbones.backbone import Backbone, Shape, stages_of
from ..backbones.weights import copy_weights, encoder_of, load_file, start
from ..errors import InputError
from ..naming import find_callable, own_code
from ..predictor import Predictor
from . import MODELS
from .losses import make_loss, penalise_kernels
from .options import ClassificationOptions


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


def build(
    class_names: Sequence[str], options: ClassificationOptions, shape: Shape, weights: np.ndarray | None = None
) -> Classifier:
    """A new classifier with the weights that it starts from.

    A network of your own, `name: package.module:Name`, is called with `(shape, options)` and returns a built
    `keras.Model` (or a `Backbone`, where it offers levels to freeze) from images float32 `[n, height, width, 3]`,
    RGB, 0..255, to a feature map or to pooled features. Head, loss and all else are added here.

    Args:
        class_names: in the order of the class ids.
        options: the recipe's `model` section.
        shape: (height, width, 3) of the input, None where it follows the image.
        weights: of the classes in the loss, float32 `[classes]`; none where they weigh the same.

    Raises:
        InputError: unknown name, input too small for the network, no such level to freeze, weights that do not fit.
    """
    backbone = _backbone(options, shape)
    if options.batch_norm_momentum is not None:
        backbone.set_batch_norm_momentum(options.batch_norm_momentum)
    backbone.freeze(options.freeze)
    if options.freezes_batch_norm:
        backbone.freeze_batch_norm()
    head = [
        keras.layers.Dropout(options.dropout, name="head_dropout"),
        keras.layers.Dense(len(class_names), name="logits", dtype="float32"),  # float32 in mixed precision, too
    ]
    inputs = backbone.net.inputs[0]
    loss = partial(make_loss, options, weights)
    model = Classifier(inputs, backbone.features, head, options.multi_label, loss, levels=backbone.levels)
    penalise_kernels(model, options.l1, options.l2)
    start(
        backbone,
        options.name,
        options.weights,
        partial(load_file, backbone, name=options.name),
        partial(_from_run, model, backbone, class_names, name=options.name),
    )
    return model


def _backbone(options: ClassificationOptions, shape: Shape) -> Backbone:
    maker = find_callable(options.name, MODELS, __package__, "model")
    with own_code(options.name, "model", maker):
        made = maker(shape, options)
        if isinstance(made, keras.Model):
            if getattr(made, "inputs", None) is None:  # a subclass, or a Sequential without Input, has no graph yet
                image = keras.Input(shape, name="image")
                made = keras.Model(image, made(image))
            made = Backbone(made)
    if not isinstance(made, Backbone):
        raise InputError(f"model '{options.name}' returned a {type(made).__name__}, not a keras.Model or a Backbone")
    inputs = [tuple(each.shape[1:]) for each in made.net.inputs]
    fitting = len(inputs) == 1 and len(inputs[0]) == 3
    if not fitting or any(None not in pair and len(set(pair)) > 1 for pair in zip(inputs[0], shape, strict=True)):
        raise InputError(f"model '{options.name}' takes {inputs}, and the input gives one image {tuple(shape)}")
    output = made.net.outputs[0].shape
    if len(made.net.outputs) != 1 or len(output) not in (2, 4) or output[-1] is None:
        raise InputError(
            f"model '{options.name}' ends in {[tuple(each.shape) for each in made.net.outputs]}, "
            "not in one feature map [n, h, w, channels] or features [n, channels]"
        )
    return made


def _from_run(model: Classifier, backbone: Backbone, class_names: Sequence[str], run: Path, name: str) -> list[str]:
    """Takes the backbone of a run, and its last layer where both know the same classes; returns what it skipped."""
    former = Predictor.load(run)
    copy_weights(encoder_of(former.model, run), backbone, run, name)
    if not isinstance(former.model, Classifier):
        return []
    theirs, ours = former.model.get_layer("logits"), model.get_layer("logits")
    if former.task.class_names == tuple(class_names):
        ours.set_weights(theirs.get_weights())
        return []
    return [f"logits/{weight.name} {tuple(weight.shape)} (other classes)" for weight in theirs.weights]
