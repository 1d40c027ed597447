"""Which mask belongs to which picture, by their paths."""

from __future__ import annotations

import logging
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set

from ....models.errors import InputError, nearest

FIELDS = ("path", "folder", "stem")
"""Of a pattern: the picture's path without its extension, its folder, and its name without the extension."""

_PROBED, _TRIED = 20, 6  # pictures that show endings, endings that are tried with all
_SAY = "say which, for example by data.match='{path}_mask.png'"
_log = logging.getLogger(__name__)


def check_pattern(pattern: str) -> None:
    """Refuses a pattern that names no picture.

    Raises:
        ValueError: what is wrong with it.
    """
    fields = re.findall(r"\{([^{}]*)\}", pattern)
    for name in fields:
        if name not in FIELDS:
            raise ValueError(f"it has no '{{{name}}}': {nearest(name, FIELDS)}")
    if not fields:
        raise ValueError("it takes '{path}', '{folder}' or '{stem}' of the picture, as in '{stem}_mask.png'")


def match_by_pattern(pictures: Sequence[str], masks: Sequence[str], pattern: str) -> dict[str, str]:
    """Picture to mask, for pictures that have one.

    Args:
        pictures: paths inside their root.
        masks: paths inside theirs.
        pattern: from a picture's path to its mask's; `..` steps out of a folder.
    """
    known = set(masks)
    wanted = {picture: looked_for(picture, pattern) for picture in pictures}
    return {picture: mask for picture, mask in wanted.items() if mask in known}


def looked_for(picture: str, pattern: str) -> str:
    """The path of a picture's mask by a pattern."""
    path = posixpath.splitext(picture)[0]
    folder, stem = posixpath.split(path)
    values = {"path": path, "folder": folder or ".", "stem": stem}
    return posixpath.normpath(re.sub(r"\{(\w+)\}", lambda field: values[field[1]], pattern))


def match_by_name(pictures: Sequence[str], masks: Sequence[str], place: str) -> dict[str, str]:
    """Picture to mask, for pictures that have one, where masks are called as pictures are, but for their ending.

    A mask has the picture's path, or else its bare name, without the extension; or all have the same words behind that,
    as in `a_mask.png`. The way that finds most is taken.

    Raises:
        InputError: two masks for one picture.
    """
    whole, ending = _way(pictures, masks, place)
    by_name: dict[str, str] = {}
    wanted = {_name(picture, whole) + ending for picture in pictures}
    for mask in masks:
        name = _name(mask, whole)
        if name in wanted and by_name.setdefault(name, mask) != mask:
            raise InputError(f"{place}: two masks for one picture, {by_name[name]} and {mask}: {_SAY}")
    found = {picture: by_name.get(_name(picture, whole) + ending) for picture in pictures}
    return {picture: mask for picture, mask in found.items() if mask is not None}


def _way(pictures: Sequence[str], masks: Sequence[str], place: str) -> tuple[bool, str]:
    """Whether masks are called after whole paths, and the ending that they all have."""
    best, tied = (0, True, ""), ""
    for whole in (True, False):
        names = {_name(mask, whole) for mask in masks}
        stems = [_name(picture, whole) for picture in pictures]
        for ending in _endings(stems, names):
            count = sum(stem + ending in names for stem in stems)
            if count > best[0]:
                best, tied = (count, whole, ending), ""
            elif count and best[2] and (count, whole) == best[:2]:
                tied = ending
    _, whole, ending = best
    if tied:
        raise InputError(f"{place}: two masks for one picture, they end in '{ending}' and in '{tied}': {_SAY}")
    if ending or not whole:
        _log.info("masks are called %s%s after their pictures", "{path}" if whole else "{stem}", ending)
    return whole, ending


def refuse_missing(
    pictures: Sequence[str], found: Mapping[str, str], masks: Sequence[str], pattern: str | None, place: str
) -> None:
    """Refuses pictures without a mask.

    Raises:
        InputError: how many, the first, and what was looked for.
    """
    missing = [picture for picture in pictures if picture not in found]
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
            f"{place}: no mask for {len(missing)} of {len(pictures)} pictures, first {first}: looked for {sought}"
            f"{there}: {way}, and data.exclude leaves pictures out"
        )


def refuse_shared(found: Mapping[str, str], pattern: str | None, place: str) -> None:
    """Refuses two pictures that have one mask, unless a pattern of `{folder}` alone means that.

    Raises:
        InputError: the pictures and the mask.
    """
    if pattern is not None and "{path}" not in pattern and "{stem}" not in pattern:
        return
    first: dict[str, str] = {}
    for picture, mask in found.items():
        if first.setdefault(mask, picture) != picture:
            raise InputError(
                f"{place}: one mask for two pictures, {mask} for {first[mask]} and {picture}: give masks the paths of "
                "their pictures, or leave pictures out by data.exclude"
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
