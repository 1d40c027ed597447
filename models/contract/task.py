"""The contract of a task: what is special about it, and nothing else. The loops own the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from ..backbones.network import Network
from ..errors import InputError
from ..options import IsPath, Options
from .evaluation import Evaluation
from .input import Input
from .truth import Truth

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from ..views import View

_RENAMED = {
    "observe": "adapt",
    "arrange": "batch_sampler",
    "undo": "invert_view",
    "in_words": "summary",
    "one_by_one": "lengths",
    "row_needs": "lengths",
    "InputOptions": "Input.Options",
}


class ModelOptions(Options):
    """The recipe's `model` section as every task has it; a task adds its own fields in a subclass."""

    name: str
    """A name from the task's table, or your own as `package.module:Name`."""
    weights: Annotated[str, IsPath("imagenet", "none")] = "none"
    """What training starts from: "imagenet", "none", a `.weights.h5` file, or the folder of a former run."""


class NoOptions(Options):
    """A section of the recipe in which a task has nothing to set."""


@dataclass(frozen=True)
class Tile:
    """One of the overlapping tiles that a large image was seen in.

    Attributes:
        results: those that `Task.tile_results` names, of the tile alone, in its own pixels.
        top, left: where it lies in the image, in pixels.
        rows, columns: what each row and column of it counts where tiles overlap, float32; at every pixel of the image
            the products sum to 1.
    """

    results: Mapping[str, np.ndarray]
    top: int
    left: int
    rows: np.ndarray
    columns: np.ndarray


