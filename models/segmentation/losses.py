"""The losses of a segmentation network, alone or as a weighted sum.

Each takes all pixels of a batch together: cross-entropy, focal and boundary loss are means over the pixels that count,
Dice, Jaccard and Tversky compare areas. So each is one number, whatever the number of pictures or pixels.

Where pixels weigh differently, the mean is a weighted one: divided by the sum of the weights, as PyTorch's
`CrossEntropyLoss(weight=..., ignore_index=...)` does, not by the number of pixels, as Keras' class weights. Only the
ratios of weights matter then, and the factors of a sum mean the same whatever the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from ..errors import InputError
from ..focal import focal
from ..inputs.image.geometry import IGNORE
from .options import SegmentationOptions

_PIXELS = (0, 1, 2)  # the axes of a batch over which a class's area is taken


def make_loss(options: SegmentationOptions, class_weights: np.ndarray | None = None) -> SegmentationLoss:
    """The loss that the recipe's `model` section states.

    Args:
        options: the section.
        class_weights: float32 `[classes]`, in their order; see `class_pixels.class_weights`.

    Raises:
        InputError: class weights that nobody took from the training truth.
    """
    if options.class_weights != "none" and class_weights is None:
        raise InputError("model.class_weights: they come from the training truth: call task.adapt before task.model")
    return SegmentationLoss(factors(options), options.focal_gamma, options.tversky_alpha, class_weights)


def factors(options: SegmentationOptions) -> dict[str, float]:
    """The losses of the sum that `model.loss` states, each with its factor."""
    return {options.loss: 1.0} if isinstance(options.loss, str) else dict(options.loss)


class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of losses, from class ids and logits; pixels of id 255 take no part.

    Computed in float32, whatever the precision of the network.

    Args:
        factors: what each loss counts: cross_entropy, dice, focal, jaccard, tversky, boundary.
        gamma: the exponent of the focal loss.
        alpha: what a false positive costs in the Tversky loss, against 1 - alpha of a false negative.
        class_weights: `[classes]`, for cross-entropy, focal and boundary loss; none where all weigh the same.
    """

    def __init__(
        self, factors: Mapping[str, float], gamma: float, alpha: float, class_weights: np.ndarray | None = None
    ):
        super().__init__(name="segmentation_loss", dtype="float32")
        self.factors, self.gamma, self.alpha, self.class_weights = dict(factors), gamma, alpha, class_weights

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of a batch.

        Args:
            y_true: class ids `[n, h, w]`; with the boundary loss `[n, h, w, 2]`, class ids and the weights of
                `weight_map`.
            y_pred: logits `[n, h, w, classes]`.

        Returns:
            `[1]`, which Keras reduces to the same number by mean and by sum, however many pictures there are. It is 0
            where no pixel counts.
        """
        ids, gaps = (y_true[..., 0], y_true[..., 1]) if "boundary" in self.factors else (y_true, None)
        counts = ops.not_equal(ids, IGNORE)
        ids = ops.where(counts, ops.cast(ids, "int32"), 0)
        # Zeros in place of what is ignored: then not even a logit that is no number has a gradient.
        logits = ops.where(ops.expand_dims(counts, -1), ops.cast(y_pred, "float32"), 0.0)
        counts = ops.cast(counts, "float32")
        terms = {name: self._term(name, ids, logits, counts, gaps) for name in self.factors}
        return ops.reshape(sum(factor * terms[name] for name, factor in self.factors.items()), (1,))

    def _term(
        self,
        name: str,
        ids: keras.KerasTensor,
        logits: keras.KerasTensor,
        counts: keras.KerasTensor,
        gaps: keras.KerasTensor | None,
    ) -> keras.KerasTensor:
        """One loss of the sum, a scalar."""
        if name == "dice":
            return _overlap_loss(ids, logits, counts, 0.5, 0.5)
        if name == "jaccard":
            return _overlap_loss(ids, logits, counts, 1.0, 1.0)
        if name == "tversky":
            return _overlap_loss(ids, logits, counts, self.alpha, 1 - self.alpha)
        losses = ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)  # -log(p) of the true class
        if name == "focal":
            losses = focal(-losses, self.gamma)
        weights = counts if self.class_weights is None else counts * ops.take(self.class_weights, ids)
        if name == "boundary":  # equation 2 of the paper: the weight of the class, plus that of the gap
            weights = weights + counts * gaps
        return ops.divide_no_nan(ops.sum(losses * weights), ops.sum(weights))


def _overlap_loss(
    ids: keras.KerasTensor, logits: keras.KerasTensor, counts: keras.KerasTensor, positives: float, negatives: float
) -> keras.KerasTensor:
    """1 minus the mean over classes of the Tversky index (Salehi et al. 2017, equation 3), with areas over the batch.

    Both costs 0.5 make it soft Dice (as in Sudre et al. 2017, where Milletari et al. 2016 square in the denominator),
    both 1 the soft Jaccard index. A class without a true pixel in the batch is left out: no probability could be right.
    Keras' own `tversky` counts such a class, and its alpha weighs false negatives.

    Args:
        ids: int32 `[n, h, w]`.
        logits: `[n, h, w, classes]`.
        counts: `[n, h, w]`, 1 for a pixel that counts and 0 for others.
        positives: what a false positive costs.
        negatives: what a false negative costs.
    """
    counts = ops.expand_dims(counts, -1)
    truth = counts * ops.one_hot(ids, logits.shape[-1], dtype="float32")
    p = counts * ops.softmax(logits)
    true_areas, areas, shared = (ops.sum(each, axis=_PIXELS) for each in (truth, p, truth * p))  # [classes]
    wrong = positives * (areas - shared) + negatives * (true_areas - shared)
    index = shared / (shared + wrong + keras.config.epsilon())
    present = ops.cast(true_areas > 0, "float32")
    return ops.divide_no_nan(ops.sum(present * (1 - index)), ops.sum(present))
