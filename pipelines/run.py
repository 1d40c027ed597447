"""The run: the folder that a training job leaves, how far the job has come, and who writes to it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml

from ..models.errors import InputError
from ..models.files import DESCRIPTION, WEIGHTS, is_whole_hdf5, read_json, refuse_folder, saving, write_atomically
from ..models.options import move_keys
from .recipe.recipe import Recipe

log = logging.getLogger("saccade")

RECIPE, STATE, HISTORY, PROVENANCE, QUARANTINE, FINDINGS = (
    "recipe.yaml",
    "state.json",
    "history.jsonl",
    "provenance.json",
    "quarantine.jsonl",
    "findings.json",
)
CHECKPOINT, FORMER = "last.npz", "previous.npz"
"""The variables of model and optimizer as they were last saved, and the time before."""
SAMPLES = "samples.csv"
"""Which sample was in which split, with a hash of its content."""
LOCK = "lock"


@dataclass
class Progress:
    """How far a training has come; epochs count through all phases.

    Attributes:
        best, best_epoch: the metric that `train.select` optimises, of the weights that are kept, and their epoch.
        violation: how far they are past the bounds of `train.select`; 0 where they keep to all.
        latency_ms: how long one image takes, where a bound names it.
        fitted: the training metrics of an epoch whose steps are all done, and which is yet to be validated.
        unkept: at the end, the bounds that they do not keep to: metric, bound, value, closest, closest_epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None
    violation: float = 0.0
    latency_ms: float | None = None
    fitted: dict[str, float] | None = None
    unkept: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False

    @classmethod
    def read(cls, values: Any) -> Progress:
        """From what a file says.

        Raises:
            ValueError: something else.
        """
        if not isinstance(values, Mapping) or not {"phase", "epoch", "step"} <= values.keys():
            raise ValueError("not the progress of a training")
        return cls(**{each.name: values[each.name] for each in fields(cls) if each.name in values})

    @property
    def place(self) -> tuple[int, int, int]:
        return self.phase, self.epoch, self.step

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.step}" if self.step else f"the end of epoch {self.epoch}"


