"""Proof samples: a few held-out pictures that stay with the run, so that an export can prove itself on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..models.files import saving
from .checking.data import Data

COUNT = 8


def write_proof_samples(run: Path, data: Data) -> None:
    """Writes pictures as they are, and `samples.jsonl` with key and truth, into the run's `proof` folder.

    They are spread evenly over the test split, or the validation split where there is no test split.
    """
    positions = data.splits["test"] if len(data.splits["test"]) else data.splits["validation"]
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, COUNT).astype(int))]
    folder = run / "proof"
    with saving(run):
        folder.mkdir(exist_ok=True)
        lines = [_write_one(folder, number, int(position), data) for number, position in enumerate(chosen)]
        (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _write_one(folder: Path, number: int, position: int, data: Data) -> dict[str, Any]:
    key = data.source.keys[position]
    name = f"{number}{Path(key).suffix}"
    (folder / name).write_bytes(data.source.read(position))
    truth = {name: np.asarray(value).tolist() for name, value in data.source.truth(position).items()}
    return {"file": name, "key": key, "truth": truth}
