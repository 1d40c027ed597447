"""From what a run or a bundle says of its Predictor to the task and the input again, before TensorFlow is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import find_task
from .errors import InputError
from .files import DESCRIPTION, WEIGHTS, read_json
from .naming import make_importable
from .options import move_keys

if TYPE_CHECKING:
    from .contract import Input, Task

FORMAT = 3
"""Of `predictor.json`; of format 2 some keys stand in another section now, as `Options.moved` says."""


@dataclass(frozen=True)
class Restored:
    """What a run says of its Predictor.

    Attributes:
        task: made anew, with what it learned.
        description: all of `predictor.json`, in its present format.
        former: of a former format, the parts of the description that have another form now, as they were: the
            fingerprint of the run is made of them.
        weights: the file of weights.
    """

    task: Task
    description: Mapping[str, Any]
    former: Mapping[str, Any]
    weights: Path


def restore_task(run: Path | str, weights: str = WEIGHTS) -> Restored:
    """The task of a run, without its model.

    Args:
        run: the folder that `train` or `ensemble` left.
        weights: which of the run's weights have to be there.

    Raises:
        InputError: no run, one without weights yet, one whose description is damaged, or one whose raw values were
            prepared in another way than the code does now.
    """
    run = Path(run)
    if not (run / DESCRIPTION).is_file():
        raise InputError(f"not a run (it has no {DESCRIPTION}); name the folder that 'train' left", where=run)
    if not (run / weights).is_file():
        raise InputError(f"this run has no {weights} yet; run its 'train' command again to resume it", where=run)
    said = read_json(run / DESCRIPTION)
    if said.get("format") not in (2, FORMAT):
        raise InputError("a run of an earlier saccade (0.1 before the task contract): train it again", where=run)
    for folder in said["import_paths"]:
        if (place := (run / folder).resolve()).is_dir():
            make_importable(place)
    kind = find_task(said["task"])
    former: Mapping[str, Any] = MappingProxyType({})
    if said["format"] == 2:
        former = MappingProxyType({name: said[name] for name in ("model", "results", "ensemble") if name in said})
        said = _of_format_2(said, kind)
    refuse_other_version(kind.Input, said.get("prepare", ""), str(run), "train again")
    task = kind(
        said["class_names"],
        kind.ModelOptions(**said["model"]),
        kind.Input.Options(**said["input"]),
        kind.ResultOptions(**said["results"]),
        kind.EvaluationOptions(**said["evaluate"]),
        said["learned"],
    )
    return Restored(task, said, former, run / weights)


def _of_format_2(said: Mapping[str, Any], kind: type[Task]) -> dict[str, Any]:
    """What a description of format 2 says, in the present format."""
    schemas = kind.sections()
    found = move_keys(said, schemas)
    if "ensemble" in said:  # its members have a model section each, and share all else
        members = [move_keys({"model": each}, schemas)["model"] for each in said["ensemble"]["members"]]
        found["ensemble"] = {**said["ensemble"], "members": members}
    return found


def restore_input(task: str, options: Mapping[str, Any], learned: Mapping[str, Any], version: str, where: str) -> Input:
    """The input of a bundle, for its `prepare`.

    Args:
        task: its name, as the recipe has it; where it is a user's own, its module has to be importable here.
        options: of the input.
        learned: what the task learned.
        version: of `prepare`, when the bundle was made.
        where: the bundle, for messages.

    Raises:
        InputError: no such task here, or its `prepare` is of another version.
    """
    try:
        kind = find_task(task)
    except InputError as error:
        raise InputError(
            f"{where}: raw values are prepared in Python by this task before they reach the graph, and it is not here "
            f"({error}): put its folder on PYTHONPATH, or send prepared values"
        ) from error
    refuse_other_version(kind.Input, version, where, "export again")
    return kind.Input(kind.Input.Options(**options), learned)


def refuse_other_version(kind: type[Input], version: str, where: str, way_out: str) -> None:
    """Refuses what was made with another version of `Input.prepare` than the code has now.

    Args:
        kind: of the input.
        version: of its `prepare`, then; "" for none.
        where: what was made, for messages.
        way_out: what else to do than to bring that version back.

    Raises:
        InputError: the versions differ.
    """
    if kind.prepare_version != version:
        made, here = (f"version {each}" if each else "no version" for each in (version, kind.prepare_version))
        raise InputError(
            f"{where}: was made with {made} of {kind.__name__}.prepare, and there is {here} here: its answers would "
            f"be others: bring that version back, or {way_out}"
        )
