"""A bundle on disk, loaded with TensorFlow alone: what serves, and what a notebook may call without a server."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..models import find_task
from ..models.contract import SERVING, Input, without_padding
from ..models.errors import InputError, at_least_one, nearest
from ..models.inputs.image.header import read_header, share_calls
from ..models.inputs.reasons import answer_calls
from ..models.naming import make_importable
from .description import EXTRA, FILE, Description, Signature
from .rest import ROWS, PredictRequest, as_raws, named, tensors
from .samples import FOLDER, ProofSample, read_samples
from .versions import is_version, versions

log = logging.getLogger("saccade")

_MAX_INSTANCES = 32  # instances in one call of the graph, at most

Outputs = dict[str, np.ndarray]


class RefusedError(InputError):
    """Instances that the graph does not answer.

    Attributes:
        reasons: their places, and why not.
    """

    def __init__(self, reasons: Mapping[int, str]):
        super().__init__("; ".join(f"instance {place}: {why}" if place >= 0 else why for place, why in reasons.items()))
        self.reasons = reasons


class Bundle:
    """One version of an exported model.

    Attributes:
        folder: the version folder.
        description: what `saccade.json` says: name, class names, fingerprint, signatures, proof.
    """

    def __init__(self, path: Path | str, version: int | None = None):
        """Finds the version and reads its description; the model itself is loaded at the first call.

        Args:
            path: `NAME/`, or one version `NAME/VERSION/`.
            version: which one under `NAME/`; None is the newest whose files are there: one that is still being copied
                is passed over with a warning.

        Raises:
            InputError: not a bundle, no such version, or a broken description.
        """
        self._folders = _find(Path(path), version)  # the newest first
        self._take()
        self._loading = Lock()
        self._loaded: Any = None

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def version(self) -> int:
        """The folder's number, as for TF Serving; the description's where the folder has another name."""
        name = self.folder.resolve().name
        return int(name) if is_version(name) else self.description.version

    @property
    def fingerprint(self) -> str:
        return self.description.fingerprint

    def signature(self, name: str = SERVING) -> Signature:
        """Inputs and outputs of a signature.

        Raises:
            InputError: no such signature, with the nearest.
        """
        known = self.description.signatures
        if name not in known:
            raise InputError(f"{self.name} has no signature '{name}': {nearest(name, known)}")
        return known[name]

    @property
    def samples(self) -> list[ProofSample]:
        """The proof samples that the bundle carries."""
        return read_samples(self.folder / EXTRA / FOLDER)

    @property
    def native(self) -> bool:
        """Whether the network sees images in their own size."""
        return self.description.input.get("fit") == "pad"

    def values_per_pixel(self, signature: str) -> int:
        """How many values a signature gives for each pixel of an image; 0 where results do not grow with it."""
        shapes = [each.shape or () for each in self.signature(signature).outputs.values()]
        return sum(math.prod(shape[3:]) for shape in shapes if len(shape) >= 3 and shape[1] is shape[2] is None)

    @property
    def widest(self) -> int:
        """The most values that any signature gives for a pixel: the graph computes them for the others too."""
        return max(map(self.values_per_pixel, self.description.signatures))

    def warm_up(self) -> None:
        """Loads the model and runs it once, on a proof sample if it carries any, so that no user waits for that.

        Where that fails and the version was not asked for by its number, the next older one is taken, with a warning.

        Raises:
            InputError: no version can be loaded.
        """
        while True:
            try:
                self._model()
                if (self.folder / EXTRA / FOLDER).is_dir():
                    inputs = self.signature().inputs
                    raw = self.samples[0].raw
                    values = {name: _column([raw[name]], each.dtype) for name, each in inputs.items()}
                    self.run(values, is_prepared=True)
                else:  # it carries none: a request of nothing goes through the graph too
                    self.run(tensors(PredictRequest(None, ROWS, []), self.signature()))
                return
            except Exception as error:
                if not self._folders:
                    raise
                told = (str(error) or type(error).__name__).splitlines()[0]
                log.warning("%s; version %s is served in its place", told, self._folders[0].name)
                self._loaded = None
                self._take()

    def run(self, inputs: Mapping[str, np.ndarray], signature: str = SERVING, is_prepared: bool = False) -> Outputs:
        """Calls a signature; threads may do so at the same time.

        What is too much for one call goes in several; the answers are those of one.

        Args:
            inputs: input name to array, batch first, which may be empty; strings are object arrays of bytes.
            signature: its name.
            is_prepared: whether the task's stage before the graph (`Input.prepare`), where it has one, was run already;
                only values of the default signature go through it.

        Returns:
            Output name to array, batch first.

        Raises:
            InputError: the SavedModel cannot be loaded, or has no such signature.
            RefusedError: values that the graph does not answer; all of them, each with its reason.
        """
        unprepared: dict[int, str] = {}
        if self._input is not None and signature == SERVING and not is_prepared:
            inputs, unprepared = self._prepared(inputs)
        if unprepared:
            raise RefusedError(unprepared)
        parts = list(self._calls(inputs, signature))
        refused = {places[0] if places else -1: why for places, why in parts if isinstance(why, str)}
        if refused:
            raise RefusedError(dict(sorted(refused.items())))
        return self._joined(parts)

    def predict(self, items: Any, batch: int = _MAX_INSTANCES, signature: str = SERVING) -> list[dict[str, np.ndarray]]:
        """Results for samples, in their order.

        Args:
            items: as for `Predictor.predict`, or mappings of raw values by name. One alone is a list of one.
            batch: samples in one call of the graph.
            signature: its name.

        Raises:
            InputError: something that is no item; else as `run`.
        """
        inputs, lengths = self.signature(signature).inputs, self.description.lengths
        raws = [named(item, inputs) for item in as_raws(items, inputs)]
        answers: list[dict[str, np.ndarray]] = []
        for start in range(0, len(raws), at_least_one("batch", batch)):
            part = raws[start : start + batch]
            values = {name: _column([raw[name] for raw in part], each.dtype) for name, each in inputs.items()}
            results = self.run(values, signature)
            known = {name: length for name, length in lengths.items() if name in results and length in results}
            answers += without_padding(results, known)
        return answers

    @cached_property
    def _input(self) -> Input | None:
        """The input whose `prepare` comes before the graph; None where there is no such stage."""
        said = self.description.prepare
        if said is None:
            return None
        for folder in said.import_paths:
            if Path(folder).is_dir():
                make_importable(folder)
        kind = find_task(said.task)
        return kind.Input(kind.Input.Options(**self.description.input), said.learned)

    def _prepared(self, inputs: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Values as the graph takes them, and of which instances there are none, with the reason."""
        assert self._input is not None
        count = len(next(iter(inputs.values())))
        raws = [{name: value[place] for name, value in inputs.items()} for place in range(count)]
        found = self._input.prepare(raws)
        refused = {place: each for place, each in enumerate(found) if isinstance(each, str)}
        if refused:
            return {}, refused
        types = self.signature().inputs
        return {name: _column([each[name] for each in found], types[name].dtype) for name in inputs}, {}

    def _calls(self, inputs: Mapping[str, np.ndarray], signature: str) -> Iterator[tuple[list[int], Outputs | str]]:
        """The instances in bounded calls of the graph; see `answer_calls`."""
        import tensorflow as tf

        names = self.signature(signature).outputs
        function = self._model().signatures[signature]
        sizes, fit, per_pixel = image_sizes(inputs), self.description.input, self.widest > 0
        calls: list[list[int]] = []
        for start in range(0, len(sizes), _MAX_INSTANCES):
            these = sizes[start : start + _MAX_INSTANCES]
            some = [list(range(len(these)))]
            if any(these):  # else there are no images whose pixels would count
                some = share_calls(these, fit.get("fit"), fit.get("stride", 1), per_pixel)
            calls += [[start + place for place in places] for places in some]

        def call(places: list[int]) -> Outputs:
            outputs = function(**{name: tf.constant(value[places]) for name, value in inputs.items()})
            return {name: outputs[name].numpy() for name in names}

        return answer_calls(calls or [[]], call)

    def _joined(self, parts: Sequence[tuple[list[int], Outputs]]) -> Outputs:
        """The outputs of several calls as one call gives them: values for pixels in the frame that holds all images."""
        if len(parts) == 1 and parts[0][0] == sorted(parts[0][0]):
            return parts[0][1]
        count, joined = sum(len(places) for places, _ in parts), {}
        for name, first in parts[0][1].items():
            arrays = [(places, outputs[name]) for places, outputs in parts]
            shapes = {each.shape[1:] for _, each in arrays}
            largest = tuple(map(max, zip(*shapes, strict=True)))
            joined[name] = np.empty((count, *largest), first.dtype)
            if len(shapes) > 1:
                joined[name][...] = self.description.padding.get(name, 0)
            for places, each in arrays:
                joined[name][(places, *map(slice, each.shape[1:]))] = each
        return joined

    def _model(self) -> Any:
        import tensorflow as tf

        with self._loading:  # the first callers share one load
            if self._loaded is None:
                try:
                    self._loaded = tf.saved_model.load(str(self.folder))
                except Exception as error:  # whatever a file that was cut short makes of it
                    told = (str(error) or type(error).__name__).splitlines()[0]
                    raise InputError(f"the SavedModel cannot be loaded ({told})", where=self.folder) from None
            return self._loaded

    def _take(self) -> None:
        """The newest of the versions that are left whose files are there."""
        while True:
            self.folder = self._folders.pop(0)
            try:
                self.description = Description.read(self.folder)
                if not (self.folder / "saved_model.pb").is_file():
                    raise InputError("not whole (no saved_model.pb); copy or export it again", where=self.folder)
                return
            except InputError as error:
                if not self._folders:
                    raise
                log.warning("%s; version %s is taken in its place", error, self._folders[0].name)


