"""Answers as text: JSON Lines or CSV."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from ...models.contract import Task, plain
from .answers import Answer

log = logging.getLogger("saccade")


def write_jsonl(found: Iterable[Answer], task: Task, out: TextIO) -> int:
    """Writes one JSON object a line, as answers come.

    Args:
        found: the answers.
        task: says what of its results belongs on a line (`Task.line`).
        out: where to.

    Returns:
        How many images could not be read; they have an `error` instead of results.
    """
    failed = 0
    for answer in found:
        row = _row(answer, task)
        failed += "error" in row
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
        out.flush()
    return failed


def write_csv(found: Iterable[Answer], task: Task, out: TextIO) -> int:
    """Writes a table as answers come: a column each for numbers and names, one a class for lists over classes, and
    the names of files, if any, as a JSON list in one.

    Args:
        found: the answers.
        task: says what of its results belongs on a line, and the names of the classes.
        out: where to.

    Returns:
        How many images could not be read; they have an `error` instead of results.
    """
    failed, writer, waiting = 0, None, []
    for answer in found:
        row = _spread(_row(answer, task), task.class_names)
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


def _row(answer: Answer, task: Task) -> dict[str, Any]:
    if answer.results is None:
        log.warning("%s: %s", answer.item, answer.reason)
        return {"file": str(answer.item), "error": answer.reason}
    line = {name: plain(value) for name, value in task.line(answer.results).items()}
    return {"file": str(answer.item)} | line | ({} if answer.files is None else {"files": list(answer.files)})


def _spread(row: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "files":
            flat[name] = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, Mapping):
            flat |= {f"{name}/{inner}": _cell(each) for inner, each in value.items()}
        elif isinstance(value, list):
            labels = class_names if len(value) == len(class_names) else range(len(value))
            flat |= {f"{name}/{label}": _cell(each) for label, each in zip(labels, value, strict=True)}
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
