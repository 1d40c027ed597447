"""Pictures in a folder, and their masks in another."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import field_validator

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.exports import advice
from ....models.inputs.file_listing import UNREAD, leave_out, list_pictures
from ....models.inputs.file_tree import FileTree, open_tree
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, check_truth
from .file_source import FileSource
from .folder import FolderOptions, groups_of
from .mask_files import OFFERED, MaskFiles
from .mask_image import EXTENSIONS
from .mask_matching import check_pattern, match_by_name, match_by_pattern, refuse_missing, refuse_shared
from .mask_options import MaskOptions

_log = logging.getLogger(__name__)


class MasksOptions(MaskOptions, FolderOptions):
    """The recipe's `data` section of pictures with masks."""

    path: RecipePath
    """A folder or a zip file with the pictures, in depth; `train`, `val` (`valid`, `validation`) and `test` at its top
    are splits."""
    masks: RecipePath = ""
    """A folder or a zip file with a mask for each picture, called as it is: for `x/a.jpg` it is `x/a.png`, `a.png`, or
    with the same ending everywhere `a_mask.png`. Empty: beside the pictures, as `match` says."""
    match: str | None = None
    """Where a picture's mask is, inside `masks`: `{stem}_mask.png`, `{folder}/../labels/{stem}.png`; `{path}` is the
    picture's path without its extension, `{folder}` and `{stem}` are the parts of it."""

    @field_validator("match")
    @classmethod
    def _names_the_picture(cls, value: str | None) -> str | None:
        if value is not None:
            check_pattern(value)
        return value


class Masks(FileSource):
    """Files with a picture's extension, each with a mask; a key is the picture's path.

    Where no truth is wanted, as for prediction, masks are not looked for.
    """

    Options = MasksOptions

    def __init__(self, options: MasksOptions, truth: Mapping[str, Truth] | None):
        check_truth("masks", truth, OFFERED)
        self.tree = open_tree(options.path)
        # A mask below the pictures' folder is told of once, with the masks.
        unread = UNREAD if not truth or not _inside(options) else [each for each in UNREAD if each not in EXTENSIONS]
        self.keys: Sequence[str] = list_pictures(self.tree, options.exclude, unread=unread).pictures
        self.splits, self.class_names, self._masks = {}, [], None
        if truth:
            place = f"data.masks={options.masks or options.path}"
            try:
                tree, found = _paired(self.tree, self.keys, options, place)
            except InputError as error:
                told = advice(self.tree) or advice(open_tree(options.masks or options.path, "data.masks"))
                raise InputError(f"{error}; {told}" if told and told not in str(error) else str(error)) from None
            self.keys = list(found)
            self.splits = _splits(options.path, self.keys, options.exclude)
            self._masks = MaskFiles(tree, list(found.values()), options, truth, place, self.encoded)
            self.class_names = self._masks.class_names
        self.groups = self.keys if options.group is None else groups_of(self.keys, options.group)

    def truth(self, position: int) -> dict[str, np.ndarray]:
        return self._masks.truth(position) if self._masks else {}

    def stamp(self, position: int) -> str | None:
        picture = super().stamp(position)
        return self._masks.stamp(position, picture) if self._masks else picture


def _paired(
    tree: FileTree, pictures: Sequence[str], options: MasksOptions, place: str
) -> tuple[FileTree, dict[str, str]]:
    """Where masks lie, and for each picture its mask; what is a mask itself is no picture."""
    if options.match is None and options.masks in ("", options.path):
        if told := advice(tree):
            raise InputError(f"data.path={options.path}: {told}")
        raise InputError(
            f"data.path={options.path}: and where are the masks: data.masks is their folder, or, where they lie beside "
            "the pictures, say how they are called, for example data.match='{path}_mask.png'"
        )
    root = options.masks or options.path
    masks_tree = open_tree(root, "data.masks")
    unread = () if _inside(options) else UNREAD
    masks = list_pictures(masks_tree, [], place, "masks", EXTENSIONS, unread).pictures
    where = {os.path.normpath(masks_tree.where(mask)): mask for mask in masks}
    both = {picture: where.get(os.path.normpath(tree.where(picture))) for picture in pictures}
    if options.match is not None:
        found = match_by_pattern(pictures, masks, options.match)
        found = {picture: mask for picture, mask in found.items() if both[picture] != mask}
        used = set(found.values())
        pictures = [picture for picture in pictures if both[picture] not in used]
    else:
        if _inside(options):
            pictures = [picture for picture in pictures if both[picture] is None]
        else:
            masks = sorted(set(masks) - set(both.values()))
        found = match_by_name(pictures, masks, place)
    refuse_missing(pictures, found, masks, options.match, place)
    found = {picture: found[picture] for picture in pictures}
    refuse_shared(found, options.match, place)
    without = sorted(set(masks) - set(found.values()) - {both[picture] for picture in pictures})
    if without:
        _log.info("%s: masks without a picture: %d (first %s)", place, len(without), without[0])
    return masks_tree, found


def _inside(options: MasksOptions) -> bool:
    """Whether masks lie in the folder of the pictures."""
    return Path(options.masks or options.path).is_relative_to(options.path)


def _splits(root: str, pictures: Sequence[str], exclude: Sequence[str]) -> dict[str, list[int]]:
    """Positions by split, where the folders at the top are splits; else nothing."""
    tops = {picture: picture.partition("/")[0] if "/" in picture else "" for picture in pictures}
    names = {top: SPLIT_NAMES[top.lower()] for top in sorted(set(tops.values())) if top.lower() in SPLIT_NAMES}
    if not names:
        return {}
    others = [top or picture for picture, top in tops.items() if top not in names]
    if others:
        raise InputError(
            f"data.path={root}: '{others[0]}' lies beside the split '{next(iter(names))}': leave it out by "
            f"{leave_out(others[0], exclude)}"
        )
    if "train" not in names.values():
        raise InputError(f"data.path={root}: folder '{next(iter(names))}' and no 'train' beside it")
    if len(set(names.values())) < len(names):
        raise InputError(f"data.path={root}: {', '.join(names)}: two folders for one split")
    splits: dict[str, list[int]] = {}
    for position, top in enumerate(tops.values()):
        splits.setdefault(names[top], []).append(position)
    return splits