class Run:
    """A run folder.

    Attributes:
        folder: where it is.
        progress: how far it has come.
        notes: what was found damaged when the run was opened to be resumed, and what takes its place; a line each.
        best_lost: whether the best weights so far are among that.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.notes: list[str] = []
        self.best_lost = False
        self._state_lost = False
        self.progress = self._state() or Progress()

    @classmethod
    def of(cls, recipe: Recipe) -> Run:
        """The recipe's own run: a new one, or an unfinished one to resume. Nothing is written yet.

        What is damaged in an unfinished run is passed over for what is whole: `notes` says so.

        Raises:
            InputError: a finished run, another training's run or a folder of something else is in the way, or the
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
            if folder.exists() and (not folder.is_dir() or any(each.name != LOCK for each in folder.iterdir())):
                raise InputError(f"this is no run, and it is not empty; {way_out}", where=str(folder))
        elif any((folder / each).exists() for each in (STATE, CHECKPOINT, FORMER)):
            if told := _other_training(folder / RECIPE, recipe, run.progress.finished):
                raise InputError(f"{told}; {way_out}", where=str(folder))
            run._restore()
            if run.progress.finished and not run.notes:
                raise InputError(f"this run is finished; {way_out}", where=str(folder))
            run.progress.finished = False
        return run

    def refuse_other_classes(self, class_names: Sequence[str]) -> None:
        """Stops a run from being resumed on data whose class ids mean something else.

        Raises:
            InputError: other classes than it was trained on, or another order of them.
        """
        known, here = self._class_names(), list(class_names)
        if not self.resumed or known is None or known == here:
            return
        gone, new = ([each for each in one if each not in other] for one, other in ((known, here), (here, known)))
        told = [f"{word} {', '.join(names)}" for word, names in (("without", gone), ("with", new)) if names]
        raise InputError(
            f"this run was trained on the classes {_shortened(known)}, and the data now has "
            f"{_shortened(here)} ({', '.join(told) or 'another order'}): give the data its former classes to resume, "
            "or train anew with train.run=FOLDER",
            where=self.folder,
        )

    def learned(self) -> dict[str, Any] | None:
        """What the task had learned from the training truth when this run began; None where no file tells."""
        with suppress(InputError, FileNotFoundError, KeyError, TypeError):
            return read_json(self.folder / DESCRIPTION)["learned"]
        return None

    def _class_names(self) -> list[str] | None:
        """Those it was trained on; None where no file tells."""
        for name, find in ((DESCRIPTION, lambda it: it), (PROVENANCE, lambda it: it["data"])):
            with suppress(InputError, FileNotFoundError, KeyError, TypeError):
                return list(find(read_json(self.folder / name))["class_names"])
        return None

    def begin(self, recipe: Recipe) -> None:
        """Makes the folder, with the resolved recipe in it, and puts what is whole in the place of what is not.

        Raises:
            InputError: the folder cannot be written.
        """
        with saving(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / RECIPE, recipe.to_yaml())
            if self._state_lost and (self.folder / FORMER).is_file():
                os.replace(self.folder / FORMER, self.folder / CHECKPOINT)
            self.tidy_history()

    def tidy_history(self) -> None:
        """Takes out of the file what `history` leaves out."""
        path, text = self.folder / HISTORY, "".join(json.dumps(line) + "\n" for line in self.history())
        if path.is_file() and path.read_bytes() != text.encode():
            write_atomically(path, text)

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
        """One dict an epoch up to where the training stands, in order; of an epoch that was run again, the last. What
        is not a whole line is left out."""
        path, found = self.folder / HISTORY, {}
        for text in path.read_bytes().splitlines() if path.is_file() else []:
            with suppress(ValueError, TypeError, KeyError):
                line = json.loads(text)
                found[int(line["epoch"])] = line
        return [line for epoch, line in sorted(found.items()) if epoch <= self.progress.epoch]

    def _state(self) -> Progress | None:
        """What `state.json` says; None where it is missing or damaged."""
        with suppress(InputError, ValueError, FileNotFoundError, NotADirectoryError):
            return Progress.read(read_json(self.folder / STATE))
        return None

    def _restore(self) -> None:
        """Settles on the newest state of the training that is whole, and notes what is not."""
        folder, state = self.folder, self._state()
        present = [name for name in (CHECKPOINT, FORMER) if (folder / name).exists()]
        for name in present:
            try:
                saved = _saved_progress(folder / name) or state or Progress()
            except (OSError, ValueError, zipfile.BadZipFile, EOFError):
                continue
            if state is None or state.place != saved.place:
                state, self.progress = None, saved
            if name != CHECKPOINT:
                lost = "cut short" if CHECKPOINT in present else "missing"
                self.notes.append(f"{CHECKPOINT} is {lost}: resuming from the state before it, {saved}")
                self._state_lost = True
            elif state is None:
                self.notes.append(f"{STATE} is not that of {CHECKPOINT}: resuming from the latter, {saved}")
            break
        else:
            if present or state is None:
                lost = " and ".join(present or [STATE])
                self.notes.append(f"{lost}: cut short, and no whole state is left: beginning anew with the first epoch")
                self.progress = Progress()
        self._check_files()

    def _check_files(self) -> None:
        """Notes which other files are damaged: they are written anew."""
        folder = self.folder
        if self.progress.best_epoch is not None and not is_whole_hdf5(folder / WEIGHTS):
            self.best_lost, self.progress.best, self.progress.best_epoch = True, None, None
            self.progress.violation = 0.0
            again = "the next epoch" if self.progress.step else "the last epoch"
            self.notes.append(f"{WEIGHTS} is cut short or missing: {again} takes its place")
        for name in (DESCRIPTION, PROVENANCE, FINDINGS):
            try:
                read_json(folder / name)
            except InputError:
                self.notes.append(f"{name} is cut short: it is written anew")
            except FileNotFoundError:  # of a run of an earlier version
                pass
        path = folder / HISTORY
        lines = path.read_bytes().splitlines() if path.is_file() else []
        if bad := [number for number, line in enumerate(lines, 1) if not _is_json(line)]:
            self.notes.append(f"{HISTORY}: line {', '.join(map(str, bad))} is cut short: left out")


