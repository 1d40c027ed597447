"""The contract of a task: what is special about it, and nothing else. The loops own the rest.

A task of your own is a subclass of `Task` that a recipe names as `package.module:Name`; see examples/.
This file and every task's own `task.py` stay free of TensorFlow at import, so that names and options are
checked before it is loaded: the methods import what they need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from .backbones.network import Network
from .errors import InputError
from .image_options import ImageOptions
from .options import IsPath, Options
from .per_pixel import PerPixel

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf
    from matplotlib.figure import Figure

    from .views import View


MOST_NAMES = 12
"""Classes that one note names."""


class ModelOptions(Options):
    """The recipe's `model` section as every task has it; a task adds its own fields in a subclass."""

    name: str
    """A name from the task's table, or your own as `package.module:Name`."""
    weights: Annotated[str, IsPath("imagenet", "none")] = "none"
    """What training starts from: "imagenet", "none", a `.weights.h5` file, or the folder of a former run."""


@dataclass(frozen=True)
class Truth:
    """The type of one named truth value of one sample: NumPy dtype and shape, None where it varies.

    Attributes:
        trains: whether training reads it, too; else it is for the evaluation alone, as it was before augmentation.
        role: `class_ids` where its values are ids of the task's classes and 255 counts for none: the check of the data
            tells which classes no training sample holds.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()
    trains: bool = True
    role: Literal["class_ids"] | None = None


@dataclass(frozen=True)
class Value:
    """One figure of an evaluation, with its 95 % interval where one was asked for."""

    value: float
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({self.low:.4f} to {self.high:.4f})"
        return f"{self.value:.4f}{interval}"


@dataclass(frozen=True)
class Case:
    """One sample that a person should look at: its key, how bad (higher is worse) and why in a few words."""

    key: str
    badness: float
    note: str


class Evaluation(ABC):
    """Gathers truth and results sample by sample, and says how good they are.

    Attributes:
        needs: names of the results that `update` reads; None: those of the default signature.
    """

    needs: Sequence[str] | None = None

    @abstractmethod
    def update(self, truth: Mapping[str, np.ndarray], results: Mapping[str, np.ndarray], key: str) -> None:
        """Takes in one sample: its truth, and its results as `Task.one_by_one` gives them."""

    @abstractmethod
    def values(self, intervals: bool = True) -> dict[str, Value]:
        """Name to figure. `intervals=False` leaves out what needs resampling (used once an epoch)."""

    def figures(self) -> dict[str, Figure]:
        """Name to matplotlib figure; a task without any keeps this."""
        return {}

    def worst(self, n: int) -> list[Case]:
        """At most `n` cases, the worst first."""
        return []

    def suspects(self, n: int) -> list[Case]:
        """At most `n` samples whose truth is likelier wrong than the results, the likeliest first."""
        return []

    def notes(self) -> list[str]:
        """What a person should know and no figure says, each in a phrase, as "never predicted: pole (of 11 classes)";
        the log warns of them when a split was evaluated, as at the end of a training, and the report shows them."""
        return []

    def scores(self) -> dict[str, float]:
        """Key to how well each sample was answered, 0..1, for a comparison of two models sample by sample.

        A task whose answers are right or wrong gives 1 or 0.
        """
        return {}

    def choose(self) -> dict[str, float]:
        """Values of the Predictor's settings that suit these samples best; asked once, on the validation split.

        Only the settings to be changed; a task without any keeps this.
        """
        return {}


def never_right(class_names: Sequence[str], true: np.ndarray, predicted: np.ndarray, right: np.ndarray) -> list[str]:
    """The notes on classes that truth has and that no prediction gets right; empty where there are none.

    Args:
        class_names: in the order of the class ids.
        true: how many samples, pixels or objects are of each class, `[classes]`.
        predicted: how many are predicted to be.
        right: how many of these are.
    """
    counts = list(zip(class_names, true, predicted, right, strict=True))
    never = [name for name, there, found, _ in counts if there and not found]
    wrong = [name for name, there, found, hits in counts if there and found and not hits]
    told = {"never predicted": never, "never predicted where they are": wrong}
    return [f"{what}: {_listed(names)} (of {len(class_names)} classes)" for what, names in told.items() if names]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


class Task(ABC):
    """What is special about one task. Made once for a job, from a resolved recipe.

    Where answers are for each pixel, `per_pixel.PerPixel` stands beside it: memory is then bounded by the pictures' own
    pixels, and large ones can be seen in tiles.

    Attributes:
        class_names: the names behind class ids, in their order; empty where the task has no classes.
        model_options: the recipe's `model` section.
        input_options: the recipe's `input` section.
    """

    models: ClassVar[Mapping[str, str]] = {}
    """Names for `model.name`, to `module:Name` (a leading dot: relative to the module of the task)."""
    networks: ClassVar[Mapping[str, Network]] = {}
    """What `saccade models` says of them, by the same names; what is left out is listed by its name alone."""
    ModelOptions: ClassVar[type[ModelOptions]] = ModelOptions
    InputOptions: ClassVar[type[Options]] = ImageOptions
    recipe: ClassVar[str | None] = None
    """The shipped recipe that `saccade train TASK` begins with."""
    demo: ClassVar[str | None] = None
    """The shipped recipe that `saccade demo TASK` runs, on embedded data."""
    monitor: str
    """The figure of the evaluation that chooses the best weights, unless `train.select` names another. A value of the
    class, or a property where it depends on the options; likewise `settings`."""
    settings: Mapping[str, float] = MappingProxyType({})
    """Values that predictions depend on beside the weights, with their start values. They are the Predictor's: chosen
    by `Evaluation.choose` on validation, saved with it, baked into the bundle, part of the fingerprint."""
    soft_targets: ClassVar[bool] = False
    """Whether `targets` gives a `y` that may be averaged with that of another sample, as MixUp does: shares of classes,
    not class ids. Its `x` is then the pictures, float `[n, height, width, channels]` of the size that they were fitted
    to, and `y`, a structure of float tensors `[n, ...]`."""

    signatures: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType({})
    """Which results each signature of a bundle gives, by the signature's name. `serving_default` is what a prediction
    gives unless others are asked for; the rest is for those who want more, or the same in another form. Empty: all
    results in the one default signature."""

    row_needs: ClassVar[Sequence[str]] = ()
    """Results that `one_by_one` needs, whatever else is asked for."""

    def __init__(self, class_names: Sequence[str], model_options: ModelOptions, input_options: Options):
        self.class_names = tuple(class_names)
        self.model_options = model_options
        self.input_options = input_options

    @cached_property
    def input(self) -> Any:
        """The object that turns raw values into model tensors plus geometry; `ImageInput` unless a task has another."""
        from .image_input import ImageInput

        return ImageInput(self.input_options, per_pixel=isinstance(self, PerPixel))

    @property
    @abstractmethod
    def truth(self) -> dict[str, Truth]:
        """The named truth values that a sample must bring for training and evaluation.

        A source is asked for them before its classes are known, so this works without class names too.
        """

    def check(self, size: tuple[int, int], truth: Mapping[str, np.ndarray]) -> None:  # noqa: B027
        """Refuses truth that cannot belong to its picture; asked of every sample before a training begins.

        Only where some truth varies in shape: what all samples have alike, a source checks when it is opened.

        Args:
            size: height and width of the upright picture.
            truth: of the sample.

        Raises:
            InputError: what is wrong, in a phrase that stands behind the sample's name.
        """

    def observe(self, truths: Sequence[Mapping[str, Any]]) -> None:  # noqa: B027
        """Looks at the truth of the training split, once, before `model`: for class weights, anchors and the like.

        Training only; what the Predictor depends on beside the weights belongs into `settings` or the options.

        Args:
            truths: the named truth values of each training sample, read from the source when they are asked for.
        """

    def arrange(self, truths: Sequence[Mapping[str, Any]], generator: np.random.Generator) -> np.ndarray:
        """Which training samples make up an epoch, in order: indices into `truths`, int64, equally many each epoch.

        All of them once, shuffled, unless a task draws some more often than others.

        Args:
            truths: as for `observe`.
            generator: seeded by the recipe's seed and the epoch.
        """
        return generator.permutation(len(truths))

    @abstractmethod
    def model(self) -> keras.Model:
        """A new model with its initial weights, which compiles its own loss: `compile(optimizer=...)` is enough.

        A model may offer `split() -> (features, head)`: two keras models that applied one after the other equal it,
        cut where features may be computed once while the first is frozen; the head compiles its own loss too.
        It may offer `stages() -> {stride: variables, ..., "head": variables}`: its trainable variables, nearest to the
        input first, each in the first stage that it belongs to; then the recipe may name learning rates by stage.
        """

    @abstractmethod
    def targets(self, batch: dict[str, tf.Tensor]) -> tuple:
        """A padded batch of samples to Keras' `(x, y)` or `(x, y, sample_weight)`; graph operations only."""

    @abstractmethod
    def results(
        self, outputs: Any, geometry: dict[str, tf.Tensor], settings: Mapping[str, float]
    ) -> dict[str, tf.Tensor]:
        """Raw outputs to named tensors in the units of the original, batch first; graph operations only."""

    @abstractmethod
    def evaluation(self, settings: Mapping[str, float]) -> Evaluation:
        """A fresh evaluation.

        Args:
            settings: those of the Predictor whose results it will be fed with.
        """

    def average(self, outputs: Sequence[Any]) -> Any:
        """Raw outputs of several models, or of several views by one model, for the same pictures, to what one model
        would have to put out to mean their average; graph operations only. No setting was applied to them: the whole
        has settings of its own.

        Raises:
            InputError: a task that has none.
        """
        raise InputError(f"{type(self).__name__} has no way to average several models or views: take one run as it is")

    def undo(self, outputs: Any, view: View) -> Any:
        """Raw outputs for a view of the pictures, cropped or mirrored, to those for the whole; graph operations only.

        What has a place in the picture goes back to where it was seen, what has none stays; `average` comes next.

        Raises:
            InputError: a task that cannot do it, or not for such a view.
        """
        raise InputError(f"{type(self).__name__} has no way back from a mirrored or cropped view: leave the views out")

    def one_by_one(self, results: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Results of a batch to those of each sample; a task takes off the padding that a batch of mixed sizes has.

        Args:
            results: some or all of the names that `results` gives, batch first, and those of `row_needs`.
        """
        count = len(next(iter(results.values())))
        return [{name: value[i] for name, value in results.items()} for i in range(count)]

    def line(self, results: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What of one sample's results belongs on a line of text: numbers, names, short lists; here all but what has a
        value for each pixel, or for as many other things in rows and columns: more than 1,000 of them."""
        import numpy as np

        return {name: value for name, value in results.items() if np.ndim(value) < 2 or np.size(value) <= 1000}

    def files(self, results: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        """What of one sample's results is better kept as files: how each file's name ends, as ".mask.png", to its
        bytes; here nothing."""
        return {}

    def in_words(self, values: Mapping[str, Any]) -> str:
        """Results or truth of one sample in one short line; here each single value with its name."""
        import numpy as np

        single = {name: value for name, value in values.items() if not isinstance(value, list) and np.ndim(value) == 0}
        return ", ".join(f"{name} {_brief(value)}" for name, value in single.items())

    @abstractmethod
    def draw(
        self, image: np.ndarray, results: Mapping[str, np.ndarray] | None, truth: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """The picture a person looks at: uint8 `[h, w, 3]` of any size, made of an upright image and what is known."""


def _brief(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:.3g}" if isinstance(value, float) else str(value)
