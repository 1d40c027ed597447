"""Calls a SavedModel in a clean process, and brings its answers back."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..models.errors import JobError, temporary_folder
from ..models.files import saving
from . import clean_process
from .clean_process import read_tensors, write_tensors

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
