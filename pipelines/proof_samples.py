"""Proof samples: a few held-out samples that stay with the run, so that an export can prove itself on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..models.contract import Task, plain
from ..models.errors import InputError
from ..models.files import saving
from .data.data import Data
from .data.source import request

COUNT = 8


def write_proof_samples(run: Path, task: Task, data: Data) -> None:
    """Writes encoded values as files, and `samples.jsonl` with key, raw values and truth, into the run's `proof`.

    They are spread evenly over the test split, or where that has none the validation or the training split.
    """
    positions = next(data.splits[name] for name in ("test", "validation", "train") if len(data.splits[name]))
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, COUNT).astype(int))]
    folder = run / "proof"
    with saving(run):
        folder.mkdir(exist_ok=True)
        lines = [_write_one(folder, number, int(position), task, data) for number, position in enumerate(chosen)]
        (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _write_one(folder: Path, number: int, position: int, task: Task, data: Data) -> dict[str, Any]:
    key, (raw,) = data.source.keys[position], task.input.prepare([request(task, data.source, position)])
    if isinstance(raw, str):
        raise InputError(f"{data.source.where(position)}: {raw}")
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, bytes):
            file = f"{number}.{name}{Path(key).suffix}"
            (folder / file).write_bytes(value)
            values[name] = {"file": file}
        else:
            values[name] = plain(value)
    truth = data.source.truth(position) if task.truth else {}
    return {"key": key, "raw": values, "truth": {name: plain(value) for name, value in truth.items()}}
