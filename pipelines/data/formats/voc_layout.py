"""The folders of a set in the layout of Pascal VOC, and the lists that split it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ....models.errors import InputError, advise
from ....models.inputs.exports import advice
from ....models.inputs.file_listing import EXTENSIONS, UNREAD, list_pictures, tell_unread
from ....models.inputs.file_tree import FileTree
from ..source import Split

PICTURES, MASKS, OBJECTS, BOXES = "JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations"

_FLAGGED = re.compile(r"(.*\S)\s+(?:-1|0|1)")
_LISTS: dict[str, Split] = {"train": "train", "val": "validation", "test": "test"}


@dataclass
class Layout:
    """The samples of a set.

    Attributes:
        names: of the samples, without folder and extension.
        files: for each folder that was asked for, each sample's file in it, relative to the root.
        splits: positions by split, empty where there are no lists.
    """

    names: list[str]
    files: Mapping[str, list[str]]
    splits: dict[str, range] = field(default_factory=dict)


def read_layout(tree: FileTree, wanted: Sequence[str], lists: str) -> Layout:
    """Finds the samples that a set's lists name; without lists, those that have a file in each wanted folder.

    Args:
        tree: the set.
        wanted: folders in which every sample needs a file, beside that of the pictures.
        lists: the folder of the lists in `ImageSets`: `Segmentation` or `Main`.

    Raises:
        InputError: no such folder, lists that name what is not there, a sample in two of them.
    """
    folders = list_pictures(tree, (), unread=()).folders
    for each in (PICTURES, *wanted):
        if each not in folders:
            inside = [folder for folder in folders if folder.endswith(f"/{each}")]
            above = [tree.where(path.rpartition("/")[0]).replace("$", "$$") for path in inside]
            hint = f": say {advise('data.path', above[0])}" if above else _purpose(each)
            if told := advice(tree):
                hint = f": {told}"
            raise InputError(f"data.path={tree.root}: no folder '{each}' in it{hint}")
    found = {each: _files(tree, each) for each in wanted}
    found[PICTURES] = _files(tree, PICTURES, EXTENSIONS)
    unread = list(_files(tree, PICTURES, UNREAD).values())
    tell_unread(unread, f"data.path={tree.where(PICTURES)}", "pictures", are_all=not found[PICTURES])
    has_lists = bool(wanted) and f"ImageSets/{lists}" in folders
    named = _read_lists(tree, f"ImageSets/{lists}", found[PICTURES]) if has_lists else {}
    if not named:
        names = sorted(set.intersection(*(set(each) for each in found.values())))
        if not names:
            raise InputError(f"data.path={tree.root}: no picture in '{PICTURES}' has a file in {' and '.join(wanted)}")
        return Layout(names, _of_samples(names, found))
    layout = Layout([], {})
    for split, (file, names) in named.items():
        _refuse_missing(tree.where(file), names, found)
        layout.splits[split] = range(len(layout.names), len(layout.names) + len(names))
        layout.names += names
    layout.files = _of_samples(layout.names, found)
    return layout


def _purpose(folder: str) -> str:
    return {
        PICTURES: ": give the folder that has it, such as VOCdevkit/VOC2012",
        MASKS: ": the set has no masks, and the task wants them",
        OBJECTS: ": the set does not tell objects apart: model.instances=none",
        BOXES: ": the set has no boxes, and the task wants them",
    }[folder]


def _files(tree: FileTree, folder: str, extensions: Sequence[str] = ()) -> dict[str, str]:
    """Each file directly in a folder by its name without extension; of some extensions, or of any."""
    paths = [PurePosixPath(folder, name) for name, is_folder in tree.inside(folder) if not is_folder]
    visible = [path for path in paths if not path.name.startswith(".")]
    return {path.stem: str(path) for path in visible if not extensions or path.suffix[1:].lower() in extensions}


def _of_samples(names: Sequence[str], found: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    return {folder: [files[name] for name in names] for folder, files in found.items()}


def _read_lists(tree: FileTree, folder: str, pictures: Collection[str]) -> dict[Split, tuple[str, list[str]]]:
    """The file of each split's list and the names in it; `trainval` stands for train where that has none of its own."""
    files = _files(tree, folder)
    lists = {split: files[name] for name, split in _LISTS.items() if name in files}
    if "train" not in lists and "validation" not in lists and "trainval" in files:
        lists = {"train": files["trainval"]} | lists
    named: dict[Split, tuple[str, list[str]]] = {}
    taken: dict[str, str] = {}
    for split, file in lists.items():
        names = _names(tree, file, pictures)
        for name in names:
            if name in taken:
                again = "twice" if taken[name] == file else f"as {tree.where(taken[name])} does"
                raise InputError(f"{tree.where(file)}: names '{name}' {again}")
            taken[name] = file
        named[split] = file, names
    return named


def _names(tree: FileTree, file: str, pictures: Collection[str]) -> list[str]:
    try:
        lines = tree.read(file).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{tree.where(file)}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{tree.where(file)}: not a list of pictures: it is not UTF-8 text") from None
    names = _without_flags([line.strip() for line in lines if line.strip()], pictures)
    if not names:
        raise InputError(f"{tree.where(file)}: names no picture: remove the list, or fill it")
    return names


def _without_flags(lines: Sequence[str], pictures: Collection[str]) -> list[str]:
    """The names in the lines of a list, which may hold spaces, too: ` 1`, ` 0` or ` -1` behind every one of them is
    VOC's column of flags, unless all pictures are called so."""
    flagged = [_FLAGGED.fullmatch(line) for line in lines]
    if all(flagged) and any(line not in pictures for line in lines):
        return [match[1] for match in flagged if match]
    return [
        next((name for name in (line, match[1] if match else line, line.split()[0]) if name in pictures), line)
        for line, match in zip(lines, flagged, strict=True)
    ]


def _refuse_missing(place: str, names: Sequence[str], found: Mapping[str, Mapping[str, str]]) -> None:
    for folder, files in found.items():
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError(
                f"{place}: {len(missing)} of {len(names)} that it names have no file in '{folder}' (first "
                f"{missing[0]}): add them, or take them out of the list"
            )
