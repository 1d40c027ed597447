"""Losses of classifiers, and how rare classes get their due: by weights, or by a place in the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ..errors import InputError, advise, nearest
from ..focal import focal
from .options import ClassificationOptions


class OneLabelLoss(keras.losses.Loss):
    """Cross-entropy or focal loss (Lin et al. 2017, equation 4) where the classes exclude each other.

    Targets `[n, classes]` may be shares of classes; each class then has its own focal factor. A sample weighs as much
    as its classes do: the sum of `y * weights`, before smoothing.

    Args:
        gamma: the exponent of the focal factor (1 - p) ** gamma; 0 is cross-entropy.
        label_smoothing: how much of a target is spread over all classes (Szegedy et al. 2016, section 7).
        weights: of the classes, `[classes]`; none where all weigh the same.
    """

    def __init__(self, gamma: float, label_smoothing: float, weights: np.ndarray | None = None):
        super().__init__(name="one_label_loss")
        self.gamma, self.label_smoothing, self.weights = gamma, label_smoothing, weights

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Targets and logits `[n, classes]` to losses `[n]`."""
        log_p = ops.log_softmax(y_pred)
        smoothed = y_true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[-1]
        losses = ops.sum(smoothed * focal(log_p, self.gamma), axis=-1)
        return losses if self.weights is None else losses * ops.sum(y_true * self.weights, axis=-1)


class SeveralLabelsLoss(keras.losses.Loss):
    """The mean over labels of their binary cross-entropies or focal losses, where any number of labels holds.

    A target `[n, labels]` between 0 and 1 weighs the loss of a label that is there against that of one that is not.

    Args:
        gamma: as for `OneLabelLoss`.
        label_smoothing: how far a target is drawn towards 0.5.
        weights: of a label that is there, against 1 of one that is not, `[labels]`; none where both weigh the same.
    """

    def __init__(self, gamma: float, label_smoothing: float, weights: np.ndarray | None = None):
        super().__init__(name="several_labels_loss")
        self.gamma, self.label_smoothing, self.weights = gamma, label_smoothing, weights

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Targets and logits `[n, labels]` to losses `[n]`."""
        smoothed = y_true * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        there = focal(ops.log_sigmoid(y_pred), self.gamma)
        missing = focal(ops.log_sigmoid(-y_pred), self.gamma)
        weighted = there if self.weights is None else there * self.weights
        return ops.mean(smoothed * weighted + (1 - smoothed) * missing, axis=-1)


def make_loss(options: ClassificationOptions, weights: np.ndarray | None = None) -> keras.losses.Loss:
    """The loss that the recipe's `model` section states.

    Args:
        options: the section.
        weights: of the classes, float32 `[classes]`, in their order.

    Raises:
        InputError: class weights that nobody took from the training truth.
    """
    if options.class_weights != "none" and weights is None:
        raise InputError("model.class_weights: they come from the training truth: call task.adapt before task.model")
    kind = SeveralLabelsLoss if options.multi_label else OneLabelLoss
    return kind(options.focal_gamma if options.loss == "focal" else 0.0, options.label_smoothing, weights)


def penalise_kernels(model: keras.Model, l1: float, l2: float) -> None:
    """Adds `l1 * sum(|w|) + l2 * sum(w ** 2)` over all kernels to the loss; Keras leaves out those that are frozen.

    Biases, normalisation and kernels with a regularizer of their own are left as they are.
    """
    if l1 or l2:
        penalty = keras.regularizers.L1L2(l1, l2)
        for weight in model.weights:
            if weight.name.endswith("kernel") and weight.regularizer is None:
                weight.regularizer = penalty


def class_weights(
    options: ClassificationOptions, class_names: Sequence[str], truths: Sequence[Mapping[str, Any]]
) -> np.ndarray:
    """What `model.class_weights` means for the training samples.

    Balanced weights of classes are inverse to their frequency (King and Zeng 2001, as in scikit-learn); all weights of
    classes are scaled so that the mean over the samples is 1. Balanced weights of labels are
    negatives / positives, and those of labels are not scaled, as `pos_weight` in PyTorch's BCEWithLogitsLoss.

    Args:
        options: the recipe's `model` section, where `class_weights` is not none.
        class_names: in the order of the class ids.
        truths: the truth of each training sample.

    Returns:
        Float32 `[classes]`.

    Raises:
        InputError: a weight for a class that the data or its training split does not have, or a label that all have.
    """
    given = options.class_weights
    if isinstance(given, dict):
        for name in given:
            if name not in class_names:
                raise InputError(
                    f"model.class_weights: the data has no class '{name}': {nearest(name, class_names)}",
                    field="model.class_weights",
                )
    counts, total = _count(options, len(class_names), truths), len(truths)
    for name, count in zip(class_names, counts, strict=True):
        if count == 0 and (given == "balanced" or name in given):
            line = advise("model.class_weights", {class_names[int(counts.argmax())]: 2.0})
            raise InputError(
                f"model.class_weights: no training sample has the class '{name}', so it can have no weight: "
                f"name the weights of others, as {line}",
                field="model.class_weights",
            )
        if count == total and options.multi_label and given == "balanced":
            raise InputError(
                f"model.class_weights: every training sample has the label '{name}', which cannot be balanced: "
                "name weights of labels",
                field="model.class_weights",
            )
    if isinstance(given, dict):
        weights = np.array([given.get(name, 1.0) for name in class_names])
    else:
        weights = (total - counts) / counts if options.multi_label else 1 / counts
    if not options.multi_label:
        weights *= total / (counts @ weights)
    return weights.astype(np.float32)


def balanced_epoch(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """An epoch in which each class that there is comes equally often, or once more where the number does not divide.

    Within a class every sample comes once before any comes again.

    Args:
        labels: class ids, int `[n]`.
        generator: decides everything that is random.

    Returns:
        Indices into `labels`, int64 `[n]`, shuffled.
    """
    present = generator.permutation(np.unique(labels))  # which classes come once more is random, too
    each, more = divmod(len(labels), len(present))
    chosen = [
        _repeated(np.flatnonzero(labels == label), each + (place < more), generator)
        for place, label in enumerate(present)
    ]
    return generator.permutation(np.concatenate(chosen))


def _repeated(members: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    rounds = -(-count // len(members))
    return np.concatenate([generator.permutation(members) for _ in range(rounds)])[:count]


def _count(options: ClassificationOptions, classes: int, truths: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """How many samples have each class, float64 `[classes]`."""
    counts = np.zeros(classes)
    for truth in truths:
        if options.multi_label:
            counts += np.asarray(truth["labels"])
        else:
            counts[int(truth["label"])] += 1
    return counts
