"""From options to a segmenter: find the network, freeze, load what it starts from."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..backbones.backbone import Backbone, Shape, set_batch_norm_momentum
from ..backbones.start import start
from ..backbones.weights import is_file_of, load_file
from ..errors import InputError
from ..naming import find_callable, own_code
from . import MODELS
from .encoder_decoder import EncoderDecoder
from .former_run import load_run
from .losses import make_loss
from .options import SegmentationOptions
from .segmenter import Segmenter


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
        shape: (height, width, 3) of the input, None where it follows the picture.
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
        lambda run: load_run(model, class_names, run, name),
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
    """Asks for the output of one picture, because where the input follows the picture its shape says nothing."""
    height, width = (side or known for side, known in zip(shape[:2], (64, 96), strict=True))
    call = tf.function(lambda picture: net(picture, training=False), autograph=False)
    outputs = call.get_concrete_function(tf.TensorSpec([1, height, width, 3], tf.float32)).outputs
    if [(each.shape, each.dtype) for each in outputs] != [((1, height, width, classes), tf.float32)]:
        found = ", ".join(f"{each.dtype.name} {each.shape.as_list()}" for each in outputs)
        raise InputError(
            f"model '{name}' must make logits float32 {[1, height, width, classes]} (a score of each class for each "
            f"pixel) of a picture of {height} x {width}, and makes {found}"
        )


def _load_file(model: Segmenter, path: Path, name: str) -> list[str]:
    """A file of the whole network, or one of its backbone."""
    if model.backbone is None or is_file_of(model, path):
        return load_file(Backbone(model), path, name)
    return load_file(model.backbone, path, name)
