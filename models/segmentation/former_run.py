"""What a segmenter takes from a former run: all that fits of a segmentation, the backbone of another task."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

from ..backbones.start import encoder_of
from ..backbones.weights import copy_weights
from ..errors import InputError
from ..predictor import Predictor
from .segmenter import Segmenter


def load_run(model: Segmenter, class_names: Sequence[str], run: Path, name: str) -> list[str]:
    """Copies weights from a former run.

    Args:
        model: what is copied into.
        class_names: in the order of the class ids; layers named "logits..." are taken only where the run has the same.
        run: the former run's folder.
        name: of the backbone, for messages.

    Returns:
        The model's weights that keep their start, and why.

    Raises:
        InputError: no run, one with another backbone, or one of which nothing fits.
    """
    former = Predictor.load(run)
    if model.backbone:
        copy_weights(encoder_of(former.model, run), model.backbone, run, name)
    if not isinstance(former.model, Segmenter):
        if model.backbone:
            return []
        raise InputError(f"{run}: a run of another task has a backbone to start from, and {name} does not say its own")
    same = former.task.class_names == tuple(class_names)
    skipped, copied = [], model.backbone is not None
    for ours, theirs in _pairs(model, former.model):
        if reason := _misfit(ours, theirs, same):
            skipped += [f"{ours.name}/{weight.name} {tuple(weight.shape)} ({reason})" for weight in ours.weights]
        else:
            ours.set_weights(theirs.get_weights())
            copied = True
    if not copied:
        raise InputError(f"{run}: nothing of this run fits {name}: its layers have other names or shapes")
    return skipped


def _pairs(model: Segmenter, former: Segmenter) -> Iterator[tuple[keras.Layer, keras.Layer | None]]:
    """The layers outside the backbones: in their order where it is the same network (Keras may have numbered the layers
    of a user's own anew), else by name."""
    ours, theirs = _decoder(model), _decoder(former)
    if [type(layer) for layer in ours] == [type(layer) for layer in theirs]:
        yield from zip(ours, theirs, strict=True)
        return
    by_name = {layer.name: layer for layer in theirs}
    for layer in ours:
        yield layer, by_name.get(layer.name)


def _decoder(model: Segmenter) -> list[keras.Layer]:
    encoder = {id(layer) for layer in model.encoder.layers} if model.encoder else set()
    return [layer for layer in model.layers if layer.weights and id(layer) not in encoder]


def _misfit(ours: keras.Layer, theirs: keras.Layer | None, same_classes: bool) -> str | None:
    if theirs is None:
        return "not in that run"
    if not same_classes and ours.name.startswith("logits"):
        return "other classes"
    if [weight.shape for weight in ours.weights] != [weight.shape for weight in theirs.weights]:
        return "another shape"
    return None
