"""From masks to what the losses learn from."""

from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from .instances import BOUNDARY
from .losses import factors
from .options import SegmentationOptions
from .weight_map import weight_maps


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
