"""The export proves itself: a clean process answers the proof samples, and its answers are the Predictor's.

The clean process loads the SavedModel with TensorFlow alone. Both sides compute on the CPU, so that a difference is
one of the graphs and not of devices.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..models.errors import InputError, JobError
from ..models.image_errors import reason
from ..models.predictor import Predictor
from .clean_call import Calls, call_clean
from .clean_process import read_tensors, write_tensors
from .description import EXTRA, IMAGES, SERVING, Description, Proof
from .samples import FOLDER, ProofSample, read_samples
from .saved_model import signatures_of

TOLERANCE = 1e-5
"""The largest difference between equal numbers: absolute below 1, relative above. Of whole numbers, the largest share
that differs: of a hundred thousand pixels, one may lie so near to the border of two classes that rounding decides."""
EXPECTED = "expected.npz"
_BATCH = "all samples in one batch"


def prove_export(predictor: Predictor, samples: Sequence[ProofSample], folder: Path) -> Proof:
    """Compares a SavedModel with the Predictor that it was made from, and leaves the expected results in it.

    The samples go through `serving_default` one by one, through every signature of raw values in one batch, and decoded
    through `images` where there is such a signature; then the task's evaluation takes in both sides' results.

    Args:
        predictor: the reference.
        samples: the run's proof samples.
        folder: the SavedModel, with `assets.extra/proof/`, where `expected.npz` is written.

    Raises:
        JobError: an output or a figure differs, or the SavedModel does not run by itself.
        InputError: a proof sample is no picture.
    """
    start = time.monotonic()
    signatures = signatures_of(predictor)
    calls = _calls(samples, list(signatures))
    with tf.device("CPU:0"):
        expected = {}
        for (case, signature), inputs in calls.items():
            try:
                results = predictor(signatures[signature], **inputs)
            except tf.errors.InvalidArgumentError as error:
                raise InputError(f"the run's proof samples, {case}: {reason(error)}") from None
            expected[case, signature] = {name: value.numpy() for name, value in results.items()}
        write_tensors(folder / EXTRA / FOLDER / EXPECTED, expected)
        if hasattr(predictor.task.input, "tensor_signature"):
            decoded = _decoded_calls(predictor, samples)
            calls |= decoded
            expected |= {(case, IMAGES): expected[case, SERVING] for case, _ in decoded}
    answers = call_clean(folder, calls)
    largest = _compare(answers, expected)
    metric = _metric(predictor, samples, expected)
    figures = ("the task's figures", SERVING)
    _compare({figures: _metric(predictor, samples, answers)}, {figures: metric})
    return Proof(len(samples), largest, {name: float(v) for name, v in metric.items()}, time.monotonic() - start)


def prove(folder: Path) -> Proof:
    """Proves a finished bundle once more, against the results that it carries: after a copy, or on another machine.

    It needs neither the run nor the task. The signatures of bytes stand for all: they share their weights.

    Args:
        folder: the version folder, `NAME/VERSION`.

    Returns:
        The new proof; its metric is the export's, as equal results have equal figures.

    Raises:
        InputError: not a bundle, or one without a proof.
        JobError: an output differs, or the SavedModel does not run.
    """
    start = time.monotonic()
    description = Description.read(folder)
    file = folder / EXTRA / FOLDER / EXPECTED
    if description.proof is None or not file.is_file():
        raise InputError(f"{folder}: carries no proof (no {EXTRA}/{FOLDER}/{EXPECTED}); export again")
    samples, expected = read_samples(file.parent), read_tensors(file)
    largest = _compare(
        call_clean(folder, _calls(samples, [name for case, name in expected if case == _BATCH])), expected
    )
    return Proof(len(samples), largest, description.proof.metric, time.monotonic() - start)


def _calls(samples: Sequence[ProofSample], signatures: Sequence[str]) -> Calls:
    """Each sample alone, so that a bad one is named first, then all at once through each signature of bytes."""
    pictures = np.array([each.bytes for each in samples], object)
    alone = {(_alone(each), SERVING): {"bytes": pictures[i : i + 1]} for i, each in enumerate(samples)}
    return alone | {(_BATCH, name): {"bytes": pictures} for name in signatures}


def _decoded_calls(predictor: Predictor, samples: Sequence[ProofSample]) -> Calls:
    """Each sample alone, as pixels from the Predictor's own decoder."""
    (name,) = predictor.task.input.tensor_signature
    decode = predictor.task.input.decode
    return {(_alone(s), IMAGES): {name: decode(tf.constant(s.bytes)).numpy()[None]} for s in samples}


def _alone(sample: ProofSample) -> str:
    return f"sample {sample.file.replace('|', '_')} alone"


def _compare(answers: Calls, expected: Calls) -> float:
    """The largest difference of any number; raises JobError at the first output that differs."""
    largest = 0.0
    for (case, signature), right in expected.items():
        left = answers.get((case, signature), {})
        if left.keys() != right.keys():
            raise JobError(f"proof failed: {signature} gives {sorted(left)} in place of {sorted(right)} ({case})")
        for name in right:
            by = difference(left[name], right[name])
            if by > TOLERANCE:
                told = f"by {by:.3g}" if np.isfinite(by) else "in type, in shape, or where it is NaN or infinite"
                if right[name].dtype.kind != "f" and np.isfinite(by):
                    told = f"in {(left[name] != right[name]).sum()} of {right[name].size} values"
                raise JobError(f"proof failed: '{name}' of {signature} differs {told} ({case})")
            largest = max(largest, by)
    return largest


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """How far two arrays differ at most.

    Returns:
        |left - right| / max(1, |right|) of floats; of what can only be equal or not, as strings and integers, the share
        that is not; infinity for another type or shape, or where only one is NaN or infinite. NaN equals NaN here.
    """
    if left.shape != right.shape or left.dtype != right.dtype:
        return np.inf
    if right.dtype.kind != "f":
        return float(np.mean(left != right)) if right.size else 0.0
    left, right = left.astype(np.float64), right.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(left - right) / np.maximum(1.0, np.abs(right)))
    return float(np.nan_to_num(gap, nan=np.inf, posinf=np.inf).max(initial=0.0))


def _metric(predictor: Predictor, samples: Sequence[ProofSample], results: Calls) -> dict[str, np.ndarray]:
    evaluation = predictor.evaluation()
    types, needs = predictor.task.truth, {*(evaluation.needs or ()), *predictor.task.row_needs}
    batches = [each for (case, _), each in results.items() if case == _BATCH]
    enough = next((each for each in batches if needs <= each.keys()), None)
    if enough is None:
        raise JobError(f"proof failed: no signature gives all that the evaluation needs ({', '.join(sorted(needs))})")
    for sample, one in zip(samples, predictor.task.one_by_one(enough), strict=True):
        truth = {name: np.asarray(sample.truth[name], types[name].dtype) for name in types if name in sample.truth}
        evaluation.update(truth, one, sample.key)
    return {name: np.asarray(each.value, float) for name, each in evaluation.values(intervals=False).items()}
