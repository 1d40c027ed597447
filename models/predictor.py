"""The Predictor: the one graph from encoded bytes to results in the units of the original.

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
from .ensemble import Ensemble, restore
from .errors import InputError, at_least_one, nearest
from .files import DESCRIPTION, WEIGHTS, read_json, write_atomically
from .image_errors import answer_calls
from .image_items import as_items, to_bytes
from .naming import make_importable
from .task import Evaluation, Task

DEFAULT_SIGNATURE = "serving_default"
"""TF Serving's name for the signature that is meant where none is named."""


class Predictor(tf.Module):
    """Input, model and results of one task as one graph.

    Call it with the raw values that `task.input.signature` names, batch first; for one image that is
    `predictor(bytes=string[n])`. It answers with a dict of tensors, batch first: the results of the task's default
    signature, or those that `results` names, `predictor(["probabilities"], bytes=...)`; what is not asked for is
    not computed.

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
        self._calls: dict[str, Any] = {}  # tf.Module bears no other keys

    def __call__(self, results: Sequence[str] | None = None, **raw: Any) -> dict[str, tf.Tensor]:
        choice = "default" if results is None else ",".join(results)
        if choice not in self._calls:  # a function of its own for each choice, from which TensorFlow prunes the rest
            graph = partial(self._graph, results=results)
            self._calls[choice] = tf.function(graph, input_signature=[dict(self.task.input.signature)])
        return self._calls[choice]({name: tf.convert_to_tensor(value) for name, value in raw.items()})

    def _graph(self, raw: dict[str, tf.Tensor], results: Sequence[str] | None) -> dict[str, tf.Tensor]:
        return self.answer(*self.task.input(**raw), results)

    def answer(
        self, tensors: Any, geometry: dict[str, tf.Tensor], results: Sequence[str] | None = None
    ) -> dict[str, tf.Tensor]:
        """From model tensors and geometry to results: the part of the graph behind the input.

        Of an empty batch results are empty too.

        Args:
            tensors: as `task.input` gives them.
            geometry: likewise.
            results: names of those that are wanted; the default signature's unless given.
        """
        count = tf.shape(tf.nest.flatten((tensors, geometry))[0])[0]
        tensors, geometry = tf.nest.map_structure(_at_least_one_row, (tensors, geometry))
        found = self.choose(self.task.results(self.model(tensors, training=False), geometry, self.settings), results)
        return {name: value[:count] for name, value in found.items()}

    @tf.autograph.experimental.do_not_convert
    def choose(self, found: dict[str, tf.Tensor], results: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """Those of the task's results that are wanted; the default signature's unless given.

        Raises:
            InputError: a name that the task's results do not have.
        """
        wanted = results if results is not None else self.task.signatures.get(DEFAULT_SIGNATURE, found)
        for name in wanted:
            if name not in found:
                raise InputError(f"no result '{name}': {nearest(name, found)}")
        return {name: found[name] for name in wanted}

    def evaluation(self) -> Evaluation:
        """A fresh evaluation of this Predictor's results."""
        return self.task.evaluation(self.settings)

    def predict(
        self, pictures: Any, batch: int = 32, results: Sequence[str] | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Results for paths, encoded bytes, uint8 arrays `[h, w, 3]` or PIL images, in their order.

        Args:
            pictures: what to look at: a list, an array `[n, h, w, 3]`, or one image alone, as a list of one.
            batch: pictures in one call of the graph, at most.
            results: names of those that are wanted; the default signature's unless given.

        Raises:
            InputError: a file that cannot be read, something that is no picture, or one that cannot be decoded; which
                one, and why.
        """
        encoded = [to_bytes(picture) for picture in as_items(pictures)]
        answers: list[dict[str, np.ndarray]] = []
        for start in range(0, len(encoded), at_least_one("batch", batch)):
            for place, answer in enumerate(self.predict_encoded(encoded[start : start + batch], results), start):
                if isinstance(answer, str):
                    raise InputError(f"picture {place}: {answer}")
                answers.append(answer)
        return answers

    def predict_encoded(
        self, encoded: Sequence[bytes], results: Sequence[str] | None = None
    ) -> Iterator[dict[str, np.ndarray] | str]:
        """For each of some encoded pictures, in their order, its results, or in a phrase why it has none.

        Results come as soon as they are there: those of large pictures need not be held for all of them.
        """
        asked = None if results is None else [*results, *(each for each in self.task.row_needs if each not in results)]

        def call(part: tf.Tensor) -> list[dict[str, np.ndarray]]:
            answers = self(asked, bytes=part)
            return self.task.one_by_one({name: value.numpy() for name, value in answers.items()})

        found: dict[int, dict[str, np.ndarray] | str] = {}
        come = 0
        for places, rows in self.in_calls(encoded, call):
            found |= dict.fromkeys(places, rows) if isinstance(rows, str) else zip(places, rows, strict=True)
            while come in found:
                row = found.pop(come)
                yield row if isinstance(row, str) or results is None else {name: row[name] for name in results}
                come += 1

    def in_calls(
        self, encoded: Sequence[bytes], call: Callable[[tf.Tensor], Any]
    ) -> Iterator[tuple[list[int], Any | str]]:
        """Encoded pictures through a graph, as many in one call as the input says (`ImageInput.batches`), fewer where
        memory does not suffice.

        Args:
            encoded: what to look at.
            call: takes some of it, string `[n]`.

        Returns:
            As `image_errors.answer_calls`.
        """

        def answer(places: list[int]) -> Any:
            return call(tf.constant([encoded[place] for place in places], tf.string))

        return answer_calls(self.task.input.batches(encoded), answer, encoded)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that a prediction depends on: weights, input, views, settings, class names (16 hex digits)."""
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
        description = self._identity() | {"format": 1, "task": task_name, "import_paths": list(import_paths)}
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
            raise InputError(f"{run}: not a run (it has no {DESCRIPTION}); name the folder that 'train' left")
        if not (run / weights).is_file():
            raise InputError(f"{run}: this run has no {weights} yet; run its 'train' command again to resume it")
        description = read_json(run / DESCRIPTION)
        for folder in description["import_paths"]:
            if (place := (run / folder).resolve()).is_dir():
                make_importable(place)
        task_class = find_task(description["task"])
        task = task_class(
            description["class_names"],
            task_class.ModelOptions(**description["model"]),
            task_class.InputOptions(**description["input"]),
        )
        model = restore(task, description["ensemble"]) if "ensemble" in description else task.model()
        try:
            model.load_weights(run / weights)
        except (OSError, ValueError, KeyError) as error:  # as h5py and Keras say it of a file that is not whole
            raise InputError(
                f"{run / weights}: cut short, damaged or of another model: run the 'train' command of this run again"
            ) from error
        return cls(task, model, description["settings"])


@tf.autograph.experimental.do_not_convert
def _at_least_one_row(batch: tf.Tensor) -> tf.Tensor:
    """The batch, or one row of ones where it is empty: most networks have no answer for none."""
    row = tf.zeros if batch.dtype == tf.string else tf.ones
    shape = tf.concat([[1], tf.shape(batch)[1:]], axis=0)
    return tf.ensure_shape(
        tf.cond(tf.shape(batch)[0] > 0, lambda: tf.identity(batch), lambda: row(shape, batch.dtype)), batch.shape
    )
