"""The contract of an input: from raw values to model tensors, and the geometry that maps results back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import InputError
from ..options import Options
from .truth import Raw, Truth

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

MAX_CALL_BYTES = 2**28
"""About how many bytes the samples of one call of the graph may take, by `Input.cost`."""
SERVING = "serving_default"
"""TF Serving's name for the signature that is meant where none is named."""


@dataclass(frozen=True)
class Inspected:
    """What a check of the data learns of one sample's raw values.

    Attributes:
        size: height and width of an upright image, in pixels; None where there is no image.
        duration: of a recording, in seconds; None where there is none.
        note: something odd that does no harm, as "a PNG named .jpg"; "" for nothing.
    """

    size: tuple[int, int] | None = None
    duration: float | None = None
    note: str = ""


class Input(ABC):
    """Turns raw values into model tensors, alike in training, evaluation, prediction and serving.

    The graph, `__call__`, is the reference. The training path is `load`, `fit`, `batch`, which may start from other
    values, as a source has them on disk; `request` makes of those what a client would send.

    Attributes:
        options: the recipe's `input` section.
        learned: what the task learned from the training truth (a vocabulary); empty before that.
        truth: the truth that a sample brings, by name: how it moves and is padded.
        per_pixel: whether the task's results are as large as the image, so that memory follows its pixels.
        resources: lookup tables and the like, which an exported module has to track.
    """

    Options: ClassVar[type[Options]] = Options
    pads: bool = False
    """Whether a call's tensors are as large as its largest sample needs. Then the network is shown samples of one
    `extent` together and others alone, so that an answer depends on its sample only."""

    def __init__(self, options: Options, learned: Mapping[str, Any] | None = None, truth: Mapping[str, Truth] = {}):
        self.options, self.learned, self.truth = options, dict(learned or {}), dict(truth)
        self.resources: Sequence[Any] = ()
        self.per_pixel = False

    @property
    @abstractmethod
    def signatures(self) -> Mapping[str, Mapping[str, tf.TensorSpec]]:
        """What a bundle takes: name of each signature to its raw values, batch first. `serving_default` is one."""

    @abstractmethod
    def __call__(self, **raw: tf.Tensor) -> tuple[Any, dict[str, tf.Tensor]]:
        """From the raw values of one signature, batch first (there may be no sample), to the model's input.

        Graph operations only.

        Returns:
            What the model takes, and the geometry: named tensors, batch first, that map results back.

        Raises:
            tf.errors.InvalidArgumentError: when it runs, if a sample is refused; `reason` says why.
        """

    def extent(self, geometry: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Where `pads`: how large each sample would be alone, int `[n, k]`."""
        raise NotImplementedError(f"{type(self).__name__} pads and has no 'extent'")

    def trim(self, tensors: Any, extent: tf.Tensor) -> Any:
        """Where `pads`: the tensors of one sample, batch first, without the padding that others made necessary.

        Args:
            tensors: of one sample, as a batch of 1.
            extent: its own, int `[k]`.
        """
        raise NotImplementedError(f"{type(self).__name__} pads and has no 'trim'")

    def load(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A sample as its source reads it to one that can be augmented and fitted; graph operations."""
        return sample

    def fit(self, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Brings a loaded sample to the model's size, its truth moved along; graph operations."""
        return sample

    def batch(self, dataset: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """Batches of fitted samples, padded to the largest: truth by its `pad`, other values by 0 or ""."""
        import tensorflow as tf

        spec: Any = dataset.element_spec
        padding: Any = {name: self.padding(name, each) for name, each in spec.items()}
        padding = {name: None if value is None else tf.cast(value, spec[name].dtype) for name, value in padding.items()}
        return dataset.padded_batch(size, {name: each.shape for name, each in spec.items()}, padding)

    def padding(self, name: str, spec: tf.TensorSpec) -> float | None:
        """What fills a value of a batch; None is 0 or ""."""
        return self.truth[name].pad if name in self.truth and self.truth[name].dtype != "string" else None

    def request(self, sample: Mapping[str, Any]) -> Raw:
        """The serving request that a sample of a source stands for: values of the default signature, by name.

        Args:
            sample: as `Source.read` gives it, and its `key`.
        """
        return {name: sample[name] for name in self.signatures[SERVING]}

    @property
    def prepares(self) -> bool:
        """Whether there is such a stage: a bundle then says which, and the server runs it."""
        return type(self).prepare is not Input.prepare

    def prepare(self, raws: Sequence[Raw]) -> list[Raw | str]:
        """A stage in Python before the graph, for what no graph can do; here nothing.

        Check, training, prediction and server all call it, for values of the default signature; it is to remember what
        it did by the content. The proof samples of a run are prepared values, as TF Serving takes them.

        Returns:
            For each sample the values that the graph takes, or the reason why there are none.
        """
        return list(raws)

    @abstractmethod
    def encode(self, item: Any) -> Raw:
        """What a person hands to `predict` in Python (a path, bytes, an array, a text) as raw values.

        Raises:
            InputError: it is nothing of the kind.
            OSError: a file cannot be read.
        """

    def items(self, given: Any) -> list[Any]:
        """What a person hands to `predict` in Python as a list of items for `encode`: a single one is a list of one.

        Raises:
            InputError: neither an item nor several.
        """
        if isinstance(given, str | bytes | int | float | Mapping) or hasattr(given, "__fspath__"):
            return [given]
        if not isinstance(given, Iterable):
            raise InputError("give an item that this task answers, or a list of them", where=type(given).__name__)
        return list(given)

    @abstractmethod
    def find(self, places: Iterable[str]) -> Sequence[tuple[str, Callable[[], Raw]]]:
        """What `saccade predict` was given (files, folders, globs, "-"): for each sample a name, and what reads it.

        Asked before TensorFlow is loaded; the readers are called from several threads, and may raise OSError or
        InputError.

        Raises:
            InputError: a place with nothing in it.
        """

    @abstractmethod
    def inspect(self, raw: Raw, where: str = "") -> Inspected:
        """Looks at raw values before a job relies on them; safe to call from many threads.

        Args:
            raw: of the default signature.
            where: the file that they came from, as far as there is one.

        Raises:
            InputError: they cannot be used; why, in a phrase that stands behind the sample's name.
        """

    def cost(self, raw: Raw) -> int:
        """About how many bytes one sample takes in a call of the graph."""
        return 1

    def share_calls(self, raws: Sequence[Raw]) -> list[list[int]]:
        """Which samples go together in one call of the graph: memory follows their cost, not their number.

        Returns:
            Indices into `raws`, each of them once.
        """
        calls: list[list[int]] = []
        total = 0
        for index, cost in enumerate(map(self.cost, raws)):
            total += cost
            if calls and total <= MAX_CALL_BYTES:
                calls[-1].append(index)
            else:
                calls.append([index])
                total = cost
        return calls

    def reason(self, error: Exception, raw: Raw) -> str:
        """Why the graph refused a sample, in a phrase: the first plain line of TensorFlow's error."""
        from ..inputs.reasons import reason

        return reason(error)

    @abstractmethod
    def show(self, raw: Raw) -> np.ndarray:
        """The image that a person looks at to judge a sample: uint8 `[height, width, 3]`."""
