"""Images in folders named after their class, or after a split with classes inside, on disk or in a zip file."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import field_validator

from ....models.contract import Truth
from ....models.errors import InputError, advise
from ....models.inputs.file_listing import Listing, leave_out, list_images
from ....models.inputs.file_tree import open_tree
from ....models.options import Incidental, RecipePath
from ..source import SPLIT_NAMES, DataOptions, FileSource, check_truth

_log = logging.getLogger(__name__)


class FolderOptions(DataOptions):
    """The recipe's `data` section of images in folders."""

    path: RecipePath
    """A folder or a zip file: it holds one folder per class, or `train`, `val` (`valid`, `validation`) and `test` with
    those inside."""
    exclude: Annotated[list[str], Incidental()] = []
    """Globs of paths inside the folder to leave out; "*" matches "/" too: `*.gif`, `cats/blurred*`, `unsorted`."""
    group: str | None = None
    """A regular expression, searched in the path inside the folder, whose first bracket tells what belongs together:
    with `(patient\\d+)` no patient's images come into two splits."""

    @field_validator("group")
    @classmethod
    def _has_a_bracket(cls, value: str | None) -> str | None:
        try:
            if value is not None and re.compile(value).groups < 1:
                raise ValueError("put round brackets around the part that tells the group, such as (patient[0-9]+)")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class Folder(FileSource):
    """Files with an image's extension; a key is the path inside the folder. For prediction folders mean nothing."""

    Options = FolderOptions

    def __init__(self, options: FolderOptions, truth: Mapping[str, Truth] | None):
        check_truth("folder", truth, {"label": Truth("int32")})
        self.tree = open_tree(options.path)
        listing = list_images(self.tree, options.exclude)
        if not truth:
            layout = Layout(class_names=[], images=listing.images)
        else:
            layout = read_layout(options.path, listing)
        self.class_names, self.keys, self.splits = layout.class_names, layout.images, layout.splits
        self.groups = self.keys if options.group is None else groups_of(self.keys, options.group)
        self._labels = layout.labels
        self._truth = truth or {}

    def truth(self, position: int) -> dict[str, np.generic]:
        return {name: np.dtype(wanted.dtype).type(self._labels[position]) for name, wanted in self._truth.items()}


def groups_of(keys: Sequence[str], pattern: str) -> list[str]:
    """The group of each key: what the first bracket of a regular expression finds in it.

    Raises:
        InputError: keys in which it finds nothing.
    """
    found = [re.search(pattern, key) for key in keys]
    # A bracket that took no part gives None as well: a group of its own would hide the mistake.
    without = [key for key, match in zip(keys, found, strict=True) if match is None or match[1] is None]
    if without:
        raise InputError(
            f"data.group '{pattern}' is not in {len(without)} of {len(keys)} paths (first {without[0]})",
            field="data.group",
        )
    return [match[1] for match in found if match]


@dataclass
class Layout:
    """The labelled images of a listing.

    Attributes:
        class_names: sorted; a label is a position in it.
        images: paths relative to the root, sorted.
        labels: one for each image.
        splits: positions of images by split, empty where the folders are the classes themselves.
    """

    class_names: list[str]
    images: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=dict)


def read_layout(root: str, listing: Listing) -> Layout:
    """Finds classes and splits by the names of the first one or two levels of folders; deeper ones mean nothing.

    Raises:
        InputError: folders that contradict each other, an empty class, or fewer than two classes.
    """
    splits = _split_folders(root, listing)
    if splits:
        _warn_of_loose(f"data.path={root}", [path for path in listing.images if "/" not in path])
    prefixes = {name: f"{folder}/" for folder, name in splits.items()} or {"": ""}
    classes = {name: _classes(root, prefix, listing) for name, prefix in prefixes.items()}
    class_names = list(classes.get("train") or classes[""])
    _check_classes(root, listing, class_names, classes, prefixes)
    of_class = {name: label for label, name in enumerate(class_names)}
    rows = sorted(
        (image, of_class[name], split)
        for split, images_by_class in classes.items()
        for name, images in images_by_class.items()
        for image in images
    )
    return Layout(
        class_names=class_names,
        images=[image for image, _, _ in rows],
        labels=[label for _, label, _ in rows],
        splits={split: [at for at, row in enumerate(rows) if row[2] == split] for split in classes if split},
    )


