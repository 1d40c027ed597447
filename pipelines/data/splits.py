"""Which samples are trained on, which choose, and which are kept for the metric that is quoted."""

import logging
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

from ...models.contract import Task, with_role
from ...models.errors import InputError, nearest
from .check import text
from .source import SPLITS, DataOptions, Source

_log = logging.getLogger(__name__)


def split(
    source: Source, options: DataOptions, groups: Sequence[str] | None = None, trains: bool = True
) -> dict[str, np.ndarray]:
    """Keeps the splits that the data defines and cuts the missing ones from what it leaves for training.

    A sample is cut by a hash of its group alone, so that adding, removing or reordering samples moves no other, and
    the shares are met on average: of n groups a share p gets n * p, give or take about sqrt(n * p).

    Args:
        source: the data.
        options: `validation` and `test` are the shares to cut, of the samples that may be trained on; `leaks` says
            whether one group may stand in two of the data's own splits.
        groups: for each sample the group that truth names; the source's own unless given.
        trains: whether there must be samples to train on and to validate with.

    Returns:
        "train", "validation" and "test" to sorted positions, int64 `[n]`. Test is empty with `test: 0`.

    Raises:
        InputError: no train or validation samples, a group in two own splits.
    """
    groups = source.groups if groups is None else groups
    own: dict[str, np.ndarray] = {}
    for name, positions in source.splits.items():
        own[options.use.get(name, name)] = np.sort(np.asarray(positions, np.int64))
        if name not in SPLITS:
            raise InputError(
                f"unknown split '{name}': {nearest(name, SPLITS)}",
                where=f"data.source={options.source}",
                field="data.source",
            )
    if options.leaks == "refuse":
        _refuse_torn_groups(own, source, groups)
    held_out = [positions for name, positions in own.items() if name != "train"]
    pool = np.setdiff1d(np.arange(len(source)), np.concatenate(held_out)) if held_out else np.arange(len(source))
    place = np.array([hash_place(groups[position]) for position in pool])
    test = 0.0 if "test" in own else options.test
    validation = 0.0 if "validation" in own else options.validation
    splits = {
        "train": pool[place >= test + validation],
        "validation": pool[(place >= test) & (place < test + validation)],
        "test": pool[place < test],
    } | {name: positions for name, positions in own.items() if name != "train"}
    if trains:
        _refuse_empty(splits, options)
    return splits


def hash_place(group: str) -> float:
    """Where in [0, 1) a group falls: BLAKE2b of its UTF-8, 64 bits, the same on every machine."""
    # 53 bits are what a float holds exactly: no rounding up to 1.
    return (int.from_bytes(blake2b(group.encode(), digest_size=8).digest(), "big") >> 11) / 2**53


def split_unchecked(source: Source, task: Task, options: DataOptions) -> dict[str, np.ndarray]:
    """The same splits for a job that has not checked the data; groups are read from truth now."""
    name = with_role(task.truth, "group")
    groups = None
    if name is not None:
        groups = [text(source.truth(position)[name]) for position in range(len(source))]
    return split(source, options, groups, trains=False)


def check_classes(
    splits: Mapping[str, np.ndarray], classes: Mapping[int, Sequence[int]], class_names: Sequence[str]
) -> None:
    """Refuses classes that could never be learnt.

    Args:
        splits: positions by split.
        classes: position to the ids of the classes that the sample shows.
        class_names: names of the classes.

    Raises:
        InputError: a class that no train sample has, with where its samples are.
    """
    counts = {name: np.zeros(len(class_names), int) for name in splits}
    for name, positions in splits.items():
        for position in positions.tolist():
            counts[name][list(classes.get(position, ()))] += 1
    missing = np.flatnonzero(counts["train"] == 0)
    if not len(missing):
        return
    first = missing[0]
    elsewhere = [f"{count[first]} in {name}" for name, count in counts.items() if count[first]]
    more = f" (nor have {len(missing) - 1} other classes)" if len(missing) > 1 else ""
    raise InputError(
        f"class '{class_names[first]}' has no sample in the train split of {len(splits['train'])}{more}; it has "
        f"{' and '.join(elsewhere) or 'none at all'}: add samples, or leave the class out"
    )


def _refuse_empty(splits: Mapping[str, np.ndarray], options: DataOptions) -> None:
    total = sum(len(positions) for positions in splits.values())
    if not len(splits["train"]):
        raise InputError(
            f"the train split of {total} samples is empty: add samples, or lower data.validation and data.test "
            f"({options.validation:g}, {options.test:g})"
        )
    if not len(splits["validation"]):
        raise InputError(
            f"the validation split of {total} samples is empty, and training needs one: add samples, or raise "
            f"data.validation ({options.validation:g})"
        )
    if not len(splits["test"]) and options.test:
        _log.warning("the test split of %d samples is empty: raise data.test (%g)", total, options.test)


def _refuse_torn_groups(own: Mapping[str, np.ndarray], source: Source, groups: Sequence[str]) -> None:
    if groups is source.keys:
        return
    seen: dict[str, str] = {}
    for name, positions in own.items():
        for position in positions:
            other = seen.setdefault(groups[position], name)
            if other != name:
                raise InputError(
                    f"group '{groups[position]}' stands in the data's own splits {other} and {name} "
                    f"({source.where(position)}): move it, or say data.leaks=allow"
                )
