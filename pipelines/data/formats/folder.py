"""Pictures in folders that are named after their class, on disk or in a zip file."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import field_validator

from ....models.contract import Truth
from ....models.errors import InputError
from ....models.inputs.file_listing import list_pictures
from ....models.inputs.file_tree import open_tree
from ....models.options import Incidental, RecipePath
from ..source import DataOptions, check_truth
from .file_source import FileSource
from .folder_layout import Layout, read_layout


class FolderOptions(DataOptions):
    """The recipe's `data` section of pictures in folders."""

    path: RecipePath
    """A folder or a zip file: it holds one folder per class, or `train`, `val` (`valid`, `validation`) and `test` with
    those inside."""
    exclude: Annotated[list[str], Incidental()] = []
    """Globs of paths inside the folder to leave out; "*" matches "/" too: `*.gif`, `cats/blurred*`, `unsorted`."""
    group: str | None = None
    """A regular expression, searched in the path inside the folder, whose first bracket tells what belongs together:
    with `(patient\\d+)` no patient's pictures come into two splits."""

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
    """Files with a picture's extension; a key is the path inside the folder. For prediction folders mean nothing."""

    Options = FolderOptions

    def __init__(self, options: FolderOptions, truth: Mapping[str, Truth] | None):
        check_truth("folder", truth, {"label": Truth("int32")})
        self.tree = open_tree(options.path)
        listing = list_pictures(self.tree, options.exclude)
        if not truth:
            layout = Layout(class_names=[], pictures=listing.pictures)
        else:
            layout = read_layout(options.path, listing)
        self.class_names, self.keys, self.splits = layout.class_names, layout.pictures, layout.splits
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
        raise InputError(f"data.group '{pattern}' is not in {len(without)} of {len(keys)} paths (first {without[0]})")
    return [match[1] for match in found if match]
