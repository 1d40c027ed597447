"""What a model starts from: ImageNet weights, a file of weights, or a former run."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras

from ..errors import InputError, temporary_folder
from ..files import of_path
from .backbone import Backbone

Shapes = dict[str, tuple[int, ...]]
_WEIGHT = re.compile(r"(?P<layer>(?:.*/)?(?P<kind>[a-z]\w*?)(?:_\d+)?)/vars/\d+")


def load_imagenet(backbone: Backbone, name: str) -> None:
    """Gives `backbone` its ImageNet weights, from Keras' cache or downloaded by Keras.

    Raises:
        InputError: the network has none, or they cannot be downloaded.
    """
    if backbone.imagenet is None:
        raise InputError(
            f"model.weights: {name} has no ImageNet weights: take none, a .weights.h5 file or a run",
            field="model.weights",
        )
    try:
        weights = backbone.imagenet().get_weights()
    except OSError as error:
        if error.filename is None:
            raise _no_download(name, error) from error
        raise of_path(error) from error  # Keras' cache cannot be read or written, or is full
    except Exception as error:  # keras.utils.get_file raises a bare Exception where the network fails
        raise _no_download(name, error) from error
    with _own_preprocessing(backbone.net):
        backbone.net.set_weights(weights)


def _no_download(name: str, error: Exception) -> InputError:
    return InputError(
        f"model.weights: the ImageNet weights of {name} cannot be downloaded ({error}): "
        "give them as a file, model.weights=PATH.weights.h5",
        field="model.weights",
    )


def load_file(backbone: Backbone, path: Path, name: str) -> list[str]:
    """Gives `backbone` the weights in a file.

    Args:
        backbone: what is loaded into.
        path: a `.weights.h5` file of the backbone, of the whole network with a dense top, or of a run; or a `.h5` file
            in Keras' older format, without top, as keras.applications downloads them.
        name: of the model, for the messages.

    Returns:
        The file's weights that were not used: those of a top.

    Raises:
        InputError: no such file, no weights in it, or those of another network.
    """
    if not path.is_file():
        raise InputError(f"model.weights: no file or folder {path}", field="model.weights")
    try:
        with h5py.File(path) as file:
            is_older, found = "layer_names" in file.attrs or "model_weights" in file, _shapes(file)
    except PermissionError:
        raise InputError("no permission to read these weights", where=str(path)) from None
    except OSError:
        raise InputError(
            "no HDF5 file: model.weights takes a .weights.h5 file or the folder of a run", where=str(path)
        ) from None
    if path.name.endswith(".weights.h5") == is_older:
        form = "older format, whose name ends in .h5" if is_older else "format whose name ends in .weights.h5"
        raise InputError(f"this is Keras' {form}: rename it so", where=str(path))
    with _own_preprocessing(backbone.net):
        if is_older:
            return _load_older(backbone.net, path, name)
        expected = _expected(backbone.net)
        skipped = [weight for weight in found if weight not in expected]
        fits = all(found.get(weight) == shape for weight, shape in expected.items())
        if not fits or any(_kind(weight) != "dense" for weight in skipped):
            raise InputError(f"not the weights of {name}: {_difference(expected, found)}", where=str(path))
        backbone.net.load_weights(path)
    return [f"{weight} {found[weight]}" for weight in skipped]


def is_file_of(net: keras.Model, path: Path) -> bool:
    """Whether a `.weights.h5` file holds the weights of all of `net`, neither more nor less."""
    if not path.name.endswith(".weights.h5") or not h5py.is_hdf5(path):
        return False
    with h5py.File(path) as file:
        return _shapes(file) == _expected(net)


def copy_weights(source: keras.Model, backbone: Backbone, run: Path, name: str) -> None:
    """Copies the backbone of a former run.

    Args:
        source: the former model's part from images to features.
        backbone: what is copied into.
        run: the former run's folder, for the message.
        name: of the new model, for the message.

    Raises:
        InputError: the two are different networks.
    """
    ours, theirs = ([tuple(weight.shape) for weight in net.weights] for net in (backbone.net, source))
    if ours != theirs:
        raise InputError(
            f"this run's backbone is not {name} at this size: expected {len(ours)} weights with "
            f"{backbone.net.count_params()} values, found {len(theirs)} with {source.count_params()}",
            where=str(run),
        )
    backbone.net.set_weights(source.get_weights())
    for layer in backbone.net.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


@contextmanager
def _own_preprocessing(net: keras.Model) -> Iterator[None]:
    """Keeps mean and variance of the input as the backbone set them, whatever is loaded (see `applications.py`)."""
    kept = [(layer, layer.get_weights()) for layer in net.layers if isinstance(layer, keras.layers.Normalization)]
    yield
    for layer, weights in kept:
        layer.set_weights(weights)
        layer.finalize_state()


def _load_older(net: keras.Model, path: Path, name: str) -> list[str]:
    try:
        net.load_weights(path)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"not the weights of {name} without its top: {reason}", where=str(path)) from None
    return []


def _expected(net: keras.Model) -> Shapes:
    """Names and shapes in the file that Keras would write of `net`: the only place where it tells its naming."""
    with temporary_folder() as folder:
        path = folder / "expected.weights.h5"
        net.save_weights(path)
        with h5py.File(path) as file:
            return _shapes(file)


def _shapes(file: h5py.File) -> Shapes:
    """Weights by their path; the states of random generators are none."""
    shapes: Shapes = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and _WEIGHT.fullmatch(name) and _kind(name) != "seed_generator":
            shapes[name] = tuple(item.shape)

    file.visititems(visit)
    return shapes


def _kind(weight: str) -> str:
    return _WEIGHT.fullmatch(weight)["kind"]


def _difference(expected: Shapes, found: Shapes) -> str:
    """What kinds of layers, or else which weight, tells two networks apart."""
    ours, theirs = (_layers(shapes) for shapes in (expected, found))
    if all(theirs[kind] == count for kind, count in ours.items() if kind != "dense"):
        for weight, shape in expected.items():
            if weight in found and found[weight] != shape:
                return f"expected {weight} of shape {shape}, found {found[weight]}"
    return f"expected {_listed(ours)}; found {_listed(theirs)}"


def _layers(shapes: Shapes) -> Counter[str]:
    layers = {_WEIGHT.fullmatch(weight)["layer"] for weight in shapes}
    return Counter(_kind(f"{layer}/vars/0") for layer in layers)


def _listed(layers: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(layers.items())) or "no layers"


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
    raise InputError(
        "its model has no features to start from: name one run of this kind of task, no ensemble", where=str(run)
    )


def load_run(
    model: keras.Model, backbone: Backbone | None, former: keras.Model, same_classes: bool, run: Path, name: str
) -> list[str]:
    """Copies weights from a former run's model: the backbone, and of a model of the same kind the layers behind it.

    Args:
        model: what is copied into.
        backbone: its part with levels; None where it does not say which that is.
        former: the run's model.
        same_classes: whether both know the same classes in the same order; else layers named "logits..." keep their
            start.
        run: the former run's folder, for messages.
        name: of the backbone, likewise.

    Returns:
        The model's weights that keep their start, and why.

    Raises:
        InputError: a run with another backbone, or one of which nothing fits.
    """
    if backbone:
        copy_weights(encoder_of(former, run), backbone, run, name)
    if not isinstance(former, type(model)):
        if backbone:
            return []
        raise InputError(
            f"a run of another task has a backbone to start from, and {name} does not say its own", where=str(run)
        )
    skipped, copied = [], backbone is not None
    for ours, theirs in _pairs(_behind(model, backbone), _behind(former, getattr(former, "backbone", None))):
        if reason := _misfit(ours, theirs, same_classes):
            skipped += [f"{ours.name}/{weight.name} {tuple(weight.shape)} ({reason})" for weight in ours.weights]
        else:
            ours.set_weights(theirs.get_weights())
            copied = True
    if not copied:
        raise InputError(f"nothing of this run fits {name}: its layers have other names or shapes", where=str(run))
    return skipped


def _behind(model: keras.Model, backbone: Backbone | None) -> list[keras.Layer]:
    """The layers with weights that are no part of the backbone."""
    encoder = {id(layer) for layer in backbone.net.layers} if backbone else set()
    return [layer for layer in model.layers if layer.weights and id(layer) not in encoder]


def _pairs(ours: list[keras.Layer], theirs: list[keras.Layer]) -> Iterator[tuple[keras.Layer, keras.Layer | None]]:
    """In their order where it is the same network (Keras may have numbered the layers of a user's own anew), else by
    name."""
    if [type(layer) for layer in ours] == [type(layer) for layer in theirs]:
        yield from zip(ours, theirs, strict=True)
        return
    by_name = {layer.name: layer for layer in theirs}
    for layer in ours:
        yield layer, by_name.get(layer.name)


def _misfit(ours: keras.Layer, theirs: keras.Layer | None, same_classes: bool) -> str | None:
    if theirs is None:
        return "not in that run"
    if not same_classes and ours.name.startswith("logits"):
        return "other classes"
    if [weight.shape for weight in ours.weights] != [weight.shape for weight in theirs.weights]:
        return "another shape"
    return None
