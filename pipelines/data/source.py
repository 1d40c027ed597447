"""The contract of a source: where samples come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from ...models.contract import Raw, Task, Truth
from ...models.errors import InputError
from ...models.inputs.file_tree import FileTree
from ...models.options import Incidental, Options

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

SPLIT_NAMES = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}
"""What people call the splits (in lower case), to the name of the split."""


def _different(names: list[str]) -> list[str]:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"class '{repeated[0]}' is given twice")
    return names


ClassNames = Annotated[list[str], Field(min_length=1), AfterValidator(_different)]
"""Class names in the order of their ids, as a recipe gives them."""


class DataOptions(Options):
    """The recipe's `data` section as every source has it; a source adds its own fields in a subclass."""

    source: str
    """Where samples come from: `folder`, `masks`, `csv`, `tfds`, `coco`, `voc`, `yolo`, `box_table`, `boxes`, `digits`,
    `digit_scenes`, or your own as `package.module:Name`."""
    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the samples held out for validation, where the data has no such split."""
    test: float = Field(0.1, ge=0, lt=1)
    """Share of the samples held out for the final test, where the data has no such split."""
    use: dict[Split, Split] = {}
    """The data's own splits under another name: `{validation: test}` where what is quoted on is called "val"."""
    max_bad: Annotated[float | int, Incidental()] = 0.01
    """How many corrupt samples a job bears: a share ("1%" or 0.01; 1.0 is all) or a count (3)."""
    leaks: Annotated[Literal["refuse", "allow"], Incidental()] = "refuse"
    """What to do when byte-identical samples stand in two splits."""

    @field_validator("max_bad", mode="before")
    @classmethod
    def _read_share(cls, value: Any) -> Any:
        if isinstance(value, bool):  # Python counts True as the number 1
            raise ValueError("give a share (1% or 0.01) or a count (3), not a truth value")
        if isinstance(value, str) and value.endswith("%"):
            return float(value[:-1]) / 100
        return value

    @field_validator("max_bad")
    @classmethod
    def _bound(cls, value: float | int) -> float | int:
        if not value >= 0 or isinstance(value, float) and value > 1:
            raise ValueError("a share lies between 0 and 1 (0% and 100%), a count is a whole number from 0")
        return value

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> DataOptions:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation:g} and test {self.test:g} leave nothing to train on")
        return self


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
        """The truth of one sample without reading its image where the format allows it: NumPy values by name.

        Raises:
            OSError: a file of truth cannot be read.
            InputError: it is wrong; how, in a phrase that stands behind the sample's name.
            RecipeError: the recipe is wrong, and not the sample; this stops a job.
        """

    def inspect_truth(self, position: int) -> tuple[dict[str, Any], str]:
        """The truth of one sample, and what is odd about it and was put right by rule, in a phrase ("" for nothing), as
        a box that was cut off at the border; raises as `truth`."""
        return self.truth(position), ""

    @abstractmethod
    def read(self, position: int) -> Mapping[str, Any]:
        """One sample as it is on disk, by name, as `{"bytes": ...}` of an image; safe to call from many threads.

        `Input.load` reads it for training, `Input.request` makes a serving request of it.

        Raises:
            OSError: a file cannot be read.
        """

    def where(self, position: int) -> str:
        """Where a person finds the sample: its file, by default its key."""
        return self.keys[position]

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        """Named texts of all samples by which metrics may be told apart: by default the groups, where there are any."""
        return {} if list(self.groups) == list(self.keys) else {"group": self.groups}

    def stamp(self, position: int) -> str | None:
        """What changes whenever the bytes of a sample or of its truth do, found without reading them: a file's size and
        time.

        None: there is no such thing, or it cannot be told; the sample is read again at every start.
        """
        return None


class ImageSource(Source):
    """A source whose samples are encoded images."""

    def read(self, position: int) -> Mapping[str, bytes]:
        return {"bytes": self.encoded(position)}

    @abstractmethod
    def encoded(self, position: int) -> bytes:
        """The encoded bytes of one sample's image. Safe to call from many threads.

        Raises:
            OSError: the file cannot be read.
        """


class FileSource(ImageSource):
    """A source whose keys are paths in a tree of files.

    Attributes:
        tree: where the files lie; subclasses set it.
    """

    tree: FileTree

    def encoded(self, position: int) -> bytes:
        return self.tree.read(self.keys[position])

    def where(self, position: int) -> str:
        return self.tree.where(self.keys[position])

    def stamp(self, position: int) -> str | None:
        return self.tree.stamp(self.keys[position])


class Truths(Sequence):
    """The truth of some samples of a source, each read when it is asked for.

    Args:
        source: where they are.
        positions: which ones, in the order of the indices.
        kept: truth that was read before, by position.
    """

    def __init__(self, source: Source, positions: Sequence[int], kept: Mapping[int, Mapping[str, Any]] = {}):
        self._source, self._positions, self._kept = source, positions, kept

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        position = int(self._positions[index])
        return self._kept[position] if position in self._kept else self._source.truth(position)


def request(task: Task, source: Source, position: int) -> Raw:
    """The serving request that a sample stands for; raises as `Source.read`."""
    return task.input.request({"key": source.keys[position], **source.read(position)})


def check_truth(source: str, truth: Mapping[str, Truth] | None, offered: Mapping[str, Truth]) -> None:
    """Refuses what a source of fixed truth cannot bring; shapes must agree, the dtype is the task's choice.

    Args:
        source: its name, for the message.
        truth: what the task wants, None for nothing.
        offered: what the source can bring.

    Raises:
        InputError: a wanted value that is not offered in that shape.
    """
    for name, wanted in (truth or {}).items():
        if name not in offered or offered[name].shape != wanted.shape:
            raise InputError(
                f"data.source={source} brings {', '.join(offered)}, and the task wants '{name}' of shape "
                f"{wanted.shape}: data.source=csv reads named columns",
                field="data.source",
            )