def _column(values: Sequence[Any], dtype: str) -> np.ndarray:
    if dtype != "string":
        return np.asarray(values, dtype)
    column = np.empty(len(values), object)
    column[:] = [each.encode() if isinstance(each, str) else each for each in values]
    return column


def image_sizes(inputs: Mapping[str, np.ndarray]) -> list[tuple[int, int] | None]:
    """Height and width of the largest image of each instance, from its header or the array that it is; None where there
    is none that can be told."""
    sizes: list[tuple[int, int] | None] = [None] * len(next(iter(inputs.values())))
    for value in inputs.values():
        if value.dtype == object and value.ndim == 1:
            headers = [read_header(each) for each in value]
            found = [None if header is None else header.upright for header in headers]
            sizes = [max(each, key=lambda size: math.prod(size or (0,))) for each in zip(sizes, found, strict=True)]
        elif value.ndim == 4:
            sizes = [value.shape[1:3]] * len(value)
    return sizes


def _find(path: Path, version: int | None) -> list[Path]:
    """The version folders that are meant, the newest first."""
    if (path / EXTRA / FILE).is_file() and version is None:
        return [path]
    if not path.is_dir():
        raise InputError("no such folder; name a bundle that 'export' made", where=str(path))
    present = versions(path)
    if not present:
        raise InputError("not a bundle: no version folder (1, 2, ...) in it; name what 'export' made", where=str(path))
    if version is None:
        return list(present.values())[::-1]
    if version not in present:
        raise InputError(f"no version {version}; there are {', '.join(map(str, present))}", where=str(path))
    return [present[version]]
