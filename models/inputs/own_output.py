"""What lies among a person's data and is none: what saccade wrote there, and what systems and programs keep."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from .file_tree import FileTree, join

NOTE = ".saccade"
"""A file that names what saccade wrote into the folder it stands in: contact sheets, folders of drawn results."""

# Thumbnails, waste baskets and code beside images; names that begin with a dot are passed over anyway.
_SYSTEM = frozenset(
    "__MACOSX __pycache__ @eaDir #recycle #snapshot $RECYCLE.BIN node_modules lost+found".split()
    + ["System Volume Information"]
)
_RECIPE, _LOCK = "recipe.yaml", "lock"
# What lies in a folder together, of each kind that saccade (or Python, for an environment) makes.
_SIGNS = (
    *({_RECIPE, name} for name in ("state.json", "predictor.json", "provenance.json", "history.jsonl", "log.txt")),
    {"saved_model.pb", "assets.extra"},
    {"saved_model.pb", "variables"},
    {"metrics.json", "scores.json"},
    {"pyvenv.cfg"},
)


def is_no_data(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or kept by a system or a program and not by a person."""
    return name.startswith(".") or name in _SYSTEM or name.startswith("__MACOSX")


def is_own(entries: Mapping[str, bool]) -> bool:
    """Whether a folder is a run, a bundle or an evaluation, by what is in it.

    Args:
        entries: the names in it, and whether each is a folder.
    """
    names = {name for name in entries if not name.startswith(".")}
    if names and names <= {_RECIPE, _LOCK}:  # the first files of a run
        return not any(entries[name] for name in names)
    return any(signs <= names for signs in _SIGNS)


def written_into(tree: FileTree, folder: str, entries: Mapping[str, bool]) -> Collection[str]:
    """The names that the note in a folder of a tree has, none where there is no note."""
    if entries.get(NOTE, True):
        return ()
    try:
        return frozenset(tree.read(join(folder, NOTE)).decode(errors="replace").splitlines())
    except OSError:
        return ()


def note(output: Path, roots: Collection[str]) -> None:
    """Notes a file or folder that saccade makes among a person's data, in the folder around it.

    A note that cannot be written is none: it is for later, and stops no job.

    Args:
        output: the file or folder.
        roots: folders of data; what lies in none of them is not noted.
    """
    around = os.path.realpath(output.parent)
    if not any(os.path.isdir(root) and Path(around).is_relative_to(os.path.realpath(root)) for root in roots):
        return
    with suppress(OSError, UnicodeError):
        file = Path(around, NOTE)
        known = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        if output.name not in known:
            file.write_text("".join(f"{name}\n" for name in [*known, output.name]), encoding="utf-8")
