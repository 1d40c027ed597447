"""The export proves itself: a clean process answers the proof samples, and its answers are the Predictor's.

The clean process loads the SavedModel with TensorFlow alone. Both sides compute on the CPU, so that a difference is
one of the graphs and not of devices.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..models.contract import SERVING, Task, array_difference, with_lengths, without_padding
from ..models.errors import InputError, JobError, temporary_folder
from ..models.files import saving
from ..models.predictor import Predictor, stacked
from . import clean_process
from .clean_process import read_tensors, write_tensors
from .description import EXTRA, Description, Proof
from .samples import FOLDER, ProofSample
from .saved_model import signatures_of

Calls = Mapping[tuple[str, str], Mapping[str, np.ndarray]]
"""(case, signature) to named tensors: inputs of calls, or their outputs."""

_LIMIT = 900  # seconds; TensorFlow starts in about 5, so a process that takes this long hangs


def call_clean(saved_model: Path, calls: Calls) -> Calls:
    """Answers from a SavedModel in a process that imports TensorFlow and NumPy alone, on the CPU.

    Raises:
        JobError: the process fails; with its last line.
    """
    with temporary_folder("saccade-proof-") as exchange, saving(exchange):
        asked, answered = exchange / "calls.npz", exchange / "answers.npz"
        write_tensors(asked, calls)
        command = [sys.executable, clean_process.__file__, str(saved_model), str(asked), str(answered)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            raise JobError(f"proof failed: the clean process gave no answer within {_LIMIT} s") from None
        if done.returncode:
            time.sleep(0.2)  # a signal that ended it may be one to all of the job: then that is told, from here
            raise JobError(f"proof failed: the SavedModel does not run by itself: {_last_words(done)}")
        return read_tensors(answered)


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"the clean process was ended by signal {-done.returncode}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    told = [line for line in lines if "Error" in line] or lines
    return told[-1][:300] if told else f"the clean process ended with exit code {done.returncode} and no word"


TOLERANCE = 1e-5
"""The largest difference between equal numbers: absolute below 1, relative above. Of whole numbers, the largest share
that differs: of a hundred thousand pixels, one may lie so near to the border of two classes that rounding decides."""
BATCH_TOLERANCE = 1e-4
"""What a sample's results may differ by in a batch: kernels for several samples add in another order."""
INPUTS, EXPECTED = "inputs.npz", "expected.npz"
_BATCH = "all samples in one batch"


def prove_export(predictor: Predictor, samples: Sequence[ProofSample], folder: Path) -> Proof:
    """Compares a SavedModel with the Predictor that it was made from, and leaves the expected results in it.

    The samples go through `serving_default` one by one, and in one batch through every signature that takes the same;
    another signature of the input gets each sample as the input shows it, where that is what it takes. A sample's
    results in the batch, of whatever signature, are those that it has alone. Then the task's evaluation takes in both
    sides' results.

    Args:
        predictor: the reference.
        samples: the run's proof samples.
        folder: the SavedModel, with `assets.extra/proof/`, where `expected.npz` is written.

    Raises:
        JobError: an output or a metric differs, or the SavedModel does not run by itself.
        InputError: a proof sample is no image.
    """
    start = time.monotonic()
    signatures = {name: results for name, (_, results) in signatures_of(predictor).items()}
    calls = _calls(predictor, samples, signatures)
    with tf.device("CPU:0"):
        expected = {}
        for (case, signature), inputs in calls.items():
            try:
                results = predictor(signatures[signature], **inputs)
            except tf.errors.InvalidArgumentError as error:
                raise _bad_sample(case, predictor.task.input.reason(error, {})) from None
            expected[case, signature] = {name: value.numpy() for name, value in results.items()}
        write_tensors(folder / EXTRA / FOLDER / INPUTS, calls)
        write_tensors(folder / EXTRA / FOLDER / EXPECTED, expected)
    answers = call_clean(folder, calls)
    largest = _compare(answers, expected, predictor.task)
    with tf.device("CPU:0"):
        _refuse_dependence(predictor, samples, calls)
    metric = _metric(predictor, samples, expected)
    evaluated = ("the task's metrics", SERVING)
    _compare({evaluated: _metric(predictor, samples, answers)}, {evaluated: metric})
    return Proof(len(samples), largest, {name: float(v) for name, v in metric.items()}, time.monotonic() - start)


def prove(folder: Path) -> Proof:
    """Proves a finished bundle once more, against the results that it carries: after a copy, or on another machine.

    It needs neither the run nor the task. The signatures of bytes stand for all: they share their weights.

    Args:
        folder: the version folder, `NAME/VERSION`.

    Returns:
        The new proof; its metric is the export's, as equal results have equal metrics.

    Raises:
        InputError: not a bundle, or one without a proof.
        JobError: an output differs, or the SavedModel does not run.
    """
    start = time.monotonic()
    description = Description.read(folder)
    file = folder / EXTRA / FOLDER / EXPECTED
    if description.proof is None or not file.is_file():
        raise InputError(
            f"carries no proof (no {EXTRA}/{FOLDER}/{EXPECTED}); export again, with export.keep_samples=true",
            where=str(folder),
        )
    largest = _compare(call_clean(folder, read_tensors(file.with_name(INPUTS))), read_tensors(file))
    return Proof(description.proof.samples, largest, description.proof.metric, time.monotonic() - start)


