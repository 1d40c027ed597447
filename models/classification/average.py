"""The mean of several classifiers' probabilities, as logits that stand for it; safe for logits of any size."""

import math
from collections.abc import Sequence

import tensorflow as tf


def mean_of_one_label(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """The logarithm of the mean of the softmax of each, float32 `[n, classes]`: its softmax is that mean.

    Args:
        logits: float `[n, classes]` each.
    """
    return _log_mean([tf.nn.log_softmax(tf.cast(each, tf.float32)) for each in logits])


def mean_of_labels(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """The logit of the mean of the sigmoid of each, float32 `[n, classes]`: its sigmoid is that mean.

    Args:
        logits: float `[n, classes]` each.
    """
    cast = [tf.cast(each, tf.float32) for each in logits]
    there, absent = ([tf.math.log_sigmoid(sign * each) for each in cast] for sign in (1.0, -1.0))
    return _log_mean(there) - _log_mean(absent)


def _log_mean(logarithms: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack(logarithms), axis=0) - math.log(len(logarithms))
