"""Images in a folder, and their masks in another."""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from pydantic import field_validator

from ....models.contract import Truth
from ....models.errors import InputError, nearest
from ....models.inputs.exports import advice
from ....models.inputs.file_listing import UNREAD, leave_out, list_images
from ....models.inputs.file_tree import FileTree, open_tree
from ....models.options import RecipePath
from ..source import SPLIT_NAMES, FileSource, check_truth
from .folder import FolderOptions, groups_of
from .mask_encoding import MaskOptions
from .mask_files import OFFERED, MaskFiles
from .mask_image import EXTENSIONS

_log = logging.getLogger(__name__)


class MasksOptions(MaskOptions, FolderOptions):
    """The recipe's `data` section of images with masks."""

    path: RecipePath
    """A folder or a zip file with the images, in depth; `train`, `val` (`valid`, `validation`) and `test` at its top
    are splits."""
    masks: RecipePath = ""
    """A folder or a zip file with a mask for each image, called as it is: for `x/a.jpg` it is `x/a.png`, `a.png`, or
    with the same ending everywhere `a_mask.png`. Empty: beside the images, as `match` says."""
    match: str | None = None
    """Where an image's mask is, inside `masks`: `{stem}_mask.png`, `{folder}/../labels/{stem}.png`; `{path}` is the
    image's path without its extension, `{folder}` and `{stem}` are the parts of it."""

    @field_validator("match")
    @classmethod
    def _names_the_image(cls, value: str | None) -> str | None:
        if value is not None:
            check_pattern(value)
        return value


class Masks(FileSource):
    """Files with an image's extension, each with a mask; a key is the image's path.

    Where no truth is wanted, as for prediction, masks are not looked for.
    """

    Options = MasksOptions

    def __init__(self, options: MasksOptions, truth: Mapping[str, Truth] | None):
        check_truth("masks", truth, OFFERED)
        self.tree = open_tree(options.path)
        # A mask below the images' folder is told of once, with the masks.
        unread = UNREAD if not truth or not _inside(options) else [each for each in UNREAD if each not in EXTENSIONS]
        self.keys: Sequence[str] = list_images(self.tree, options.exclude, unread=unread).images
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
        image = super().stamp(position)
        return self._masks.stamp(position, image) if self._masks else image


def _paired(
    tree: FileTree, images: Sequence[str], options: MasksOptions, place: str
) -> tuple[FileTree, dict[str, str]]:
    """Where masks lie, and for each image its mask; what is a mask itself is no image."""
    if options.match is None and options.masks in ("", options.path):
        if told := advice(tree):
            raise InputError(f"{told}", where=f"data.path={options.path}", field="data.path")
        raise InputError(
            "and where are the masks: data.masks is their folder, or, where they lie beside "
            "the images, say how they are called, for example data.match='{path}_mask.png'",
            where=f"data.path={options.path}",
            field="data.path",
        )
    root = options.masks or options.path
    masks_tree = open_tree(root, "data.masks")
    unread = () if _inside(options) else UNREAD
    masks = list_images(masks_tree, [], place, "masks", EXTENSIONS, unread).images
    where = {os.path.normpath(masks_tree.where(mask)): mask for mask in masks}
    both = {image: where.get(os.path.normpath(tree.where(image))) for image in images}
    if options.match is not None:
        found = match_by_pattern(images, masks, options.match)
        found = {image: mask for image, mask in found.items() if both[image] != mask}
        used = set(found.values())
        images = [image for image in images if both[image] not in used]
    else:
        if _inside(options):
            images = [image for image in images if both[image] is None]
        else:
            masks = sorted(set(masks) - set(both.values()))
        found = match_by_name(images, masks, place)
    refuse_missing(images, found, masks, options.match, place)
    found = {image: found[image] for image in images}
    refuse_shared(found, options.match, place)
    without = sorted(set(masks) - set(found.values()) - {both[image] for image in images})
    if without:
        _log.info("%s: masks without an image: %d (first %s)", place, len(without), without[0])
    return masks_tree, found


def _inside(options: MasksOptions) -> bool:
    """Whether masks lie in the folder of the images."""
    return Path(options.masks or options.path).is_relative_to(options.path)


def _splits(root: str, images: Sequence[str], exclude: Sequence[str]) -> dict[str, list[int]]:
    """Positions by split, where the folders at the top are splits; else nothing."""
    tops = {image: image.partition("/")[0] if "/" in image else "" for image in images}
    names = {top: SPLIT_NAMES[top.lower()] for top in sorted(set(tops.values())) if top.lower() in SPLIT_NAMES}
    if not names:
        return {}
    others = [top or image for image, top in tops.items() if top not in names]
    if others:
        raise InputError(
            f"'{others[0]}' lies beside the split '{next(iter(names))}': leave it out by "
            f"{leave_out(others[0], exclude)}",
            where=f"data.path={root}",
            field="data.path",
        )
    if "train" not in names.values():
        raise InputError(
            f"folder '{next(iter(names))}' and no 'train' beside it", where=f"data.path={root}", field="data.path"
        )
    if len(set(names.values())) < len(names):
        raise InputError(f"{', '.join(names)}: two folders for one split", where=f"data.path={root}", field="data.path")
    splits: dict[str, list[int]] = {}
    for position, top in enumerate(tops.values()):
        splits.setdefault(names[top], []).append(position)
    return splits


FIELDS = ("path", "folder", "stem")
"""Of a pattern: the image's path without its extension, its folder, and its name without the extension."""

