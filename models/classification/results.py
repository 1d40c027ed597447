"""From logits to named results, as graph operations that run in TF Serving, too; the mean of several classifiers."""

import math
from collections.abc import Sequence

import tensorflow as tf


def one_label(logits: tf.Tensor, class_names: Sequence[str], temperature: float = 1.0) -> dict[str, tf.Tensor]:
    """Results where exactly one class holds.

    Args:
        logits: float `[n, classes]`.
        class_names: in the order of the class ids.
        temperature: what logits are divided by (Guo et al. 2017, section 4.2): above 1 the model is less sure, below 1
            surer; the likeliest class stays the same.

    Returns:
        class: string `[n]`, the name of the likeliest class.
        class_id: int32 `[n]`, its place in `class_names`.
        score: float32 `[n]`, its probability.
        probabilities: float32 `[n, classes]`, sum 1.
    """
    logits = tf.cast(logits, tf.float32)
    class_id = tf.argmax(logits, axis=-1, output_type=tf.int32)  # division could round two neighbours to a tie
    probabilities = tf.nn.softmax(logits / temperature)
    return {
        "class": tf.gather(tf.constant(list(class_names)), class_id),
        "class_id": class_id,
        "score": tf.reduce_max(probabilities, axis=-1),
        "probabilities": probabilities,
    }


def several_labels(logits: tf.Tensor, class_names: Sequence[str], thresholds: Sequence[float]) -> dict[str, tf.Tensor]:
    """Results where any number of labels holds.

    All labels are listed for each image: a tensor cannot hold another number of names in each row, and TF Serving
    answers row by row.

    Args:
        logits: float `[n, classes]`.
        class_names: in the order of the class ids.
        thresholds: for each class the probability from which on it counts as present.

    Returns:
        classes: string `[n, classes]`, the names, the same in each row.
        present: bool `[n, classes]`.
        probabilities: float32 `[n, classes]`, each 0..1.
    """
    probabilities = tf.sigmoid(tf.cast(logits, tf.float32))
    names = tf.constant([list(class_names)])
    return {
        "classes": tf.tile(names, [tf.shape(logits)[0], 1]),
        "present": probabilities >= tf.constant(list(thresholds), tf.float32),
        "probabilities": probabilities,
    }


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