def _split_folders(root: str, listing: Listing) -> dict[str, str]:
    """Folders of the first level that are splits, to the split's name; empty where they are the classes."""
    with_images = sorted({path.partition("/")[0] for path in listing.images if "/" in path})
    splits = {name: SPLIT_NAMES[name.lower()] for name in with_images if name.lower() in SPLIT_NAMES}
    others = [name for name in with_images if name not in splits]
    train = [name for name, split in splits.items() if split == "train"]
    if not train:
        if splits and not others:
            raise InputError(
                f"folder '{next(iter(splits))}' and no 'train' beside it", where=f"data.path={root}", field="data.path"
            )
        return {}
    if others:
        if any(path.count("/") == 1 and path.startswith(f"{train[0]}/") for path in listing.images):
            return {}  # images lie in it as in the others: a class, trains beside buses
        raise InputError(
            f"'{others[0]}' stands beside the split '{train[0]}': rename it if it is a class, or "
            f"leave it out by {leave_out(others[0], listing.patterns)}",
            where=f"data.path={root}",
            field="data.path",
        )
    if len(set(splits.values())) < len(splits):
        raise InputError(
            f"{', '.join(splits)}: two folders for one split", where=f"data.path={root}", field="data.path"
        )
    return splits


def _classes(root: str, prefix: str, listing: Listing) -> dict[str, list[str]]:
    """The folders directly below `prefix`, each with the images at any depth in it."""
    inside = [path[len(prefix) :] for path in listing.folders if path.startswith(prefix)]
    classes: dict[str, list[str]] = {path: [] for path in inside if "/" not in path}
    loose = []
    for path in listing.images:
        if path.startswith(prefix):
            name, slash, _ = path[len(prefix) :].partition("/")
            (classes[name] if slash else loose).append(path)
    place = f"data.path={root}" + (f": folder '{prefix}'" if prefix else "")
    if loose and not classes:
        raise InputError(
            f"images without class folders around them: {len(loose)} (first {loose[0]}): move each into a "
            "folder of its class, or name the classes in a table (data.source=csv)",
            where=place,
        )
    _warn_of_loose(place, loose)
    return classes


def _warn_of_loose(place: str, loose: list[str]) -> None:
    if loose:
        _log.warning("%s: images beside the class folders are ignored: %d (first %s)", place, len(loose), loose[0])


def _check_classes(
    root: str,
    listing: Listing,
    class_names: list[str],
    classes: dict[str, dict[str, list[str]]],
    prefixes: dict[str, str],
) -> None:
    for split, images_by_class in classes.items():
        for name, images in images_by_class.items():
            if name not in class_names:
                raise InputError(
                    f"class '{name}' is in '{prefixes[split]}' and not in '{prefixes['train']}', "
                    f"which has {', '.join(class_names)}",
                    where=f"data.path={root}",
                    field="data.path",
                )
            if not images:
                _report_empty(root, prefixes[split] + name, split, listing)
    if len(class_names) < 2:
        raise InputError(_one_class(root, prefixes.get("train", "") + class_names[0], listing))


def _report_empty(root: str, folder: str, split: str, listing: Listing) -> None:
    if split not in ("", "train"):  # a rare class may have nothing to validate with
        _log.warning("data.path=%s: class folder '%s' has no images", root, folder)
        return
    excluded = sum(n for at, n in listing.excluded.items() if f"{at}/".startswith(f"{folder}/"))
    unread = sum(path.startswith(f"{folder}/") for path in listing.unread)
    reasons = ([f"data.exclude leaves out {excluded}"] if excluded else []) + (
        [f"{unread} are in formats that are not read"] if unread else []
    )
    because = f" ({', '.join(reasons)})" if reasons else ""
    raise InputError(
        f"class folder '{folder}' has no images{because}: add some, or leave the class out by "
        f"{leave_out(folder, listing.patterns)}",
        where=f"data.path={root}",
        field="data.path",
    )


def _one_class(root: str, folder: str, listing: Listing) -> str:
    inside = [path for path in listing.folders if path.rpartition("/")[0] == folder]
    line = advise("data.path", f"{root}/{folder}".replace("$", "$$"))
    hint = f": are its folders the classes? then {line}" if len(inside) > 1 else ""
    return f"data.path={root}: only one class, '{folder}'; it takes two or more{hint}"
