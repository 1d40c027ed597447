"""Which of the three a new model starts from: ImageNet weights, a file, or a former run."""

import logging
from collections.abc import Callable
from pathlib import Path

import keras

from ..errors import InputError
from .backbone import Backbone
from .weights import load_imagenet

log = logging.getLogger("saccade")

Loading = Callable[[Path], list[str]]
"""Loads from a path, and returns what of it was not used."""


def start(backbone: Backbone, name: str, weights: str, load_file: Loading, load_run: Loading) -> None:
    """Gives a new model what the recipe's `model.weights` says, and tells the log what was skipped.

    Args:
        backbone: the model's.
        name: of the backbone, for messages.
        weights: "none", "imagenet", a file, or the folder of a former run.
        load_file: loads a file.
        load_run: loads a former run.

    Raises:
        InputError: weights that are missing or do not fit.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        return load_imagenet(backbone, name)
    path = Path(weights)
    skipped = load_run(path) if path.is_dir() else load_file(path)
    log.info("weights of %s from %s; skipped: %s", name, path, ", ".join(skipped) or "none")


def encoder_of(model: keras.Model, run: Path) -> keras.Model:
    """The part of a former run's model that a new one may start from, whatever the task was.

    It is what the model calls its `encoder`, or else the first part of what it may be split into.

    Raises:
        InputError: it has none.
    """
    if getattr(model, "encoder", None) is not None:
        return model.encoder
    if hasattr(model, "split"):
        return model.split()[0]
    raise InputError(f"{run}: its model has no features to start from: name one run of this kind of task, no ensemble")
