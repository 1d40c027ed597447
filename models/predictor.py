"""The Predictor: the one graph from raw values to results in the units of the original.

Evaluation, prediction, export and serving all go through it, so what is evaluated is what is served.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from . import find_task
from .contract import SERVING, Evaluation, Raw, Task, with_lengths, without_padding
from .ensemble import Ensemble, restore
from .errors import InputError, at_least_one, nearest
from .files import DESCRIPTION, WEIGHTS, read_json, write_atomically
from .inputs.reasons import answer_calls
from .naming import make_importable
from .options import move_keys


class Predictor(tf.Module):
    """Input, model and results of one task as one graph.

    Call it with the raw values of one of the input's signatures, batch first; for images that is
    `predictor(bytes=string[n])`. It answers with a dict of tensors, batch first: the results of the task's default
    signature, or those that `results` names, `predictor(["probabilities"], bytes=...)`; what is not asked for is
    not computed. An answer depends on its sample alone, whatever else is in the batch.

    Attributes:
        task: the task, which knows input, results and names.
        model: the plain `keras.Model` behind it.
        settings: values that predictions depend on beside the weights (temperature, thresholds).
    """

    def __init__(self, task: Task, model: keras.Model, settings: Mapping[str, float] | None = None):
        super().__init__(name="predictor")
        self.task = task
        self.model = model
        self.settings = dict(task.settings if settings is None else settings)
        self._graphs: dict[str, Any] = {}  # tf.Module bears no other keys
        # One graph that all others call: it is traced, and stands in an export, once for each rank of its input.
        self._infer = tf.function(self._infer_eagerly, reduce_retracing=True, autograph=False)

    def __call__(self, results: Sequence[str] | None = None, **raw: Any) -> dict[str, tf.Tensor]:
        signature = self._signature_of(raw)
        choice = f"{signature} {'default' if results is None else ','.join(results)}"
        if choice not in self._graphs:  # a function of its own for each choice, from which TensorFlow prunes the rest
            spec = dict(self.task.input.signatures[signature])
            self._graphs[choice] = tf.function(partial(self._graph, results=results), input_signature=[spec])
        return self._graphs[choice]({name: tf.convert_to_tensor(value) for name, value in raw.items()})

    def _signature_of(self, raw: Mapping[str, Any]) -> str:
        signatures = self.task.input.signatures
        for name, spec in signatures.items():
            if spec.keys() == raw.keys():
                return name
        known = "; ".join(", ".join(spec) for spec in signatures.values())
        raise InputError(f"no signature takes {', '.join(raw) or 'nothing'}: raw values are {known}")

    def _graph(self, raw: dict[str, tf.Tensor], results: Sequence[str] | None) -> dict[str, tf.Tensor]:
        return self.answer(*self.task.input(**raw), results)

    def answer(
        self, tensors: Any, geometry: dict[str, tf.Tensor], results: Sequence[str] | None = None
    ) -> dict[str, tf.Tensor]:
        """From model tensors and geometry to results: the part of the graph behind the input.

        Where the input pads, samples of one extent are answered together, and others one by one: a network sees what
        fills a batch, and an answer may not depend on what else was asked.

        Of an empty batch results are empty too.

        Args:
            tensors: as `task.input` gives them.
            geometry: likewise.
            results: names of those that are wanted; the default signature's unless given.
        """
        source = self.task.input
        if not source.pads:
            return self._answer_together(tensors, geometry, results)
        extent = source.extent(geometry)
        return tf.cond(
            tf.reduce_all(extent == extent[:1]),
            lambda: self._answer_together(tensors, geometry, results),
            lambda: self._answer_alone(tensors, geometry, extent, results),
        )

    def _answer_together(
        self, tensors: Any, geometry: dict[str, tf.Tensor], results: Sequence[str] | None
    ) -> dict[str, tf.Tensor]:
        count = tf.shape(tf.nest.flatten((tensors, geometry))[0])[0]
        tensors, geometry = tf.nest.map_structure(_at_least_one_row, (tensors, geometry))
        found = self.choose(self.task.results(self._infer(tensors), geometry, self.settings), results)
        return {name: value[:count] for name, value in found.items()}

    def _infer_eagerly(self, tensors: Any) -> Any:
        if isinstance(self.model, Ensemble):  # its members' outputs of `infer`, averaged
            return self.model(tensors)
        return self.task.infer(self.model, tensors, self.settings)

    def _answer_alone(
        self, tensors: Any, geometry: dict[str, tf.Tensor], extent: tf.Tensor, results: Sequence[str] | None
    ) -> dict[str, tf.Tensor]:
        """Sample by sample; results of different shapes are padded to the largest."""
        shapes: dict[str, tf.TensorSpec] = {}

        def one(row):
            tensor, place, own = tf.nest.map_structure(lambda each: each[tf.newaxis], row[:2]) + (row[2],)
            answer = self._answer_together(self.task.input.trim(tensor, own), place, results)
            shapes.update({name: tf.TensorSpec(each.shape[1:], each.dtype) for name, each in answer.items()})
            kept = {name: tf.io.serialize_tensor(value[0]) for name, value in answer.items()}
            return kept, {name: tf.shape(value)[1:] for name, value in answer.items()}

        # A first trace tells which results there are, and of what rank.
        first = tf.nest.map_structure(
            lambda each: tf.TensorSpec(each.shape[1:], each.dtype), (tensors, geometry, extent)
        )
        tf.function(lambda row: one(row), autograph=False).get_concrete_function(first)
        specs = (
            {name: tf.TensorSpec([], tf.string) for name in shapes},
            {name: tf.TensorSpec([each.shape.rank], tf.int32) for name, each in shapes.items()},
        )
        kept, sizes = tf.map_fn(one, (tensors, geometry, extent), fn_output_signature=specs)

        def padded(name: str) -> tf.Tensor:
            spec, largest = shapes[name], tf.reduce_max(sizes[name], axis=0)
            fill = tf.cast(self.task.result_padding.get(name, 0), spec.dtype) if spec.dtype != tf.string else ""

            def restore_one(row):
                value = tf.ensure_shape(tf.io.parse_tensor(row[0], spec.dtype), spec.shape)
                if not spec.shape.rank:
                    return value
                beyond = tf.stack([tf.zeros_like(largest), largest - row[1]], axis=1)
                return tf.pad(value, beyond, constant_values=fill)

            return tf.map_fn(restore_one, (kept[name], sizes[name]), fn_output_signature=spec)

        return {name: padded(name) for name in shapes}

    @tf.autograph.experimental.do_not_convert
    def choose(self, found: dict[str, tf.Tensor], results: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """Those of the task's results that are wanted; the default signature's unless given.

        Raises:
            InputError: a name that the task's results do not have.
        """
        wanted = results if results is not None else self.task.signatures.get(SERVING, found)
        for name in wanted:
            if name not in found:
                raise InputError(f"no result '{name}': {nearest(name, found)}")
        return {name: found[name] for name in wanted}

    def evaluation(self) -> Evaluation:
        """A fresh evaluation of this Predictor's results."""
        return self.task.evaluation(self.settings)

    def predict(self, items: Any, batch: int = 32, results: Sequence[str] | None = None) -> list[dict[str, np.ndarray]]:
        """Results for what `task.input.encode` takes, in their order: for images paths, encoded bytes, uint8 arrays
        `[h, w, 3]` or PIL images.

        Args:
            items: a list of them, for images an array `[n, h, w, 3]` too; one alone is a list of one.
            batch: samples in one call of the graph, at most.
            results: names of those that are wanted; the default signature's unless given.

        Raises:
            InputError: a file that cannot be read, or something that cannot be used; which one, and why.
        """
        source = self.task.input
        raws = [source.encode(item) for item in source.items(items)]
        answers: list[dict[str, np.ndarray]] = []
        for start in range(0, len(raws), at_least_one("batch", batch)):
            for place, answer in enumerate(self.answer_raws(raws[start : start + batch], results), start):
                if isinstance(answer, str):
                    raise InputError(f"item {place}: {answer}")
                answers.append(answer)
        return answers

    def answer_raws(
        self, raws: Sequence[Raw], results: Sequence[str] | None = None
    ) -> Iterator[dict[str, np.ndarray] | str]:
        """For the raw values of each of some samples, in their order, its results, or in a phrase why it has none.

        Results come as soon as they are there: those of large images need not be held for all of them.
        """
        lengths = self.task.lengths
        asked = None if results is None else with_lengths(results, lengths)

        def call(part: dict[str, tf.Tensor]) -> list[dict[str, np.ndarray]]:
            values = {name: value.numpy() for name, value in self(asked, **part).items()}
            return without_padding(values, lengths, results)

        found: dict[int, dict[str, np.ndarray] | str] = {}
        come = 0
        for places, rows in self.in_calls(raws, call):
            found |= dict.fromkeys(places, rows) if isinstance(rows, str) else zip(places, rows, strict=True)
            while come in found:
                yield found.pop(come)
                come += 1

    def in_calls(
        self, raws: Sequence[Raw], call: Callable[[dict[str, tf.Tensor]], Any]
    ) -> Iterator[tuple[list[int], Any | str]]:
        """Samples through a graph, as many in one call as the input says (`Input.share_calls`), fewer where memory does
        not suffice.

        Args:
            raws: what is answered.
            call: takes the raw values of some of them as a batch.

        Returns:
            As `answer_calls`; first the samples that `Input.prepare` refused.
        """
        source = self.task.input
        prepared = source.prepare(raws)
        good = {place: raw for place, raw in enumerate(prepared) if not isinstance(raw, str)}
        yield from (([place], raw) for place, raw in enumerate(prepared) if isinstance(raw, str))
        places_of = list(good)
        calls = [[places_of[index] for index in some] for some in source.share_calls(list(good.values()))]

        def answer(places: list[int]) -> Any:
            return call(stacked([good[place] for place in places], source.signatures))

        yield from answer_calls(calls, answer, lambda place, error: source.reason(error, good[place]))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that a prediction depends on: weights, input, views, settings, what was learned, class names (16
        hex digits)."""
        digest = hashlib.sha256(json.dumps(self._identity(), sort_keys=True).encode())
        for weight in self.model.weights:
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()[:16]

    def _identity(self) -> dict[str, Any]:
        task = self.task
        ensemble = {"ensemble": self.model.describe()} if isinstance(self.model, Ensemble) else {}
        return {
            "task": f"{type(task).__module__}:{type(task).__qualname__}",
            "class_names": list(task.class_names),
            "model": task.model_options.model_dump(mode="json", exclude={"weights"}),
            "input": task.input_options.model_dump(mode="json"),
            "results": task.result_options.model_dump(mode="json"),
            "learned": task.learned,
            "settings": dict(self.settings),  # tf.Module wraps it in what json does not take for a dict
            **ensemble,
        }

    def describe(self, folder: Path | str, task_name: str, import_paths: Sequence[str] = ()) -> None:
        """Writes into `folder` what `load` needs beside the weights.

        Args:
            folder: the run.
            task_name: the task as the recipe names it.
            import_paths: folders in which a user's own task or model is found, absolute or seen from the run.
        """
        description = self._identity() | {
            "format": 3,
            "task": task_name,
            "evaluate": self.task.evaluation_options.model_dump(mode="json"),
            "import_paths": list(import_paths),
        }
        write_atomically(Path(folder) / DESCRIPTION, json.dumps(description, indent=2) + "\n")

    @classmethod
    def load(cls, run: Path | str, weights: str = WEIGHTS) -> Predictor:
        """The Predictor of a run.

        Args:
            run: the folder that `train` or `ensemble` left.
            weights: which of the run's weights; the best by default.

        Raises:
            InputError: no run, one without weights yet, or one whose files are damaged.
        """
        run = Path(run)
        if not (run / DESCRIPTION).is_file():
            raise InputError(f"not a run (it has no {DESCRIPTION}); name the folder that 'train' left", where=str(run))
        if not (run / weights).is_file():
            raise InputError(
                f"this run has no {weights} yet; run its 'train' command again to resume it", where=str(run)
            )
        description = read_json(run / DESCRIPTION)
        if description.get("format") not in (2, 3):
            raise InputError(
                "a run of an earlier saccade (0.1 before the task contract): train it again", where=str(run)
            )
        for folder in description["import_paths"]:
            if (place := (run / folder).resolve()).is_dir():
                make_importable(place)
        kind = find_task(description["task"])
        if description["format"] == 2:
            description = move_keys(description, {"model": kind.ModelOptions})
        task = kind(
            description["class_names"],
            kind.ModelOptions(**description["model"]),
            kind.Input.Options(**description["input"]),
            kind.ResultOptions(**description["results"]),
            kind.EvaluationOptions(**description["evaluate"]),
            description["learned"],
        )
        model = restore(task, description["ensemble"]) if "ensemble" in description else task.model()
        try:
            model.load_weights(run / weights)
        except (OSError, ValueError, KeyError) as error:  # as h5py and Keras say it of a file that is not whole
            raise InputError(
                "cut short, damaged or of another model: run the 'train' command of this run again",
                where=str(run / weights),
            ) from error
        return cls(task, model, description["settings"])


def stacked(raws: Sequence[Raw], signatures: Mapping[str, Mapping[str, tf.TensorSpec]]) -> dict[str, tf.Tensor]:
    """The raw values of some samples as a batch, in the types of the signature that has their names."""
    names = raws[0].keys()
    spec = next((each for each in signatures.values() if each.keys() == names), None)
    if spec is None:
        known = "; ".join(", ".join(each) for each in signatures.values())
        raise InputError(f"a sample of {', '.join(names)}: raw values are {known}")
    return {name: tf.constant([raw[name] for raw in raws], each.dtype) for name, each in spec.items()}


@tf.autograph.experimental.do_not_convert
def _at_least_one_row(batch: tf.Tensor) -> tf.Tensor:
    """The batch, or one row of ones where it is empty: most networks have no answer for none."""
    row = tf.zeros if batch.dtype == tf.string else tf.ones
    shape = tf.concat([[1], tf.shape(batch)[1:]], axis=0)
    return tf.ensure_shape(
        tf.cond(tf.shape(batch)[0] > 0, lambda: tf.identity(batch), lambda: row(shape, batch.dtype)), batch.shape
    )
