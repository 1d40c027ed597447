"""The prediction job: pictures from anywhere, results as JSON Lines or CSV."""

from __future__ import annotations

import csv
import glob
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..models.errors import InputError
from ..models.predictor import Predictor
from .answers import Answer, answers
from .sources.folder import EXTENSIONS

log = logging.getLogger("saccade")


def find_pictures(places: Iterable[str]) -> list[str]:
    """Files behind files, folders (searched in depth), globs, and "-" (names on standard input, one a line).

    Raises:
        InputError: a place without any picture.
    """
    found: list[str] = []
    for place in places:
        if place == "-":
            found += [line.rstrip("\n") for line in sys.stdin if line.strip()]
            continue
        path = Path(place)
        if path.is_dir():
            files = [str(each) for each in sorted(path.rglob("*")) if each.suffix.lower() in EXTENSIONS]
        else:
            files = [place] if path.is_file() else sorted(glob.glob(place, recursive=True))
        if not files:
            raise InputError(f"{place}: no picture here (files, folders, globs or - for a list on standard input)")
        found += files
    return found


def predict(
    predictor: Predictor, pictures: Sequence[str], batch: int = 32, draw: Path | None = None
) -> Iterator[Answer]:
    """Answers for picture files, in order; a file that cannot be read has a reason instead of results.

    Args:
        predictor: the Predictor of a run.
        pictures: paths.
        batch: pictures in one call of the graph.
        draw: a folder for pictures with their results drawn on them.
    """
    if draw is not None:
        draw.mkdir(parents=True, exist_ok=True)
    found = answers(predictor, pictures, lambda path: Path(path).read_bytes(), batch)
    for number, answer in enumerate(tqdm(found, "predict", len(pictures), unit="pictures", delay=2, leave=False)):
        if draw is not None and answer.results is not None:
            image = predictor.task.input.decode(Path(answer.item).read_bytes()).numpy()
            drawn = predictor.task.draw(image, answer.results)
            Image.fromarray(drawn).save(draw / f"{number:05}_{Path(answer.item).stem}.png")
        yield answer


def write_jsonl(found: Iterable[Answer], out: TextIO) -> int:
    """Writes one JSON object a line, as answers come.

    Returns:
        How many pictures could not be read; they have an `error` instead of results.
    """
    failed = 0
    for answer in found:
        row = _row(answer)
        failed += "error" in row
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
        out.flush()
    return failed


def write_csv(found: Iterable[Answer], class_names: Sequence[str], out: TextIO) -> int:
    """Writes a table as answers come: a column each for numbers and names, one a class for lists over classes.

    Returns:
        How many pictures could not be read; they have an `error` instead of results.
    """
    failed, writer, waiting = 0, None, []
    for answer in found:
        row = _spread(_row(answer), class_names)
        failed += "error" in row
        waiting.append(row)
        if writer is None and "error" not in row:  # only a good answer knows the columns
            writer = csv.DictWriter(out, [*row, "error"], restval="")
            writer.writeheader()
        if writer is not None:
            writer.writerows(waiting)
            waiting.clear()
            out.flush()
    if waiting:
        csv.writer(out).writerows([["file", "error"], *([row["file"], row["error"]] for row in waiting)])
    return failed


def _row(answer: Answer) -> dict[str, Any]:
    if answer.results is None:
        log.warning("%s: %s", answer.item, answer.reason)
        return {"file": str(answer.item), "error": answer.reason}
    return {"file": str(answer.item)} | {name: plain(value) for name, value in answer.results.items()}


def plain(value: Any) -> Any:
    """A NumPy value as what JSON knows: text, numbers, lists; float32 in its shortest digits."""
    if isinstance(value, bytes):
        return value.decode()
    value = np.asarray(value)
    if value.ndim:
        return [plain(each) for each in value] if value.dtype.kind in "fO" else value.tolist()
    return float(str(value)) if value.dtype == np.float32 else value.item()


def _spread(row: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, list):
            labels = class_names if len(value) == len(class_names) else range(len(value))
            flat |= {f"{name}/{label}": _cell(each) for label, each in zip(labels, value, strict=True)}
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
