"""The losses of a classifier, and the penalty on its weights.

Keras' own losses have no class weights that suit soft targets or several labels, and its categorical focal loss cuts
probabilities off at 1e-7: where the network is surely wrong (logits 16 apart), the very case that focal loss is for,
there is no gradient. These are computed from logarithms of probabilities.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from ..errors import InputError
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
