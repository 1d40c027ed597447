"""What the check of the data found, and when that stops a job."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ...models.errors import InputError
from ...models.inputs.file_listing import by_extension
from .check import Checked
from .source import SPLITS, DataOptions, Source

NAMED = 5
"""Bad samples that get a line of their own in the log."""

_log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What is known of the samples of all splits once each was read.

    Attributes:
        splits: the positions that were checked, by split.
        samples: position to what reading it gave.
        leaks: pairs of positions with identical content: a sample and its first twin in an earlier split.
        duplicates: how many samples repeat another of their own split.
        twins: positions of samples with identical content, the first of the earliest split first.
    """

    splits: Mapping[str, np.ndarray]
    samples: Mapping[int, Checked]
    twins: list[list[int]] = field(init=False)
    leaks: list[tuple[int, int]] = field(init=False)
    duplicates: int = field(init=False)

    def __post_init__(self) -> None:
        twins: dict[str, dict[str, list[int]]] = defaultdict(dict)  # digest to split to positions
        for split in SPLITS:
            for position in self.splits[split].tolist():
                if not self.samples[position].reason:
                    twins[self.samples[position].digest].setdefault(split, []).append(position)
        of_bytes = [[position for each in by_split.values() for position in each] for by_split in twins.values()]
        self.twins = [group for group in of_bytes if len(group) > 1]
        self.leaks = []
        for by_split in twins.values():
            first, *others = by_split.values()
            self.leaks += [(first[0], position) for positions in others for position in positions]
        self.duplicates = sum(len(positions) - 1 for each in twins.values() for positions in each.values())

    @property
    def bad(self) -> dict[int, str]:
        """Position to the reason why a sample cannot be used."""
        return {position: each.reason for position, each in sorted(self.samples.items()) if each.reason}

    @property
    def notes(self) -> dict[int, str]:
        """Position to something odd that does no harm, such as a PNG named .jpg."""
        return {position: each.note for position, each in sorted(self.samples.items()) if each.note}

    @property
    def classes(self) -> dict[int, tuple[int, ...]]:
        """Position of each good sample to the classes that it shows."""
        return {position: each.classes for position, each in self.samples.items() if not each.reason}

    def fingerprint(self, keys: Sequence[str]) -> str:
        """Hash of all keys and contents, 128 bits in hex, the same in any order of the samples.

        Args:
            keys: of the source.
        """
        total = blake2b(digest_size=16)
        read = ((keys[position], each.digest + each.truth) for position, each in self.samples.items() if each.digest)
        for key, digest in sorted(read):
            total.update(f"{key}\0{digest}\n".encode())
        return total.hexdigest()

    def log(self, source: Source, read: int) -> None:
        """Says what the check found.

        Args:
            source: where the samples are.
            read: how many of them were read now.
        """
        _log.info("checked %d samples, %d of them read now: %d cannot be used", len(self.samples), read, len(self.bad))
        if self.duplicates:
            _log.info("%d samples repeat another of their split byte for byte", self.duplicates)
        if unread := by_extension(map(source.where, self.bad)):
            _log.warning("left out: %s, which are not read: convert them to PNG or JPEG", unread)
        if self.notes:
            first, note = next(iter(self.notes.items()))
            told = "%d files have another format's extension: %s is %s"
            _log.info(told, len(self.notes), source.where(first), note)

    @property
    def contradictions(self) -> list[tuple[int, int]]:
        """Pairs of samples with identical content whose truth differs."""
        pairs = ((first, other) for first, *others in self.twins for other in others)
        return [(one, other) for one, other in pairs if self.samples[one].truth != self.samples[other].truth]

    def absent(self, count: int) -> list[int]:
        """Which of the class ids below a count no training sample shows."""
        seen = {label for position in self.usable()["train"].tolist() for label in self.samples[position].classes}
        return sorted(set(range(count)) - seen)

    def usable(self) -> dict[str, np.ndarray]:
        """The splits without their bad samples."""
        bad = np.fromiter(self.bad, np.int64, len(self.bad))
        return {name: np.setdiff1d(positions, bad) for name, positions in self.splits.items()}

    def refuse(self, source: Source, options: DataOptions) -> None:
        """Stops the job where the data is worse than the recipe bears.

        Raises:
            InputError: more bad samples than `data.max_bad`, no good one to train on or to validate with, identical
                samples in two splits.
        """
        refuse_bad(self.bad, sum(map(len, self.splits.values())), source, options)
        for name in ("train", "validation"):  # without a test split a job goes on
            positions = self.splits[name]
            if len(positions) and self.bad.keys() >= set(positions.tolist()):
                first = f"{source.where(int(positions[0]))}: {self.bad[int(positions[0])]}"
                raise InputError(f"none of the {len(positions)} samples in {name} can be used, first {first}")
        if self.leaks and options.leaks == "refuse":
            split_of = {position: name for name, positions in self.splits.items() for position in positions.tolist()}
            pair = " and ".join(f"{source.where(each)} ({split_of[each]})" for each in self.leaks[0])
            kinds = Counter(f"{split_of[one]} and {split_of[other]}" for one, other in self.leaks)
            told = ", ".join(f"{count} in {kind}" for kind, count in kinds.items())
            raise InputError(
                f"identical files in two splits, {told} (first {pair}): metrics would look better than they are: "
                "remove one of each, or say data.leaks=allow"
            )


def refuse_bad(bad: Mapping[int, str], total: int, source: Source, options: DataOptions) -> None:
    """Stops a job that met more bad samples than `data.max_bad` bears.

    Args:
        bad: position to the reason why it cannot be used.
        total: how many samples were looked at.
        source: where they are.
        options: the budget.

    Raises:
        InputError: with the count and the first three.
    """
    is_share = isinstance(options.max_bad, float)
    if len(bad) <= (options.max_bad * total if is_share else options.max_bad):
        return
    budget = f"{100 * options.max_bad:.3g} % of all" if is_share else f"{options.max_bad}"
    told = "; ".join(f"{source.where(position)}: {bad[position]}" for position in sorted(bad)[:3])
    way = f"repair or remove them, or say data.max_bad={len(bad)}"
    if len(bad) == total:
        way = "repair them, or correct what the data section says of them"
    raise InputError(
        f"{len(bad)} of {total} samples cannot be used, and data.max_bad bears {budget}: {told}"
        f"{'; ...' if len(bad) > 3 else ''}: {way}"
    )


def log_bad(bad: Mapping[int, str], source: Source, listed: str) -> None:
    """Names the samples that a job goes on without; the first few only, where there are many.

    Args:
        bad: position to the reason why it cannot be used.
        source: where they are.
        listed: where a person finds all of them.
    """
    for position in sorted(bad)[:NAMED]:
        _log.warning("%s: %s: left out", source.where(position), bad[position])
    if len(bad) > NAMED:
        _log.warning("and %d more are left out: %s names them all", len(bad) - NAMED, listed)