def _saved_progress(path: Path) -> Progress | None:
    """How far the training had come when this state was saved; None in one of an earlier version.

    Raises:
        OSError, ValueError, zipfile.BadZipFile, EOFError: it is not whole.
    """
    with path.open("rb") as file, np.load(file) as values:  # numpy itself leaves a file open that is not whole
        return Progress.read(json.loads(str(values["progress"]))) if "progress" in values else None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} ... ({len(names)})"


def recipe_file(folder: Path | str) -> Path:
    """The resolved recipe of a run.

    Raises:
        InputError: the folder holds no run.
    """
    path = Path(folder) / RECIPE
    if not path.is_file():
        raise InputError(f"not a run (it has no {RECIPE}); name the folder that 'train' left", where=str(folder))
    return path


@contextmanager
def alone_in(folder: Path, wait: bool = False) -> Iterator[None]:
    """Holds a folder, made if missing, while a job writes to it; a process that dies lets go of it.

    Args:
        folder: where the job writes. It is removed again if nothing was written.
        wait: for another job that writes to it, in place of refusing.

    Raises:
        InputError: another job writes to it; or it cannot be written.
    """
    made = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    with saving(folder):
        file = _take(folder / LOCK, wait)
    try:
        yield
    finally:
        with suppress(OSError), file:  # the name goes before the lock: who waits for it finds out and tries again
            (folder / LOCK).unlink(missing_ok=True)
        for each in made:
            with suppress(OSError):  # by now there is something in it
                each.rmdir()


def _take(path: Path, wait: bool) -> TextIO:
    """Opens and locks a file in which the holder says who it is."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="utf-8")
        except FileNotFoundError:  # whoever held it has removed the folder meanwhile
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            raise InputError(_taken(path)) from None
        except OSError as error:  # some network file systems have no locks
            if _holder_lives(path):
                file.close()
                raise InputError(f"{_taken(path)}; if it does not, remove {path}") from None
            log.warning(
                "%s: this file system has no locks (%s): see to it that no other job writes here",
                path.parent,
                error.strerror,
            )
            break
        except BaseException:
            file.close()
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
        file.close()  # likewise
    file.seek(0)
    file.truncate()
    file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%F %T")}) + "\n")
    file.flush()
    return file


def _taken(path: Path) -> str:
    holder = _holder(path)
    who = "process {pid} on {host}, since {since}".format(**holder) if holder else "another process"
    return (
        f"{path.parent}: a job writes to this run now ({who}): wait for it or stop it, or choose another folder with "
        "train.run=FOLDER"
    )


def _holder(path: Path) -> dict[str, Any]:
    """Who says to hold a lock; nothing where that is not (yet) known."""
    with suppress(ValueError, OSError, TypeError, KeyError):
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: values[name] for name in ("pid", "host", "since")}
    return {}


def _holder_lives(path: Path) -> bool:
    """Whether the process that says to hold a lock is known to run: only of this host that can be told."""
    holder = _holder(path)
    if holder.get("host") != socket.gethostname() or holder["pid"] == os.getpid():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


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


def _other_training(path: Path, recipe: Recipe, finished: bool) -> str:
    """In what a run's recipe is that of another training, "" where it is not; see `Recipe.decisive`.

    More epochs are no other training while it is unfinished and its learning rate does not depend on their number.
    """
    try:
        resolved = yaml.safe_load(path.read_text(encoding="utf-8"))
        before = recipe.decisive(move_keys(resolved, {"model": type(recipe.model)}))
        longer = before["train"]["epochs"] < recipe.train.epochs
    except (ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return f"{RECIPE} is cut short, so that nothing tells which training this is"
    now = yaml.safe_load(recipe.to_yaml(decisive=True))
    if longer and not finished and recipe.train.schedule.name == "constant":
        before["train"]["epochs"] = recipe.train.epochs
    key, here, there = difference(now, before)
    return f"here is a run of another recipe ({key} is {there!r} there and {here!r} here)" if key else ""