class Task(ABC):
    """What is special about one task. Made once for a job, from a resolved recipe.

    A task of your own is a subclass that a recipe names as `package.module:Name`; see examples/. This file and every
    task's own stay free of TensorFlow at import, so that names and options are checked before it is loaded: the
    methods import what they need.

    Attributes:
        class_names: the names behind class ids, in their order; empty where the task has no classes.
        model_options, input_options, result_options, evaluation_options: sections of the recipe.
        learned: what `adapt` found that results depend on, plain JSON values: saved with the run, given to the input,
            part of the fingerprint.
    """

    models: ClassVar[Mapping[str, str]] = {}
    """Names for `model.name`, to `module:Name` (a leading dot: relative to the module of the task)."""
    networks: ClassVar[Mapping[str, Network]] = {}
    """What `saccade models` says of them, by the same names; what is left out is listed by its name alone."""
    Input: ClassVar[type[Input]]
    """What it looks at, as `ImageInput`; its `Options` are the recipe's `input` section."""
    ModelOptions: ClassVar[type[ModelOptions]] = ModelOptions
    ResultOptions: ClassVar[type[Options]] = NoOptions
    EvaluationOptions: ClassVar[type[Options]] = NoOptions
    recipe: ClassVar[str | None] = None
    """The shipped recipe that `saccade train TASK` begins with."""
    demo: ClassVar[str | None] = None
    """The shipped recipe that `saccade demo TASK` runs, on embedded data."""
    monitor: str
    """The metric of the evaluation that chooses the best weights, unless `train.select` names another. A value of the
    class, or a property where it depends on the options; likewise `settings`."""
    settings: Mapping[str, float] = MappingProxyType({})
    """Values that predictions depend on beside the weights, with their start values. They are the Predictor's: chosen
    by `Evaluation.choose_settings` on validation, saved with it, baked into the bundle, part of the fingerprint."""
    soft_targets: ClassVar[bool] = False
    """Whether `targets` gives a `y` that may be averaged with that of another sample, as MixUp does: shares of classes,
    not class ids. Its `x` is then the images, float `[n, height, width, channels]` of the size that they were fitted
    to, and `y`, a structure of float tensors `[n, ...]`."""
    signatures: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType({})
    """Which results each signature of a bundle gives, by the signature's name. `serving_default` is what a prediction
    gives unless others are asked for; the rest is for those who want more, or the same in another form. Empty: all
    results in every signature of the input."""
    lengths: Mapping[str, str] = MappingProxyType({})
    """Results that are padded to the largest of a batch, each to the result that says its true length: an int `[n]` for
    its first axis, or `[n, k]` for its first k. `{"mask": "size"}`, `{"boxes": "count"}`."""
    result_padding: Mapping[str, float] = MappingProxyType({})
    """What such results are padded with, where it is not 0."""
    per_pixel: ClassVar[bool] = False
    """Whether results are as large as the image."""
    output_roles: Mapping[str, str] = MappingProxyType({})
    """What the consumer of a bundle may rely on: `{"embedding": "embedding"}`."""
    tile_results: ClassVar[Sequence[str]] = ()
    """Results that `merge_tiles` needs of each tile; empty for a task that cannot be asked in tiles."""
    commands: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further verbs, name to `module:function`: a function whose one argument is annotated with its `Options` class."""
    keep_samples: ClassVar[bool] = True
    """Whether a bundle carries proof samples unless the recipe says otherwise; not where they are people's faces."""

    def __init_subclass__(cls, **others: Any) -> None:
        super().__init_subclass__(**others)
        for old, new in _RENAMED.items():
            if old in vars(cls):
                raise InputError(
                    f"{cls.__name__}.{old} is called '{new}' now: see the contract, models/contract/task.py"
                )

    def __init__(
        self,
        class_names: Sequence[str],
        model_options: ModelOptions,
        input_options: Options | None = None,
        result_options: Options | None = None,
        evaluation_options: Options | None = None,
        learned: Mapping[str, Any] | None = None,
    ):
        self.class_names = tuple(class_names)
        self.model_options = model_options
        self.input_options = self.Input.Options() if input_options is None else input_options
        self.result_options = self.ResultOptions() if result_options is None else result_options
        self.evaluation_options = self.EvaluationOptions() if evaluation_options is None else evaluation_options
        self._learned = dict(learned or {})

    @property
    def learned(self) -> dict[str, Any]:
        return self._learned

    @learned.setter
    def learned(self, value: Mapping[str, Any]) -> None:
        self._learned = dict(value)
        vars(self).pop("input", None)  # built of it

    @cached_property
    def input(self) -> Input:
        """The object that turns raw values into model tensors and geometry."""
        made = self.Input(self.input_options, self.learned, self.truth)
        made.per_pixel = self.per_pixel
        return made

    def check_options(self) -> None:  # noqa: B027
        """Refuses options of two sections of the recipe that contradict each other; asked before the data is read.

        Raises:
            InputError: naming both keys.
        """

    @property
    @abstractmethod
    def truth(self) -> dict[str, Truth]:
        """The named truth values that a sample must bring for training and evaluation; none for a task without.

        A source is asked for them before its classes are known, so this works without class names too.
        """

    def check(self, size: tuple[int, int] | None, truth: Mapping[str, np.ndarray]) -> None:  # noqa: B027
        """Refuses truth that cannot belong to its sample; asked of every sample before a training begins.

        Args:
            size: height and width of the upright image; None where the input has no image.
            truth: of the sample.

        Raises:
            InputError: what is wrong, in a phrase that stands behind the sample's name.
        """

    def adapt(self, truths: Sequence[Mapping[str, Any]]) -> None:  # noqa: B027
        """Looks at the truth of the training split, once, before input and model are built.

        What results depend on (a vocabulary, anchors) becomes `self.learned`; what the loss alone needs (class
        weights) and what a bundle may not carry (names of people) never does.

        Args:
            truths: the named truth values of each training sample, all of which passed the check.
        """

    def batch_sampler(
        self, truths: Sequence[Mapping[str, Any]], batch: int
    ) -> Callable[[np.random.Generator], np.ndarray]:
        """Which training samples make up an epoch, in order; here all of them once, shuffled.

        Args:
            truths: as for `adapt`.
            batch: samples in a batch.

        Returns:
            A function of a generator, seeded by the recipe's seed and the epoch, to indices into `truths`, int64,
            equally many each epoch. Each `batch` of them, one after the other, are a batch: only the last may be short.
            An index may come several times: each is augmented anew.
        """
        count = len(truths)
        return lambda generator: generator.permutation(count)

    @abstractmethod
    def model(self) -> keras.Model:
        """A new model with its initial weights, which compiles its own loss: `compile(optimizer=...)` is enough.

        A model may offer `split() -> (features, head)`: two keras models that applied one after the other equal it,
        cut where features may be computed once while the first is frozen; the head compiles its own loss too.
        It may offer `stages() -> {stride: variables, ..., "head": variables}`: its trainable variables, nearest to the
        input first, each in the first stage that it belongs to; then the recipe may name learning rates by stage.
        It may offer `optimizer_groups() -> {name: variables}` and `set_optimizers(optimizers)`: then it gets an
        optimizer for each group, built of those variables, and its own `train_step` applies them. It keeps the mapping
        that it is given as it is: Keras would save a dict's optimizers among the weights.
        """

    @abstractmethod
    def targets(self, batch: dict[str, tf.Tensor]) -> tuple:
        """A padded batch of samples to Keras' `(x,)`, `(x, y)` or `(x, y, sample_weight)`; graph operations only."""

    def infer(self, model: keras.Model, tensors: Any, settings: Mapping[str, float]) -> Any:
        """From the input's tensors to raw outputs; graph operations only. Beam search, proposals and the like go here.

        Args:
            model: of this task, or one that answers as such.
            tensors: as the input gives them.
            settings: of the Predictor.
        """
        return model(tensors, training=False)

    @abstractmethod
    def results(
        self, outputs: Any, geometry: dict[str, tf.Tensor], settings: Mapping[str, float]
    ) -> dict[str, tf.Tensor]:
        """Raw outputs to named tensors in the units of the original, batch first; graph operations only.

        What differs in length from sample to sample is padded to the largest of the batch, and `lengths` says how.
        """

    @abstractmethod
    def evaluation(self, settings: Mapping[str, float]) -> Evaluation:
        """A fresh evaluation.

        Args:
            settings: those of the Predictor whose results it will be fed with.
        """

    def difference(self, left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> float:
        """How far the results of one sample, computed twice, lie apart: 0 is equal; a proof bears 1e-5.

        Here the largest difference of any value, see `array_difference`; a task whose results may be equal in another
        order, as boxes, knows better.
        """
        return max((array_difference(left[name], right[name]) for name in right), default=0.0)

    def average(self, outputs: Sequence[Any]) -> Any:
        """Raw outputs of several models, or of several views by one, for the same samples, to what one model would have
        to put out to mean their average; graph operations only. No setting was applied to them: the whole has settings
        of its own.

        Raises:
            InputError: a task that has none.
        """
        raise InputError(f"{type(self).__name__} has no way to average several models or views: take one run as it is")

    def invert_view(self, outputs: Any, view: View) -> Any:
        """Raw outputs for a view of the images, cropped or mirrored, to those for the whole; graph operations only.

        What has a place in the image goes back to where it was seen, what has none stays; `average` comes next.

        Raises:
            InputError: a task that cannot do it, or not for such a view.
        """
        raise InputError(f"{type(self).__name__} has no way back from a mirrored or cropped view: leave the views out")

    def merge_tiles(
        self, tiles: Iterator[Tile], size: tuple[int, int], settings: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Results of one image that was seen in overlapping tiles, as those of the default signature.

        Args:
            tiles: from the top to the bottom, each row of them from left to right; each is valid until the next.
            size: height and width of the upright image.
            settings: of the Predictor.

        Raises:
            InputError: a task that cannot do it.
        """
        raise InputError(f"{type(self).__name__} has no way to merge the results of tiles: predict without tiles")

    def line(self, results: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What of one sample's results belongs on a line of text: numbers, names, short lists; here all but what has a
        value for each pixel, or for as many other things in rows and columns: more than 1,000 of them."""
        return {name: value for name, value in results.items() if np.ndim(value) < 2 or np.size(value) <= 1000}

    def files(self, results: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        """What of one sample's results is better kept as files: how each file's name ends, as ".mask.png", to its
        bytes; here results named `*_bytes` of a single value, by the format that they begin with."""
        contents = {name: np.asarray(value).item() for name, value in results.items() if _is_file(name, value)}
        return {f".{name.removesuffix('_bytes')}{_ending(value)}": value for name, value in contents.items()}

    def summary(self, values: Mapping[str, Any]) -> str:
        """Results or truth of one sample in one short line; here each single value with its name."""
        single = {name: value for name, value in values.items() if not isinstance(value, list) and np.ndim(value) == 0}
        return ", ".join(f"{name} {_brief(value)}" for name, value in single.items())

    @abstractmethod
    def draw(
        self, shown: np.ndarray, results: Mapping[str, np.ndarray] | None, truth: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """The image a person looks at: uint8 `[h, w, 3]` of any size.

        Args:
            shown: the sample as `Input.show` gives it; in a contact sheet the model's input, where that is an image.
            results: of the sample, without padding; None where there are none.
            truth: likewise.
        """


def array_difference(left: np.ndarray, right: np.ndarray) -> float:
    """How far two arrays differ at most.

    Returns:
        |left - right| / max(1, |right|) of floats; of what can only be equal or not, as strings and integers, the share
        that is not; infinity for another type or shape, or where only one is NaN or infinite. NaN equals NaN here.
    """
    # as objects: NumPy's type of a text or of bytes holds their length, and drops zeros at their end
    left, right = (np.asarray(each, object if isinstance(each, str | bytes) else None) for each in (left, right))
    if left.shape != right.shape or left.dtype != right.dtype:
        return np.inf
    if right.dtype.kind != "f":
        return float(np.mean(left != right)) if right.size else 0.0
    left, right = left.astype(np.float64), right.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(left - right) / np.maximum(1.0, np.abs(right)))
    return float(np.nan_to_num(gap, nan=np.inf, posinf=np.inf).max(initial=0.0))


def with_lengths(names: Sequence[str], lengths: Mapping[str, str]) -> list[str]:
    """Names of results, and those that say their lengths."""
    return list(dict.fromkeys([*names, *(lengths[name] for name in names if name in lengths)]))


def without_padding(
    results: Mapping[str, np.ndarray], lengths: Mapping[str, str], names: Sequence[str] | None = None
) -> list[dict[str, np.ndarray]]:
    """Results of a batch to those of each sample, cut to their true lengths.

    Args:
        results: batch first; what `lengths` names for any of them is there too.
        lengths: of the task.
        names: those to keep; all unless given.
    """
    count = len(next(iter(results.values())))
    rows = []
    for i in range(count):
        row = {}
        for name in results if names is None else names:
            value = results[name][i]
            if name in lengths:
                value = value[tuple(slice(int(length)) for length in np.atleast_1d(results[lengths[name]][i]))]
            row[name] = value
        rows.append(row)
    return rows


def _is_file(name: str, value: Any) -> bool:
    return name.endswith("_bytes") and np.ndim(value) == 0


def _ending(data: bytes) -> str:
    known = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"RIFF", ".wav"))
    return next((ending for magic, ending in known if data.startswith(magic)), ".bin")


def _brief(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return f"{value:.3g}" if isinstance(value, float) else str(value)