_PROBED, _TRIED = 20, 6  # images that show endings, endings that are tried with all
_SAY = "say which, for example by data.match='{path}_mask.png'"


def check_pattern(pattern: str) -> None:
    """Refuses a pattern that names no image.

    Raises:
        ValueError: what is wrong with it.
    """
    fields = re.findall(r"\{([^{}]*)\}", pattern)
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f"it has no '{{{name}}}': {nearest(name, FIELDS)}")
    if not fields:
        raise ValueError("it takes '{path}', '{folder}' or '{stem}' of the image, as in '{stem}_mask.png'")


def match_by_pattern(images: Sequence[str], masks: Sequence[str], pattern: str) -> dict[str, str]:
    """Image to mask, for images that have one.

    Args:
        images: paths inside their root.
        masks: paths inside theirs.
        pattern: from an image's path to its mask's; `..` steps out of a folder.
    """
    known = set(masks)
    wanted = {image: looked_for(image, pattern) for image in images}
    return {image: mask for image, mask in wanted.items() if mask in known}


def looked_for(image: str, pattern: str) -> str:
    """The path of an image's mask by a pattern."""
    path = posixpath.splitext(image)[0]
    folder, stem = posixpath.split(path)
    values = {"path": path, "folder": folder or ".", "stem": stem}
    return posixpath.normpath(re.sub(r"\{(\w+)\}", lambda field: values[field[1]], pattern))


def match_by_name(images: Sequence[str], masks: Sequence[str], place: str) -> dict[str, str]:
    """Image to mask, for images that have one, where masks are called as images are, but for their ending.

    A mask has the image's path, or else its bare name, without the extension; or all have the same words behind that,
    as in `a_mask.png`. The way that finds most is taken.

    Raises:
        InputError: two masks for one image.
    """
    whole, ending = _way(images, masks, place)
    by_name: dict[str, str] = {}
    wanted = {_name(image, whole) + ending for image in images}
    for mask in masks:
        name = _name(mask, whole)
        if name in wanted and by_name.setdefault(name, mask) != mask:
            raise InputError(f"two masks for one image, {by_name[name]} and {mask}: {_SAY}", where=place)
    found = {image: by_name.get(_name(image, whole) + ending) for image in images}
    return {image: mask for image, mask in found.items() if mask is not None}


def _way(images: Sequence[str], masks: Sequence[str], place: str) -> tuple[bool, str]:
    """Whether masks are called after whole paths, and the ending that they all have."""
    best, tied = (0, True, ""), ""
    for whole in (True, False):
        names = {_name(mask, whole) for mask in masks}
        stems = [_name(image, whole) for image in images]
        for ending in _endings(stems, names):
            count = sum(stem + ending in names for stem in stems)
            if count > best[0]:
                best, tied = (count, whole, ending), ""
            elif count and best[2] and (count, whole) == best[:2]:
                tied = ending
    _, whole, ending = best
    if tied:
        raise InputError(f"two masks for one image, they end in '{ending}' and in '{tied}': {_SAY}", where=place)
    if ending or not whole:
        _log.info("masks are called %s%s after their images", "{path}" if whole else "{stem}", ending)
    return whole, ending


def refuse_missing(
    images: Sequence[str], found: Mapping[str, str], masks: Sequence[str], pattern: str | None, place: str
) -> None:
    """Refuses images without a mask.

    Raises:
        InputError: how many, the first, and what was looked for.
    """
    missing = [image for image in images if image not in found]
    if missing:
        first = missing[0]
        if pattern is None:
            path = posixpath.splitext(first)[0]
            sought = " or ".join(dict.fromkeys((f"{path}.png", f"{posixpath.basename(path)}.png", f"{path}_*.png")))
            way = "data.match says how they are called"
        else:
            sought = looked_for(first, pattern)
            way = f"data.match is '{pattern}'"
        free = sorted(set(masks) - set(found.values()))
        there = f"; there is {_closest(sought, free)}" if free else ""
        raise InputError(
            f"no mask for {len(missing)} of {len(images)} images, first {first}: looked for {sought}"
            f"{there}: {way}, and data.exclude leaves images out",
            where=place,
        )


def refuse_shared(found: Mapping[str, str], pattern: str | None, place: str) -> None:
    """Refuses two images that have one mask, unless a pattern of `{folder}` alone means that.

    Raises:
        InputError: the images and the mask.
    """
    if pattern is not None and "{path}" not in pattern and "{stem}" not in pattern:
        return
    first: dict[str, str] = {}
    for image, mask in found.items():
        if first.setdefault(mask, image) != image:
            raise InputError(
                f"one mask for two images, {mask} for {first[mask]} and {image}: give masks the paths of "
                "their images, or leave images out by data.exclude",
                where=place,
            )


def _closest(path: str, others: Sequence[str]) -> str:
    """The one that begins most as `path` does."""
    return max(others, key=lambda other: len(posixpath.commonprefix([path, other])))


def _name(path: str, whole: bool) -> str:
    path = posixpath.splitext(path)[0]
    return path if whole else posixpath.basename(path)


def _endings(stems: Sequence[str], names: Set[str]) -> list[str]:
    """What may stand between the name and the extension, nothing first."""
    step = max(1, len(stems) // _PROBED)
    found = Counter(
        name[len(stem) :]
        for stem in stems[::step][:_PROBED]
        for name in names
        if name.startswith(stem) and not name[len(stem) : len(stem) + 1].isalnum() and "/" not in name[len(stem) :]
    )
    endings = sorted(found, key=lambda ending: (-found[ending], ending))
    return ["", *(ending for ending in endings[:_TRIED] if ending)]
