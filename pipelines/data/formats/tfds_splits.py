"""Slices of a TFDS set's splits, as lists of samples."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ....models.errors import InputError, advise
from ..source import SPLIT_NAMES

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """A place in a TFDS set: its split, and the index in that, from 0."""

    split: str
    index: int

    @property
    def key(self) -> str:
        return f"{self.split}/{self.index:05d}"


def choose_samples(builder: tfds.core.DatasetBuilder, slices: Mapping[str, str]) -> dict[str, list[Sample]]:
    """The samples of each of saccade's splits.

    Args:
        builder: of the set.
        slices: split to slice in TFDS's syntax; empty for the set's own splits that have a known name.

    Raises:
        InputError: a split that the set has not, a slice that is none or is empty, a sample in two slices.
    """
    chosen: dict[str, list[Sample]] = {}
    taken: dict[Sample, str] = {}
    for split, text in (slices or _own_splits(builder)).items():
        chosen[split] = _samples(builder, split, text)
        for sample in chosen[split]:
            if sample in taken:
                raise InputError(
                    f"data.splits.{split}={text}: sample {sample.key} is taken twice, first by "
                    f"data.splits.{taken[sample]}"
                )
            taken[sample] = split
    return chosen


def _own_splits(builder: tfds.core.DatasetBuilder) -> dict[str, str]:
    own: dict[str, str] = {}
    for name in builder.info.splits:
        split = SPLIT_NAMES.get(name.lower())
        if split in own:
            known = {SPLIT_NAMES[each.lower()]: each for each in builder.info.splits if each.lower() in SPLIT_NAMES}
            raise InputError(
                f"{builder.info.full_name} has the splits '{own[split]}' and '{name}': choose, "
                f"for example by {advise('data.splits', known)}"
            )
        if split:
            own[split] = name
    if "train" not in own:
        largest = max(builder.info.splits, key=lambda name: builder.info.splits[name].num_examples, default=None)
        choose = f": choose, for example by {advise('data.splits', own | {'train': largest})}" if largest else ""
        raise InputError(f"{builder.info.full_name} has no split 'train', but {_list(builder)}{choose}")
    unused = [name for name in builder.info.splits if name not in own.values()]
    if unused:
        _log.info("%s: splits not used: %s (data.splits chooses)", builder.info.full_name, ", ".join(unused))
    return own


def _samples(builder: tfds.core.DatasetBuilder, split: str, text: str) -> list[Sample]:
    from tensorflow_datasets.core.splits import AbstractSplit

    for part in text.split("+"):
        name = part.partition("[")[0].strip()
        if name not in (*builder.info.splits, "all"):
            raise InputError(
                f"data.splits.{split}={text}: {builder.info.full_name} has no split '{name}', but {_list(builder)}"
            )
    try:
        ranges = AbstractSplit.from_spec(text.strip()).to_absolute(builder.info.splits)
    except (ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"data.splits.{split}={text}: not a slice, such as train[:80%], train[100:200] or train+test: {reason}"
        ) from None
    samples = []
    for each in ranges:
        end = builder.info.splits[each.splitname].num_examples if each.to is None else each.to
        samples += [Sample(each.splitname, index) for index in range(each.from_ or 0, end)]
    if not samples:
        raise InputError(f"data.splits.{split}={text}: no sample of {_list(builder)}")
    return samples


def _list(builder: tfds.core.DatasetBuilder) -> str:
    """All splits of the set with their sizes."""
    return ", ".join(f"{name} ({each.num_examples})" for name, each in builder.info.splits.items()) or "none at all"
