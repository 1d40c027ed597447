"""Losses of segmentation, and the targets and weight maps that they learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import ndimage

from ..errors import InputError
from ..focal import focal
from ..inputs.image.geometry import IGNORE
from .instances import BOUNDARY
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
            `[1]`, which Keras reduces to the same number by mean and by sum, however many images there are. It is 0
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


REACH = 4
"""How far a weight reaches, in sigmas: beyond, it is under 4e-4 of its peak, and is left at 0."""

_TOUCHING = np.ones((3, 3), bool)  # sides and corners


def weight_maps(masks: np.ndarray, peak: float, sigma: float, boundary: int | None = None) -> np.ndarray:
    """`weight_map` of each mask of a batch `[n, h, w]`, float32 `[n, h, w]`."""
    maps = np.zeros(masks.shape, np.float32)
    for row, mask in zip(maps, masks, strict=True):
        row[:] = weight_map(mask, peak, sigma, boundary)
    return maps


def weight_map(mask: np.ndarray, peak: float, sigma: float, boundary: int | None = None) -> np.ndarray:
    """How much more a pixel weighs because it lies between objects (Ronneberger et al. 2015, equation 2).

    `peak * exp(-(d1 + d2) ** 2 / (2 * sigma ** 2))`, where d1 and d2 are the distances to the nearest and to the second
    nearest object; within an object d1 is 0. The paper's other term, which balances classes, is `model.class_weights`.

    Args:
        mask: an integer `[h, w]`, class ids, 0 for the background, 255 where a pixel does not count. Objects are the
            pixels of one class that touch, by a side or a corner; what does not count is no object.
        peak: the weight where both distances are 0 (w0 of the paper).
        sigma: in pixels.
        boundary: the class id of pixels that only part objects and are none, where there is one.

    Returns:
        Float32 `[h, w]`, from 0 to `peak`.
    """
    first = np.full(mask.shape, np.inf, np.float32)
    second = first.copy()
    # A pixel with any weight has both objects within reach, so no object needs more than its surroundings.
    for window, beside in _objects(mask, boundary, int(np.ceil(REACH * sigma))):
        distance = ndimage.distance_transform_edt(beside).astype(np.float32)
        nearest, next_nearest = first[window], second[window]  # views
        np.minimum(next_nearest, np.maximum(nearest, distance), out=next_nearest)
        np.minimum(nearest, distance, out=nearest)
    total = first + second
    return np.where(total <= REACH * sigma, peak * np.exp(-(total**2) / (2 * sigma**2)), 0).astype(np.float32)


def _objects(mask: np.ndarray, boundary: int | None, margin: int) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """A window round each object, `margin` pixels wider on all sides, and where in it the object is not."""
    for label in set(np.unique(mask).tolist()) - {0, boundary, IGNORE}:
        numbers, _ = ndimage.label(mask == label, _TOUCHING)
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), start=1):
            window = (
                slice(max(rows.start - margin, 0), rows.stop + margin),
                slice(max(columns.start - margin, 0), columns.stop + margin),
            )
            yield window, numbers[window] != number


def make_targets(mask: tf.Tensor, class_names: Sequence[str], options: SegmentationOptions) -> tf.Tensor:
    """What `losses.make_loss` takes, as graph operations.

    Args:
        mask: an integer `[n, h, w]`, class ids, 255 where a pixel does not count.
        class_names: in the order of the class ids; pixels of one named "boundary" are no objects.
        options: the recipe's `model` section.

    Returns:
        The ids, int32 `[n, h, w]`; where the boundary loss has a part float32 `[n, h, w, 2]`, the ids and the weights
        of `weight_map.weight_map`.
    """
    ids = tf.cast(mask, tf.int32)
    if "boundary" not in factors(options):
        return ids
    boundary = list(class_names).index(BOUNDARY) if BOUNDARY in class_names else None
    weigh = partial(weight_maps, peak=options.boundary_weight, sigma=options.boundary_sigma, boundary=boundary)
    weights = tf.numpy_function(weigh, [ids], tf.float32)  # one visit to Python a batch
    weights.set_shape(mask.shape)
    return tf.stack([tf.cast(ids, tf.float32), weights], axis=-1)
