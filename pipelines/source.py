"""The contract of a source: where samples come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..models.options import Options
from ..models.task import Truth

Sample = dict[str, Any]
"""One example: `key` (str), `bytes` (encoded, as on disk), and truth by name where there is any."""

SPLITS = ("train", "validation", "test")


class DataOptions(Options):
    """The recipe's `data` section as every source has it; a source adds its own fields in a subclass."""

    source: str
    """A name from the table of sources, or your own as `package.module:Name`."""
    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the samples held out for validation, where the data has no validation split of its own."""
    test: float = Field(0.1, ge=0, lt=1)
    """Share of the samples held out for the final test, where the data has no test split of its own."""
    max_bad: float | int = 0.01
    """How many corrupt samples a job bears: a share ("1%" or 0.01) or a count (3)."""
    leaks: Literal["refuse", "allow"] = "refuse"
    """What to do when byte-identical samples stand in two splits."""

    @field_validator("max_bad", mode="before")
    @classmethod
    def _read_share(cls, value: Any) -> Any:
        if isinstance(value, str) and value.endswith("%"):
            return float(value[:-1]) / 100
        return value


class Source(ABC):
    """A reader of one dataset format. Opening it lists the samples; their bytes are read one by one, when asked for.

    Attributes:
        class_names: names behind class ids, in their order; empty where there are no classes.
        keys: the stable ids of all samples, unique, in a stable order.
        splits: the splits that the data itself defines, name to positions in `keys`; empty where it defines none.
        groups: for each sample the key that decides its split (samples of one group stay together); `keys` by default.
    """

    Options: ClassVar[type[DataOptions]]

    class_names: Sequence[str]
    keys: Sequence[str]
    splits: Mapping[str, Sequence[int]]
    groups: Sequence[str]

    @abstractmethod
    def __init__(self, options: DataOptions, truth: Mapping[str, Truth] | None):
        """Opens the data.

        Args:
            options: the recipe's `data` section.
            truth: what the task wants to know of every sample; None for prediction, where only bytes are wanted.

        Raises:
            InputError: data that is missing, empty, contradictory, or without the truth that the task wants.
        """

    def __len__(self) -> int:
        return len(self.keys)

    @abstractmethod
    def truth(self, position: int) -> dict[str, Any]:
        """The truth of one sample without reading its picture where the format allows it: NumPy values by name."""

    @abstractmethod
    def read(self, position: int) -> bytes:
        """The encoded bytes of one sample's picture. Safe to call from many threads.

        Raises:
            OSError: the file cannot be read.
        """

    def where(self, position: int) -> str:
        """Where a person finds the sample: its file, by default its key."""
        return self.keys[position]
