"""The report job: from a finished run to its page."""

from __future__ import annotations

import shlex
from pathlib import Path

import yaml

from ...models.errors import InputError
from ...models.files import read_json, refuse_file, saving, write_atomically
from ..recipe import load_recipe
from ..run import PROVENANCE, RECIPE, Run, recipe_file

PAGE = "report.html"


def report(folder: Path | str) -> Path:
    """Writes the report of a finished run: one HTML page that needs nothing beside it, no network and no script.

    Splits that were evaluated with the run's Predictor are not evaluated again, so a second report costs seconds.

    Args:
        folder: the run, as `train` left it.

    Returns:
        The page, `report.html` in the run.

    Raises:
        InputError: no run, one that is not finished, a task of the user's own that is gone, no room to write.
    """
    recipe = load_recipe(recipe_file(folder))
    run = Run(Path(folder))
    refuse_unfinished(run)
    path = run.folder / PAGE
    refuse_file(path, overwrite=True)

    from .material import gather
    from .page import page

    material = gather(run, recipe)
    with saving(run.folder):
        write_atomically(path, page(material))
    return path


def refuse_unfinished(run: Run) -> None:
    """Says how far a training is that was cut short, and how to go on with it.

    Raises:
        InputError: the run is not finished.
    """
    progress = run.progress
    if progress.finished:
        return
    path = run.folder / PROVENANCE
    command = read_json(path)["command"] if path.is_file() else ""
    written = yaml.safe_load(recipe_file(run.folder).read_text(encoding="utf-8"))["train"]["run"]
    was_moved = Path(written).resolve() != run.folder.resolve()  # then that command would begin anew in the old place
    if was_moved or not command.startswith("saccade train "):
        command = f"saccade train {shlex.quote(str(run.folder / RECIPE))}"
    epochs = "1 epoch" if progress.epoch == 1 else f"{progress.epoch} epochs"
    step = f" and {progress.step} steps" if progress.step else ""
    raise InputError(
        f"{run.folder}: this training was cut short after {epochs}{step}; go on with it, then report: {command}"
    )
