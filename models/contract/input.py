"""The contract of an input: from raw values to model tensors, and the geometry that maps results back."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import InputError, JobError, RecipeError
from ..naming import place_of
from ..options import Options
from .truth import Raw, Truth, digest_of

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

MAX_CALL_BYTES = 2**28
"""About how many bytes the samples of one call of the graph may take, by `Input.cost`."""
SERVING = "serving_default"
"""TF Serving's name for the signature that is meant where none is named."""
PREPARED = "prepared"
"""The signature of what `Input.prepare` gives, in place of that of raw values: a graph cannot run Python."""
MAX_REMEMBERED_BYTES = 2**27
"""Of prepared values that an input keeps, those asked for last."""

_log = logging.getLogger("saccade")


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

    Where no graph can do what is to be done first, as finding a face, `prepare` does it in Python, in front of the
    graph and of the training path alike: override it, say its `prepare_version`, and where its values have other names
    than raw ones, `prepared`. Others call `ready`.

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
    prepare_version: ClassVar[str] = ""
    """The version of `prepare`, part of the fingerprint: another one whenever it gives other values. Empty: there is no
    such stage."""

    def __init_subclass__(cls, **others: Any) -> None:
        super().__init_subclass__(**others)
        if "prepare" in vars(cls) and not cls.prepare_version:
            raise InputError(
                f'{cls.__name__}.prepare has no version, which the fingerprint needs: add prepare_version = "1"'
            )

    def __init__(self, options: Options, learned: Mapping[str, Any] | None = None, truth: Mapping[str, Truth] = {}):
        self.options, self.learned, self.truth = options, dict(learned or {}), dict(truth)
        self.resources: Sequence[Any] = ()
        self.per_pixel = False
        self._remembered = _Memory()

    @property
    @abstractmethod
    def signatures(self) -> Mapping[str, Mapping[str, tf.TensorSpec]]:
        """What a bundle takes: name of each signature to its raw values, batch first. `serving_default` is one."""

    @property
    def prepared(self) -> Mapping[str, tf.TensorSpec]:
        """Where there is a `prepare`: what it gives, batch first; here values like the raw ones."""
        return self.signatures[SERVING]

    @property
    def graph_signatures(self) -> Mapping[str, Mapping[str, tf.TensorSpec]]:
        """What the graph takes: `signatures`, and where there is a `prepare`, "prepared" in place of raw values."""
        if not self.prepare_version:
            return self.signatures
        raw = self.signatures[SERVING].keys()
        return {PREPARED: self.prepared} | {name: spec for name, spec in self.signatures.items() if spec.keys() != raw}

    @abstractmethod
    def __call__(self, **raw: tf.Tensor) -> tuple[Any, dict[str, tf.Tensor]]:
        """From the values of one of `graph_signatures`, batch first (there may be no sample), to the model's input.

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
        """A sample as its source reads it to one that can be augmented and fitted; graph operations. Where there is a
        `prepare`, its values stand in the place of the raw ones."""
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

    def prepare(self, raws: Sequence[Raw]) -> list[Raw | str]:
        """A stage in Python before the graph, for what no graph can do; here nothing.

        Check, training, prediction, proof and server all run it, by `ready`, from several threads at once. The same
        raw values have to give the same values every time. What has a place in the image, in truth or results, would
        be of the prepared one, and is refused.

        Args:
            raws: of the default signature, each content once.

        Returns:
            For each sample the values that the graph takes, by the names of `prepared`, or in a phrase the reason why
            there are none.
        """
        return list(raws)

    def ready(self, raws: Sequence[Raw]) -> list[Raw | str]:
        """Raw values as the graph takes them: through `prepare`, where there is one, unless that saw them lately.

        A sample that `prepare` refuses, or fails on, costs the others nothing. Values of another signature stay as
        they are.

        Returns:
            As `prepare`.

        Raises:
            InputError: `prepare` gives something else than it says.
        """
        if not self.prepare_version:
            return list(raws)
        names, found = self.signatures[SERVING].keys(), list[Raw | str](raws)
        new: dict[str, list[int]] = {}
        for place, raw in enumerate(raws):
            if raw.keys() == names:
                digest = digest_of(raw)
                known = self._remembered.get(digest)
                if known is None:
                    new.setdefault(digest, []).append(place)
                else:
                    found[place] = known
        for digest, made in self._prepare({digest: raws[places[0]] for digest, places in new.items()}).items():
            for place in new[digest]:
                found[place] = made
        return found

    def _prepare(self, raws: Mapping[str, Raw]) -> dict[str, Raw | str]:
        """What `prepare` gives, by the content hash of the raw values."""
        if not raws:
            return {}
        try:
            made = self.prepare(list(raws.values()))
        except (RecipeError, JobError):
            raise
        except Exception as error:
            if len(raws) > 1:  # each by itself, so that only the culprit fails
                return {name: made for each in raws for name, made in self._prepare({each: raws[each]}).items()}
            ((digest, raw),) = raws.items()
            return {digest: self._why(error, raw)}
        if len(made) != len(raws):
            raise InputError(f"{type(self).__name__}.prepare gives {len(made)} answers for {len(raws)} samples")
        found = dict(zip(raws, made, strict=True))
        for digest, each in found.items():
            if not isinstance(each, str) and each.keys() != self.prepared.keys():
                told = ", ".join(self.prepared)
                raise InputError(f"{type(self).__name__}.prepare gives {', '.join(each)}, and 'prepared' says {told}")
            self._remembered.put(digest, each)
        return found

    def _why(self, error: Exception, raw: Raw) -> str:
        """Why `prepare` failed on a sample: of raw values that are broken, what the check says of them."""
        if isinstance(error, InputError):
            return str(error)
        try:
            self.inspect(raw)
        except InputError as refusal:
            return str(refusal)
        _log.debug("%s.prepare failed", type(self).__name__, exc_info=error)
        told = (str(error).splitlines() or [""])[0]
        return f"prepare failed: {os.path.basename(place_of(error))}{type(error).__name__}: {told}".removesuffix(": ")

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


class _Memory:
    """Prepared values by the content hash of the raw ones, up to a number of bytes, the latest; for several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Raw | str, int]] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def get(self, digest: str) -> Raw | str | None:
        with self._lock:
            if digest not in self._kept:
                return None
            self._kept.move_to_end(digest)
            return self._kept[digest][0]

    def put(self, digest: str, made: Raw | str) -> None:
        size = len(digest) + sum(map(_bytes, [made] if isinstance(made, str) else made.values()))
        with self._lock:
            self._bytes += size - self._kept.pop(digest, ("", 0))[1]
            self._kept[digest] = made, size
            while self._bytes > MAX_REMEMBERED_BYTES:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= gone


def _bytes(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str) else getattr(value, "nbytes", 8)
