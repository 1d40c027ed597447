"""An evaluation as files: metrics to read by machine, images to look at, cases to check."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ...models.contract import Case, Evaluation, Value
from ...models.errors import InputError
from ...models.files import read_json, whole_file, write_atomically
from ...models.predictor import Predictor
from ..data.source import Source, request
from ..run import alone_in
from .breakdown import Breakdown, Part

log = logging.getLogger("saccade")

METRICS, SCORES = "metrics.json", "scores.json"
CASES = 12
"""How many of the worst and of the likeliest mislabelled samples are shown."""
OTHERS = 4
"""How many of median and best score are shown beside the worst, at most."""
DEGREES = ("median", "best")
"""Cases that are told apart only where answers have degrees."""


def evaluation_folder(run: Path, split: str) -> Path:
    """Where the evaluation of a split stands in a run."""
    return run / "evaluation" / split


def write_evaluation(
    evaluation: Evaluation,
    bad: Mapping[int, str],
    source: Source,
    split: str,
    predictor: Predictor,
    run: Path,
    overrides: Sequence[str] = (),
    breakdown: Breakdown | None = None,
) -> dict[str, Value]:
    """Writes `evaluation/SPLIT/` into a run: `metrics.json`, `scores.json`, each metric as PNG and SVG, the worst cases
    as images and as a list (`worst/`, `worst.jsonl`), and likewise samples whose truth may be wrong (`label_issues`)
    and, where answers have degrees, what is answered as most are and best (`median`, `best`). The log warns of the
    notes.

    Args:
        evaluation: fed with the whole split.
        bad: positions that could not be read, and why.
        source: where the images are.
        split: the split's name.
        predictor: what was evaluated.
        run: the run's folder.
        overrides: how the data differs from the run's own.
        breakdown: the same samples by the values of a column.

    Returns:
        The metrics, with their intervals.
    """
    with alone_in(evaluation_folder(run, split), wait=True):
        return _write(evaluation, bad, source, split, predictor, run, overrides, breakdown)


def _write(
    evaluation: Evaluation,
    bad: Mapping[int, str],
    source: Source,
    split: str,
    predictor: Predictor,
    run: Path,
    overrides: Sequence[str],
    breakdown: Breakdown | None,
) -> dict[str, Value]:
    folder = evaluation_folder(run, split)
    values = evaluation.values()
    plots = evaluation.plots()
    for name, plot in plots.items():
        for path, options in ((folder / f"{name}.png", {"dpi": 120}), (folder / f"{name}.svg", {})):
            with whole_file(path, lasting=False) as partial:
                plot.savefig(partial, **options)
    for name, content in evaluation.files().items():
        with whole_file(folder / name, lasting=False) as partial:
            partial.write_bytes(content)
    metrics = {
        "split": split,
        "fingerprint": predictor.fingerprint,
        "overrides": list(overrides),
        "metrics": _plain(values),
        "plots": list(plots),
        "notes": evaluation.notes(),
        "set_aside": [{"key": source.keys[position], "reason": why} for position, why in bad.items()],
    }
    if breakdown is not None:
        parts = {
            value: {"count": part.count, "metrics": _plain(part.values)} for value, part in breakdown.parts().items()
        }
        metrics["by"] = {breakdown.column: parts}
    _write_cases("worst", evaluation.worst(CASES), source, predictor, folder)
    _write_cases("label_issues", evaluation.label_issues(CASES), source, predictor, folder)
    scores = evaluation.scores()
    by_degree = _median_and_best(scores, evaluation.worst(len(scores)))
    for name in DEGREES:
        if name in by_degree:
            _write_cases(name, by_degree[name], source, predictor, folder)
        else:  # what an earlier evaluation left
            (folder / f"{name}.jsonl").unlink(missing_ok=True)
            shutil.rmtree(folder / name, ignore_errors=True)
    write_atomically(folder / SCORES, json.dumps(scores) + "\n")
    write_atomically(folder / METRICS, json.dumps(metrics, indent=2) + "\n")  # last: it vouches for the others
    for note in metrics["notes"]:
        log.warning("on %s, %s", split, note)
    return values


def read_metrics(run: Path, split: str, fingerprint: str) -> dict[str, Any] | None:
    """What `metrics.json` of an evaluation says, `metrics` as name to `Value`.

    None where there is none of this Predictor on the run's own data, it is not whole, or of a version that wrote less.
    """
    path = evaluation_folder(run, split) / METRICS
    if not path.is_file():
        return None
    try:
        metrics = read_json(path)
    except InputError:
        return None
    if metrics["fingerprint"] != fingerprint or metrics.get("overrides") != [] or "plots" not in metrics:
        return None
    return metrics | {"metrics": _values(metrics["metrics"])}


def read_breakdown(run: Path, split: str, column: str) -> dict[str, Part]:
    """What `metrics.json` of an evaluation by a column says of each of its values."""
    parts = read_json(evaluation_folder(run, split) / METRICS)["by"][column]
    return {value: Part(part["count"], _values(part["metrics"])) for value, part in parts.items()}


def _plain(values: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    return {name: _fields(value) for name, value in values.items()}


def _fields(value: Value) -> dict[str, Any]:
    fields = {"value": value.value, "low": value.low, "high": value.high, "higher_is_better": value.higher_is_better}
    return {name: each for name, each in fields.items() if each is not None}


def _values(plain: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    return {name: Value(**fields) for name, fields in plain.items()}


def _median_and_best(scores: Mapping[str, float], mistakes: Sequence[Case]) -> dict[str, list[Case]]:
    """Samples about the median score, and those of the highest, the best first; fewer of few samples.

    Nothing where answers have no degrees: with two scores they are right or wrong, with one they are all alike.
    """
    if len(set(scores.values())) <= 2:
        return {}
    notes = {case.key: case.note for case in mistakes}
    ordered = sorted(scores, key=scores.__getitem__)
    count = max(1, min(OTHERS, len(ordered) // 3))
    start = (len(ordered) - count) // 2
    chosen = {"median": ordered[start : start + count], "best": ordered[-count:][::-1]}
    return {
        name: [Case(key, 1 - scores[key], notes.get(key, f"score {scores[key]:.2f}")) for key in keys]
        for name, keys in chosen.items()
    }


def _write_cases(name: str, cases: Sequence[Case], source: Source, predictor: Predictor, folder: Path) -> None:
    """Writes cases as numbered images into `name/` and as lines into `name.jsonl`, in their order."""
    images = folder / name
    images.mkdir(exist_ok=True)
    for old in images.glob("*.png"):
        old.unlink()
    position_of = {key: position for position, key in enumerate(source.keys)}
    for number, case in enumerate(cases):
        position = position_of[case.key]
        raw = request(predictor.task, source, position)
        (results,) = list(predictor.answer_raws([raw]))
        if isinstance(results, str):  # it was readable a moment ago
            results = None
        drawn = predictor.task.draw(predictor.task.input.show(raw), results, source.truth(position))
        with whole_file(images / f"{number:02}.png", lasting=False) as partial:
            Image.fromarray(drawn).save(partial)
    lines = [{"key": case.key, "badness": case.badness, "note": case.note} for case in cases]
    write_atomically(folder / f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
