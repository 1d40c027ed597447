"""What the check of the data found, and when that stops a job."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ...models.errors import InputError
from ..source import SPLITS, DataOptions, Source

NAMED = 5
"""Bad samples that get a line of their own in the log."""

_log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What is known of the samples of all splits once each was read.

    Attributes:
        splits: the positions that were checked, by split.
        bad: position to the reason why its picture cannot be used.
        digests: position to the BLAKE2b hash of its bytes, 128 bits in hex; none for a file that cannot be read.
        notes: position to something odd that does no harm, such as a PNG named .jpg.
        leaks: pairs of positions with identical bytes: a sample and its first twin in an earlier split.
        duplicates: how many samples repeat another of their own split.
        fingerprint: hash of all keys and bytes, the same in any order of the samples.
        truths: position to the hash of its truth, where the check looked at that.
        twins: positions of samples with identical bytes, the first of the earliest split first.
        contradictions: pairs of them whose truth differs.
        classes: position to the ids of the classes that it holds; None where the truth has no class ids.
    """

    splits: Mapping[str, np.ndarray]
    bad: Mapping[int, str]
    digests: Mapping[int, str]
    notes: Mapping[int, str]
    fingerprint: str
    truths: Mapping[int, str] = field(default_factory=dict)
    contradictions: list[tuple[int, int]] = field(default_factory=list)
    classes: Mapping[int, frozenset[int]] | None = None
    twins: list[list[int]] = field(init=False)
    leaks: list[tuple[int, int]] = field(init=False)
    duplicates: int = field(init=False)

    def __post_init__(self) -> None:
        twins: dict[str, dict[str, list[int]]] = defaultdict(dict)  # digest to split to positions
        for split in SPLITS:
            for position in self.splits[split].tolist():
                if position in self.digests and position not in self.bad:
                    twins[self.digests[position]].setdefault(split, []).append(position)
        of_bytes = [[position for each in by_split.values() for position in each] for by_split in twins.values()]
        self.twins = [group for group in of_bytes if len(group) > 1]
        self.leaks = []
        for by_split in twins.values():
            first, *others = by_split.values()
            self.leaks += [(first[0], position) for positions in others for position in positions]
        self.duplicates = sum(len(positions) - 1 for each in twins.values() for positions in each.values())

    def absent(self, count: int) -> list[int]:
        """Which of the class ids below a count no training sample holds."""
        if self.classes is None:
            return []
        held: set[int] = set()
        for position in self.usable()["train"].tolist():
            held |= self.classes.get(position, frozenset())
        return sorted(set(range(count)) - held)

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
                raise InputError(f"none of the {len(positions)} pictures in {name} can be used, first {first}")
        if self.leaks and options.leaks == "refuse":
            split_of = {position: name for name, positions in self.splits.items() for position in positions.tolist()}
            pair = " and ".join(f"{source.where(each)} ({split_of[each]})" for each in self.leaks[0])
            kinds = Counter(f"{split_of[one]} and {split_of[other]}" for one, other in self.leaks)
            told = ", ".join(f"{count} in {kind}" for kind, count in kinds.items())
            raise InputError(
                f"pictures stand in two splits byte for byte, {told} (first {pair}): figures would look better than "
                "they are: remove one of each, or say data.leaks=allow"
            )


def refuse_bad(bad: Mapping[int, str], total: int, source: Source, options: DataOptions) -> None:
    """Stops a job that met more bad samples than `data.max_bad` bears.

    Args:
        bad: position to the reason why its picture cannot be used.
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
        f"{len(bad)} of {total} pictures cannot be used, and data.max_bad bears {budget}: {told}"
        f"{'; ...' if len(bad) > 3 else ''}: {way}"
    )


def log_bad(bad: Mapping[int, str], source: Source, listed: str) -> None:
    """Names the samples that a job goes on without; the first few only, where there are many.

    Args:
        bad: position to the reason why its picture cannot be used.
        source: where they are.
        listed: where a person finds all of them.
    """
    for position in sorted(bad)[:NAMED]:
        _log.warning("%s: %s: left out", source.where(position), bad[position])
    if len(bad) > NAMED:
        _log.warning("and %d more are left out: %s names them all", len(bad) - NAMED, listed)


def fingerprint(source: Source, digests: Mapping[int, str]) -> str:
    """Hash of (key, digest) in the order of the keys, 128 bits in hex."""
    total = blake2b(digest_size=16)
    for key, digest in sorted((source.keys[position], digest) for position, digest in digests.items()):
        total.update(f"{key}\0{digest}\n".encode())
    return total.hexdigest()
