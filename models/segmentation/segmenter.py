"""The Keras model of a segmentation: a network and its loss, how options make one, and what it starts from."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from ..backbones.backbone import Backbone, Shape, Stages, set_batch_norm_momentum, stages_of
from ..backbones.weights import is_file_of, load_file, load_run, start
from ..errors import InputError
from ..inputs.image.geometry import IGNORE
from ..naming import find_callable, own_code
from ..predictor import Predictor
from . import MODELS
from .layers import EncoderDecoder
from .losses import make_loss
from .options import SegmentationOptions


class PixelAccuracy(keras.metrics.Mean):
    """The share of the pixels that count whose likeliest class is the true one; each pixel weighs the same."""

    def __init__(self, name: str = "accuracy"):
        super().__init__(name=name, dtype="float32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Takes in a batch.

        Args:
            y_true: class ids, 255 where a pixel does not count, int `[n, h, w]`; or float `[n, h, w, 2]`, ids and what
                each pixel weighs in the loss, which does not matter here.
            y_pred: logits `[n, h, w, classes]`.
            sample_weight: none.
        """
        y_true = ops.convert_to_tensor(y_true)
        ids = ops.cast(y_true[..., 0] if len(y_true.shape) == 4 else y_true, "int32")
        right = ops.cast(ops.argmax(y_pred, axis=-1) == ids, "float32")
        # Flat, because Keras' mean of maps would take the mean of each image first.
        return super().update_state(ops.ravel(right), sample_weight=ops.ravel(ids != IGNORE))


class Segmenter(keras.Model):
    """From images to logits of each pixel `[n, height, width, classes]`; brings its own loss and metrics.

    Plain Keras: `compile(optimizer=...)` and `fit` on targets as the task makes them.

    Args:
        net: a functional network.
        loss: makes its loss.

    Attributes:
        backbone: the part with levels; None where the network does not say which it is.
        stride: height and width of the input must be multiples of it.
    """

    def __init__(self, net: keras.Model, loss: Callable[[], keras.losses.Loss], name: str = "segmenter"):
        super().__init__(inputs=net.inputs[0], outputs=net.outputs[0], name=name)
        self.make_loss = loss
        self.backbone: Backbone | None = net.backbone if isinstance(net, EncoderDecoder) else None
        self.stride = net.stride if isinstance(net, EncoderDecoder) else 1

    @property
    def encoder(self) -> keras.Model | None:
        """The part whose weights a model of any task may start from."""
        return self.backbone.net if self.backbone else None

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, **others: Any) -> None:
        """As `keras.Model.compile`, to which everything goes; without a loss it takes the task's, metrics likewise."""
        if loss is None:
            loss = self.make_loss()
        if metrics is None:
            metrics = [PixelAccuracy()]
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **others)

    def stages(self) -> Stages:
        """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head"."""
        return stages_of(self, self.backbone.levels if self.backbone else {})


def build(
    class_names: Sequence[str], options: SegmentationOptions, shape: Shape, class_weights: np.ndarray | None = None
) -> Segmenter:
    """A new segmenter with the weights that it starts from.

    A network of your own, `name: package.module:Name`, is called with `(shape, options, classes)` and returns a
    `keras.Model` from images float32 `[n, height, width, 3]`, RGB, 0..255, to logits float32
    `[n, height, width, classes]`. As an `EncoderDecoder` it says which part is its backbone, to be frozen, to start
    from weights, and to learn in stages. Names of layers whose weights belong to classes begin with "logits": a model
    of other classes does not start from them.

    Args:
        class_names: in the order of the class ids.
        options: the recipe's `model` section.
        shape: (height, width, 3) of the input, None where it follows the image.
        class_weights: of the classes in the loss, float32 `[classes]`; none where they weigh the same.

    Raises:
        InputError: unknown name, input that does not suit the network, wrong output, nothing to freeze, weights that do
            not fit.
    """
    net = _network(options, shape, len(class_names))
    if options.batch_norm_momentum is not None:
        set_batch_norm_momentum(net, options.batch_norm_momentum)
    backbone = net.backbone if isinstance(net, EncoderDecoder) else None
    if backbone:
        backbone.freeze(options.freeze)
        if options.freezes_batch_norm:
            backbone.freeze_batch_norm()
    else:
        for key, value, usual in (("freeze", options.freeze, "none"), ("batch_norm", options.batch_norm, "train")):
            if value not in (usual, None):
                reason = f"'{options.name}' does not say which part is its backbone: see EncoderDecoder"
                raise InputError(f"model.{key}: {reason}")
    model = Segmenter(net, partial(make_loss, options, class_weights))
    name = options.name if options.backbone == "none" else options.backbone
    start(
        backbone or Backbone(net),
        name,
        options.weights,
        lambda path: _load_file(model, path, name),
        partial(_load_run, model, class_names, name=name),
    )
    return model


def _network(options: SegmentationOptions, shape: Shape, classes: int) -> keras.Model:
    maker = find_callable(options.name, MODELS, __package__, "model")
    with own_code(options.name, "model", maker):
        net = maker(shape, options, classes)
        if not isinstance(net, keras.Model):
            raise InputError(f"model '{options.name}' returned a {type(net).__name__}, not a keras.Model")
        if getattr(net, "inputs", None) is None:  # a subclass, or a Sequential without Input, has no graph yet
            image = keras.Input(shape, name="image")
            net = keras.Model(image, net(image))
        if options.name not in MODELS:
            _check_output(net, options.name, shape, classes)
    return net


def _check_output(net: keras.Model, name: str, shape: Shape, classes: int) -> None:
    """Asks for the output of one image, because where the input follows the image its shape says nothing."""
    height, width = (side or known for side, known in zip(shape[:2], (64, 96), strict=True))
    call = tf.function(lambda image: net(image, training=False), autograph=False)
    outputs = call.get_concrete_function(tf.TensorSpec([1, height, width, 3], tf.float32)).outputs
    if [(each.shape, each.dtype) for each in outputs] != [((1, height, width, classes), tf.float32)]:
        found = ", ".join(f"{each.dtype.name} {each.shape.as_list()}" for each in outputs)
        raise InputError(
            f"model '{name}' must make logits float32 {[1, height, width, classes]} (a score of each class for each "
            f"pixel) of an image of {height} x {width}, and makes {found}"
        )


def _load_file(model: Segmenter, path: Path, name: str) -> list[str]:
    """A file of the whole network, or one of its backbone."""
    if model.backbone is None or is_file_of(model, path):
        return load_file(Backbone(model), path, name)
    return load_file(model.backbone, path, name)


def _load_run(model: Segmenter, class_names: Sequence[str], run: Path, name: str) -> list[str]:
    former = Predictor.load(run)
    same = former.task.class_names == tuple(class_names)
    return load_run(model, model.backbone, former.model, same, run, name)