def _calls(predictor: Predictor, samples: Sequence[ProofSample], signatures: Iterable[str]) -> Calls:
    """Each sample alone, so that a bad one is named first, then all at once through each signature of the same raw
    values, then decoded ones through those that take images."""
    taken = predictor.task.input.signatures
    raws = [{name: each.raw[name] for name in taken[SERVING]} for each in samples]
    calls = {(_alone(each), SERVING): _batch([raw], taken) for each, raw in zip(samples, raws, strict=True)}
    for name in signatures:
        spec = taken.get(name, taken[SERVING])
        if spec.keys() == taken[SERVING].keys():
            calls[_BATCH, name] = _batch(raws, taken)
        elif len(spec) == 1 and next(iter(spec.values())).dtype == tf.uint8:
            (value,) = spec
            for each, raw in zip(samples, raws, strict=True):
                calls[_alone(each), name] = {value: _shown(predictor, each, raw)[np.newaxis]}
    return calls


def _shown(predictor: Predictor, sample: ProofSample, raw: Mapping[str, Any]) -> np.ndarray:
    try:
        return predictor.task.input.show(raw)
    except InputError as error:
        raise _bad_sample(_alone(sample), str(error)) from None


def _bad_sample(case: str, reason: str) -> InputError:
    return InputError(f"the run's proof samples, {case}: {reason}")


def _batch(raws: Sequence[Mapping[str, Any]], signatures: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in stacked(raws, signatures).items()}


def _alone(sample: ProofSample) -> str:
    return f"sample {sample.name.replace('|', '_')} alone"


def _refuse_dependence(predictor: Predictor, samples: Sequence[ProofSample], calls: Calls) -> None:
    """Refuses a task of which an answer depends on what else is in the batch, whatever signature gives it."""
    task = predictor.task
    asked = list(dict.fromkeys(chain.from_iterable(task.signatures.values()))) or None

    def answers(case: str) -> list[dict[str, np.ndarray]]:
        results = {name: value.numpy() for name, value in predictor(asked, **calls[case, SERVING]).items()}
        return without_padding(results, _known_lengths(task, results))

    for sample, together in zip(samples, answers(_BATCH), strict=True):
        (alone,) = answers(_alone(sample))
        if (by := task.difference(together, alone)) > BATCH_TOLERANCE:
            raise JobError(
                f"proof failed: {_alone(sample)} is answered otherwise than in a batch, by {by:.3g}: an answer may not "
                "depend on other samples (Input.pads)"
            )


def _known_lengths(task: Task, results: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: length for name, length in task.lengths.items() if name in results and length in results}


def _compare(answers: Calls, expected: Calls, task: Task | None = None) -> float:
    """The largest difference of any number; raises JobError at the first output that differs.

    Args:
        answers: of the bundle.
        expected: of the Predictor.
        task: one that knows better how far results lie apart; without it every value counts on its own.
    """
    if task is not None and type(task).difference is not Task.difference:
        return _compare_samples(answers, expected, task)
    largest = 0.0
    for (case, signature), right in expected.items():
        left = answers.get((case, signature), {})
        if left.keys() != right.keys():
            raise JobError(f"proof failed: {signature} gives {sorted(left)} in place of {sorted(right)} ({case})")
        for name in right:
            by = array_difference(left[name], right[name])
            if by > TOLERANCE:
                told = f"by {by:.3g}" if np.isfinite(by) else "in type, in shape, or where it is NaN or infinite"
                if right[name].dtype.kind != "f" and np.isfinite(by):
                    told = f"in {(left[name] != right[name]).sum()} of {right[name].size} values"
                raise JobError(f"proof failed: '{name}' of {signature} differs {told} ({case})")
            largest = max(largest, by)
    return largest


def _compare_samples(answers: Calls, expected: Calls, task: Task) -> float:
    largest = 0.0
    for (case, signature), right in expected.items():
        left = answers.get((case, signature), {})
        if left.keys() != right.keys():
            raise JobError(f"proof failed: {signature} gives {sorted(left)} in place of {sorted(right)} ({case})")
        rows = (without_padding(each, _known_lengths(task, each)) for each in (left, right))
        for ours, theirs in zip(*rows, strict=True):
            by = task.difference(ours, theirs)
            if by > TOLERANCE:
                raise JobError(f"proof failed: the results of {signature} differ by {by:.3g} ({case})")
            largest = max(largest, by)
    return largest


def _metric(predictor: Predictor, samples: Sequence[ProofSample], results: Calls) -> dict[str, np.ndarray]:
    evaluation = predictor.evaluation()
    task = predictor.task
    types, needs = task.truth, set(with_lengths(evaluation.needs or (), task.lengths))
    batches = [each for (case, _), each in results.items() if case == _BATCH]
    enough = next((each for each in batches if needs <= each.keys()), None)
    if enough is None:
        raise JobError(f"proof failed: no signature gives all that the evaluation needs ({', '.join(sorted(needs))})")
    rows = without_padding(enough, _known_lengths(task, enough))
    for sample, row in zip(samples, rows, strict=True):
        truth = {name: types[name].array(sample.truth[name]) for name in types if name in sample.truth}
        evaluation.update(truth, row, sample.key, partial(dict, sample.raw))
    return {name: np.asarray(each.value, float) for name, each in evaluation.values(intervals=False).items()}
