"""The Keras model of a segmentation: a network, and the loss that belongs to it."""

from collections.abc import Callable
from typing import Any

import keras

from ..backbones.backbone import Backbone
from ..backbones.stages import Stages, stages_of
from .encoder_decoder import EncoderDecoder
from .pixel_accuracy import PixelAccuracy


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
