"""An evaluation as files: figures to read by machine, pictures to look at, cases to check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..models.predictor import Predictor
from ..models.task import Case, Evaluation, Value
from .run import write_atomically
from .source import Source

CASES = 12
"""How many of the worst and of the likeliest mislabelled samples are shown."""


def write_evaluation(
    evaluation: Evaluation,
    bad: Mapping[int, str],
    source: Source,
    split: str,
    predictor: Predictor,
    run: Path,
    overrides: Sequence[str] = (),
) -> dict[str, Value]:
    """Writes `evaluation/SPLIT/` into a run: `metrics.json`, each figure as PNG and SVG, and with their pictures the
    `worst` cases and the `suspects`, whose truth is likelier wrong than the results.

    Args:
        evaluation: fed with the whole split.
        bad: positions that could not be read, and why.
        source: where the pictures are.
        split: the split's name.
        predictor: what was evaluated.
        run: the run's folder.
        overrides: what of the run's data was changed for this evaluation.

    Returns:
        The figures, with their intervals.
    """
    folder = run / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    values = evaluation.values()
    figures = evaluation.figures()
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
        figure.savefig(folder / f"{name}.svg")
    _write_cases(evaluation.worst(CASES), "worst", source, predictor, folder)
    _write_cases(evaluation.suspects(CASES), "suspects", source, predictor, folder)
    metrics = {
        "split": split,
        "fingerprint": predictor.fingerprint,
        "overrides": list(overrides),
        "figures": {name: _plain(value) for name, value in values.items()},
        "pictures": list(figures),
        "set_aside": [{"key": source.keys[position], "reason": why} for position, why in bad.items()],
    }
    write_atomically(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")  # last: it says all is there
    return values


def _plain(value: Value) -> dict[str, Any]:
    fields = {"value": value.value, "low": value.low, "high": value.high, "higher_is_better": value.higher_is_better}
    return {name: each for name, each in fields.items() if each is not None}


def _write_cases(cases: Sequence[Case], name: str, source: Source, predictor: Predictor, folder: Path) -> None:
    pictures = folder / name
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    position_of = {key: position for position, key in enumerate(source.keys)}
    for number, case in enumerate(cases):
        position = position_of[case.key]
        encoded = source.read(position)
        results = predictor.predict([encoded])[0]
        image = predictor.task.input.decode(encoded).numpy()
        drawn = predictor.task.draw(image, results, source.truth(position))
        Image.fromarray(drawn).save(pictures / f"{number:02}.png")
    lines = [{"key": case.key, "badness": case.badness, "note": case.note} for case in cases]
    write_atomically(folder / f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
