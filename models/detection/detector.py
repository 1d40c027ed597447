"""The Keras model of a detector: what all have in common, how options make one, and what it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.utils import bounding_boxes

from ..backbones.backbone import Backbone, Shape, Stages, stages_of
from ..backbones.weights import is_file_of, load_file, load_run, start
from ..errors import InputError
from ..naming import find_callable, own_code
from ..predictor import Predictor
from . import BACKBONES, MODELS
from .anchors import AnchorGenerator
from .box_coder import BoxCoder
from .matcher import Matcher, Matches
from .options import DetectionOptions

RECALLED = 0.5
"""The intersection over union from which on an anchor covers an object, in the metric `anchor_recall`."""


class Proposals(NamedTuple):
    """Boxes of a batch before suppression.

    Attributes:
        boxes: float32 `[n, k, 4]`, x_min, y_min, x_max, y_max in pixels of the model's input.
        scores: float32 `[n, k, classes]`, 0..1.
    """

    boxes: tf.Tensor
    scores: tf.Tensor


class Detector(keras.Model):
    """From images to whatever its subclass predicts; brings its own loss, and reads boxes out of its outputs.

    Plain Keras: `compile(optimizer=...)` and `fit` on `(images, {"boxes", "classes", "ignored"})` as the task makes
    them: float32 `[n, objects, 4]` in pixels of the input, int32 `[n, objects]` (-1 fills the batch), bool
    `[n, objects]` (objects that are not to be learned, nor their places as background).

    A subclass implements `compute_loss` and `propose`.

    Args:
        backbone: the part with levels, whose weights a model of any task may start from.
        outputs: of the functional network.
        name: of the model.

    Attributes:
        stride: height and width of the input must be multiples of it.
    """

    stride = 1

    def __init__(self, backbone: Backbone, outputs: Any, name: str):
        super().__init__(inputs=backbone.net.inputs[0], outputs=outputs, name=name)
        self.backbone = backbone
        self.class_loss = keras.metrics.Mean(name="class_loss")
        self.box_loss = keras.metrics.Mean(name="box_loss")

    @property
    def encoder(self) -> keras.Model:
        return self.backbone.net

    def propose(self, outputs: Any, height: tf.Tensor, width: tf.Tensor) -> Proposals:
        """Boxes with a score for each class, before suppression; graph operations only.

        Args:
            outputs: of the network.
            height, width: of its input, in pixels.
        """
        raise NotImplementedError

    def stages(self) -> Stages:
        """The trainable variables by stage, nearest to the input first: up to each level by its stride, then "head"."""
        return stages_of(self, self.backbone.levels)


class AnchorDetector(Detector):
    """One that classifies and corrects anchors in one pass: its outputs are `classes` `[n, anchors, values]` and
    `boxes` `[n, anchors, 4]`, encoded.

    A subclass implements `classification_loss` and `scores`.

    Args:
        backbone, outputs, name: see `Detector`.
        anchors: in the order of the outputs.
        options: the recipe's `model` section.

    Attributes:
        anchor_recall: the fraction of the objects that some anchor covers by half or more, as a metric in training:
            what no anchor covers is learned badly.
    """

    def __init__(
        self, backbone: Backbone, outputs: Any, name: str, anchors: AnchorGenerator, options: DetectionOptions
    ):
        super().__init__(backbone, outputs, name)
        self.anchors = anchors
        self.options = options
        self.coder = BoxCoder()
        self.matcher = Matcher(options.positive_iou, options.negative_iou)
        self.anchor_recall = keras.metrics.Mean(name="anchor_recall")

    def classification_loss(self, logits: tf.Tensor, matches: Matches) -> tf.Tensor:
        """The sum over a batch, of what is learned of classes.

        Args:
            logits: float32 `[n, anchors, values]`.
            matches: what the anchors learn.
        """
        raise NotImplementedError

    def scores(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits `[n, anchors, values]` to 0..1 `[n, anchors, classes]`."""
        raise NotImplementedError

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> tf.Tensor:
        """Both losses of a batch, each divided by the number of anchors that have an object."""
        anchors = self.anchors(*sides(x))
        matches = self.matcher(anchors, y["boxes"], y["classes"], y["ignored"])
        count = tf.maximum(tf.reduce_sum(tf.cast(matches.positive, tf.float32)), 1.0)
        class_loss = self.classification_loss(y_pred["classes"], matches) / count
        box_loss = self._box_loss(y_pred["boxes"], anchors, matches) / count
        if training:
            self.class_loss.update_state(class_loss)
            self.box_loss.update_state(box_loss)
            there = tf.cast((y["classes"] >= 0) & ~y["ignored"], tf.float32)
            self.anchor_recall.update_state(tf.cast(matches.best >= RECALLED, tf.float32), sample_weight=there)
        return class_loss + self.options.box_weight * box_loss

    def _box_loss(self, deltas: tf.Tensor, anchors: tf.Tensor, matches: Matches) -> tf.Tensor:
        index = tf.where(matches.positive)  # of the anchors that have an object: one in a hundred
        predicted, boxes = tf.gather_nd(deltas, index), tf.gather_nd(matches.boxes, index)
        own = tf.gather(anchors, index[:, 1])
        if self.options.box_loss == "ciou":
            return tf.reduce_sum(1.0 - bounding_boxes.compute_ciou(self.coder.decode(predicted, own), boxes, "xyxy"))
        gap = tf.abs(predicted - self.coder.encode(boxes, own))
        return tf.reduce_sum(tf.where(gap < 1.0, 0.5 * gap**2, gap - 0.5))

    def propose(self, outputs: Any, height: tf.Tensor, width: tf.Tensor) -> Proposals:
        return Proposals(
            self.coder.decode(outputs["boxes"], self.anchors(height, width)), self.scores(outputs["classes"])
        )


