"""An evaluation as files: figures to read by machine, pictures to look at, cases to check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from ..models.predictor import Predictor
from ..models.task import Evaluation, Value
from .run import write_atomically
from .source import Source

WORST = 12


def write_evaluation(
    evaluation: Evaluation, bad: Mapping[int, str], source: Source, split: str, predictor: Predictor, run: Path
) -> dict[str, Value]:
    """Writes `evaluation/SPLIT/` into a run: `metrics.json`, a PNG for each figure, `worst.jsonl` and `worst/`.

    Args:
        evaluation: fed with the whole split.
        bad: positions that could not be read, and why.
        source: where the pictures are.
        split: the split's name.
        predictor: what was evaluated.
        run: the run's folder.

    Returns:
        The figures, with their intervals.
    """
    folder = run / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    values = evaluation.values()
    metrics = {
        "split": split,
        "fingerprint": predictor.fingerprint,
        "figures": {name: _plain(value) for name, value in values.items()},
        "set_aside": [{"key": source.keys[position], "reason": why} for position, why in bad.items()],
    }
    write_atomically(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    for name, figure in evaluation.figures().items():
        figure.savefig(folder / f"{name}.png", dpi=120)
    _write_worst(evaluation, source, predictor, folder)
    return values


def _plain(value: Value) -> dict[str, float]:
    fields = {"value": value.value, "low": value.low, "high": value.high}
    return {name: each for name, each in fields.items() if each is not None}


def _write_worst(evaluation: Evaluation, source: Source, predictor: Predictor, folder: Path) -> None:
    pictures = folder / "worst"
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    cases = evaluation.worst(WORST)
    position_of = {key: position for position, key in enumerate(source.keys)}
    for number, case in enumerate(cases):
        position = position_of[case.key]
        encoded = source.read(position)
        results = predictor.predict([encoded])[0]
        image = predictor.task.input.decode(encoded).numpy()
        Image.fromarray(predictor.task.draw(image, results, source.truth(position))).save(pictures / f"{number:02}.png")
    lines = [{"key": case.key, "badness": case.badness, "note": case.note} for case in cases]
    write_atomically(folder / "worst.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
