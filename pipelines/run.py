"""The run: the folder that a training job leaves, and how far the job has come."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..models.errors import InputError
from ..models.writing import refuse_folder, saving, write_atomically
from .recipe import Recipe

RECIPE, STATE, HISTORY, PROVENANCE, QUARANTINE, FINDINGS = (
    "recipe.yaml",
    "state.json",
    "history.jsonl",
    "provenance.json",
    "quarantine.jsonl",
    "findings.json",
)


@dataclass
class Progress:
    """How far a training has come; epochs count through all phases.

    Attributes:
        best, best_epoch: the figure that `train.select` optimises, of the weights that are kept, and their epoch.
        violation: how far they are past the bounds of `train.select`; 0 where they keep to all.
        latency_ms: how long one picture takes, where a bound names it.
        unkept: at the end, the bounds that they do not keep to: figure, bound, value, closest, closest_epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None
    violation: float = 0.0
    latency_ms: float | None = None
    unkept: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False


class Run:
    """A run folder.

    Attributes:
        folder: where it is.
        progress: how far it has come.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.progress = Progress(**read_json(folder / STATE)) if (folder / STATE).is_file() else Progress()

    @classmethod
    def of(cls, recipe: Recipe) -> Run:
        """The recipe's own run: a new one, or an unfinished one to go on with. Nothing is written yet.

        Raises:
            InputError: a finished run, another recipe's run or a folder of something else is in the way, or the
                folder cannot be written.
        """
        with saving(Path(recipe.train.run)):
            run = cls._of(recipe)
        refuse_folder(run.folder)  # now, and not after the data was read
        return run

    @classmethod
    def _of(cls, recipe: Recipe) -> Run:
        run, way_out = cls(Path(recipe.train.run)), "choose another with train.run=FOLDER, or remove it"
        folder = run.folder
        if not (folder / RECIPE).is_file():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise InputError(f"{folder}: this is no run, and it is not empty; {way_out}")
        elif (folder / STATE).is_file():
            before, now = (folder / RECIPE).read_text(encoding="utf-8"), recipe.to_yaml()
            if before != now:
                raise InputError(f"{folder}: here is a run of another recipe ({_difference(before, now)}); {way_out}")
            if run.progress.finished:
                raise InputError(f"{folder}: this run is finished; {way_out}")
        return run

    def write_recipe(self, recipe: Recipe) -> None:
        """Makes the folder, with the resolved recipe in it.

        Raises:
            InputError: the folder cannot be written.
        """
        with saving(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / RECIPE, recipe.to_yaml())

    @property
    def resumed(self) -> bool:
        return self.progress.epoch > 0 or self.progress.step > 0

    def save_progress(self) -> None:
        write_atomically(self.folder / STATE, json.dumps(asdict(self.progress)) + "\n")

    def append(self, name: str, line: dict[str, Any]) -> None:
        """Adds one line to a JSON Lines file of the run."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """One dict an epoch, in order; of an epoch that was run again, the last."""
        path = self.folder / HISTORY
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        return list({line["epoch"]: line for line in lines}.values())


def recipe_file(folder: Path | str) -> Path:
    """The resolved recipe of a run.

    Raises:
        InputError: the folder holds no run.
    """
    path = Path(folder) / RECIPE
    if not path.is_file():
        raise InputError(f"{folder}: not a run (it has no {RECIPE}); name the folder that 'train' left")
    return path


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def difference(here: Any, there: Any) -> tuple[str, Any, Any]:
    """The first key in which two mappings of mappings differ, as `a.b`, and both its values; None where it is not."""
    for key in dict.fromkeys((*here, *there)):
        mine, theirs = here.get(key), there.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            inner, *values = difference(mine, theirs)
            if inner:
                return f"{key}.{inner}", *values
        elif mine != theirs:
            return str(key), mine, theirs
    return "", None, None


def _difference(before: str, now: str) -> str:
    """The first key in which two resolved recipes differ."""
    key, here, there = difference(yaml.safe_load(now), yaml.safe_load(before))
    return f"{key} is {there!r} there and {here!r} here" if key else "as text"
