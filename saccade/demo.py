"""The demo: the whole way on embedded data, from images to answers over HTTP, with a table of what it took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .models.contract import without_padding
from .models.errors import JobError, temporary_folder

TOLERANCE = 1e-5
"""What an answer may differ by over HTTP: JSON holds the shortest decimals of a float32."""


class Steps:
    """Does one step after another, and remembers seconds and metrics."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, float, str]] = []

    def do(self, name: str, work: Callable[[], Any], metric: Callable[[Any], str]) -> Any:
        """Runs `work`; its row in the table says `metric(result)`."""
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        result = work()
        self._rows.append((name, time.monotonic() - began, metric(result)))
        return result

    def table(self) -> str:
        total = sum(seconds for _, seconds, _ in self._rows)
        rows = [*self._rows, ("all", total, "")]
        return "\n".join(f"{name:<10} {seconds:7.1f} s   {metric}".rstrip() for name, seconds, metric in rows)


def demo(task: str) -> None:
    """Runs a task's demo in a folder that is removed afterwards; prints as it goes.

    Args:
        task: the task's name.

    Raises:
        InputError: a task without a demo.
        JobError: what came back over HTTP is not what the Predictor says.
    """
    from .pipelines.recipe.shipped import demo_recipe

    recipe, steps = str(demo_recipe(task)), Steps()
    steps.do("start", _load_tensorflow, lambda version: f"TensorFlow {version}")

    from . import api

    with temporary_folder("saccade-demo-") as folder:
        run = folder / "runs" / "demo"
        steps.do("train", lambda: api.train(recipe, f"train.run={run}"), lambda _: _training_metric(run))
        steps.do("evaluate", lambda: api.evaluate(run), _headline)
        bundle = steps.do("export", lambda: api.export(run, folder / "bundles", "demo"), _proof_result)
        steps.do("serve", lambda: _ask(bundle, run), lambda agreed: f"{agreed} images over HTTP, same answers")
    print("\n" + steps.table())


def _load_tensorflow() -> str:
    import tensorflow as tf

    return tf.__version__


def _training_metric(run: Path) -> str:
    lines = (run / "history.jsonl").read_text().splitlines()
    return f"{len(lines)} epochs, {json.loads(lines[-1])['samples_per_second']:.0f} samples/s"


def _headline(values: dict[str, Any]) -> str:
    for name, value in values.items():
        print(f"  {name:<20} {value}") if "/" not in name else None
    name, value = next(iter(values.items()))
    return f"test {name} {value}"


def _proof_result(bundle: Path) -> str:
    return f"version {bundle.name}, proved in a process with TensorFlow alone"


def _ask(bundle: Path, run: Path) -> int:
    """Sends the run's proof samples over HTTP; prints truth beside answer."""
    from . import api
    from .serving.client import Client
    from .serving.samples import FOLDER, read_samples

    samples, predictor = read_samples(run / FOLDER), api.load(run)
    task, raws = predictor.task, [sample.raw for sample in samples]
    with api.serve(bundle, port=0) as server:
        remote = Client(server.url, "demo").predict(raws)
    for sample, here, there in zip(samples, predictor.answer_raws(raws), remote, strict=True):
        truth = {name: np.asarray(value) for name, value in sample.truth.items()}
        there = {name: np.asarray([there[name]], np.asarray(value).dtype) for name, value in here.items()}
        (there,) = without_padding(there, task.lengths)
        told = f"truth: {task.summary(truth):<12} " if truth else ""
        print(f"  {sample.key:<16} {told}answer: {task.summary(there)}")
        if (by := task.difference(here, there)) > TOLERANCE:
            raise JobError(f"{sample.key}: the answer over HTTP differs from the Predictor's by {by:.3g}")
    return len(samples)
