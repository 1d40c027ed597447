"""How rare classes get their due: weights in the loss, or a place in the epoch as often as others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, advise, nearest
from .options import ClassificationOptions


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
                raise InputError(f"model.class_weights: the data has no class '{name}': {nearest(name, class_names)}")
    counts, total = _count(options, len(class_names), truths), len(truths)
    for name, count in zip(class_names, counts, strict=True):
        if count == 0 and (given == "balanced" or name in given):
            line = advise("model.class_weights", {class_names[int(counts.argmax())]: 2.0})
            raise InputError(
                f"model.class_weights: no training sample has the class '{name}', so it can have no weight: "
                f"name the weights of others, as {line}"
            )
        if count == total and options.multi_label and given == "balanced":
            raise InputError(
                f"model.class_weights: every training sample has the label '{name}', which cannot be balanced: "
                "name weights of labels"
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