def sides(images: tf.Tensor) -> tuple[Any, Any]:
    """Height and width of a batch of images, in Python where they are known."""
    known, found = images.shape[1:3], tf.shape(images)
    return tuple(found[axis + 1] if side is None else side for axis, side in enumerate(known))


def anchor_generator(options: DetectionOptions) -> AnchorGenerator:
    """As the recipe's `model` section has it."""
    sizes = options.anchor_sizes or [4.0 * stride for stride in options.strides]
    return AnchorGenerator(options.strides, sizes, options.anchor_scales, options.anchor_ratios)


def require_covered(shape: Shape, strides: Sequence[int]) -> None:
    """Refuses an input that is smaller than a cell of the coarsest level.

    Raises:
        InputError: naming `input.size` and the stride.
    """
    if any(side is not None and side < strides[-1] for side in shape[:2]):
        raise InputError(
            f"input.size: {shape[0]} x {shape[1]} is smaller than the coarsest of model.strides, {strides[-1]}: "
            "enlarge it, or leave that stride out",
            field="input.size",
        )


def build(class_names: Sequence[str], options: DetectionOptions, shape: Shape) -> Detector:
    """A new detector with the weights that it starts from.

    A detector of your own, `name: package.module:Name`, is called with `(backbone, options, classes)` and returns a
    `Detector`. Names of layers whose weights belong to classes begin with "logits": a model of other classes does not
    start from them.

    Args:
        class_names: in the order of the class ids.
        options: the recipe's `model` section.
        shape: (height, width, 3) of the input, None where it follows the image.

    Raises:
        InputError: unknown name, an input that does not suit it, a level that is missing, weights that do not fit.
    """
    maker = find_callable(options.backbone, BACKBONES, __package__, "backbone")
    with own_code(options.backbone, "backbone", maker):
        backbone = maker(shape, options)
    if not isinstance(backbone, Backbone):
        raise InputError(f"backbone '{options.backbone}' returned a {type(backbone).__name__}, not a Backbone")
    if options.batch_norm_momentum is not None:
        backbone.set_batch_norm_momentum(options.batch_norm_momentum)
    backbone.freeze(options.freeze)
    if options.freezes_batch_norm:
        backbone.freeze_batch_norm()
    maker = find_callable(options.name, MODELS, __package__, "model")
    with own_code(options.name, "model", maker):
        model = maker(backbone, options, len(class_names))
    if not isinstance(model, Detector):
        raise InputError(f"model '{options.name}' returned a {type(model).__name__}, not a Detector")
    start(
        backbone,
        options.backbone,
        options.weights,
        partial(_load_file, model, name=options.backbone),
        partial(_load_run, model, class_names, name=options.backbone),
    )
    return model


def _load_file(model: Detector, path: Path, name: str) -> list[str]:
    """A file of the whole detector, or one of its backbone."""
    return load_file(Backbone(model) if is_file_of(model, path) else model.backbone, path, name)


def _load_run(model: Detector, class_names: Sequence[str], run: Path, name: str) -> list[str]:
    former = Predictor.load(run)
    same = former.task.class_names == tuple(class_names)
    return load_run(model, model.backbone, former.model, same, run, name)
