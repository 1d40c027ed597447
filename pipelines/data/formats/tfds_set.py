"""The TFDS set behind a name: found on disk, prepared where that is wanted, or a clear word on why not."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from ....models.errors import InputError, JobError, nearest
from ....models.inputs.file_listing import list_pictures
from ....models.inputs.file_tree import DiskTree

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

IMAGE_FOLDER = "image_folder"
"""The name under which TFDS itself registers `tfds.folder_dataset.ImageFolder`."""


def open_set(name: str, data_dir: str | None, download: bool) -> tfds.core.DatasetBuilder:
    """The builder of a set that can be read now.

    What is prepared on disk goes before what the installed TFDS would prepare: its version may be another.

    Args:
        name: as TFDS writes it, or `image_folder`.
        data_dir: where prepared sets stand; None for TFDS's own place.
        download: prepare what is not there.

    Raises:
        InputError: no such folder, no such set, or one that is not prepared.
        JobError: preparing it failed.
    """
    if data_dir is not None and not os.path.isdir(data_dir) and (name == IMAGE_FOLDER or not download):
        raise InputError(f"data.data_dir={data_dir}: no such folder")
    if download and data_dir is None and "TFDS_DATA_DIR" not in os.environ and os.path.expanduser("~") == "~":
        raise InputError("data.download: no home folder to prepare the set in: data.data_dir names another place")
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_files

    if name == IMAGE_FOLDER:
        if data_dir is None:
            raise InputError("data.name=image_folder: data.data_dir is missing: it holds the folders of the splits")
        return _image_folder(data_dir)
    try:
        return builder_from_files(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        pass
    except ValueError as error:  # not a name, or one that stands in several folders
        raise InputError(f"data.name={name}: {_first_line(error)}") from None
    # Community sets are left out here: their list would be looked for in the network.
    known = tfds.list_builders(with_community_datasets=False)
    if download and _base(name) in known:
        return _prepare(name, data_dir)
    raise InputError(f"data.name={name}: {_why_not(name, data_dir, known)}")


def _image_folder(data_dir: str) -> tfds.folder_dataset.ImageFolder:
    """The images below split/class, without what is no data: saccade's own folders among them, hidden ones, those of
    systems. TFDS takes every folder there is for a split and for a class."""
    import tensorflow_datasets as tfds

    builder = tfds.folder_dataset.ImageFolder(data_dir)
    listing = list_pictures(DiskTree(data_dir), (), f"data.data_dir={data_dir}")
    kept = {path for path in listing.folders if path.count("/") == 1}
    names, label = sorted({path.partition("/")[2] for path in kept}), builder.info.features["label"]
    if names != label.names:
        builder._split_examples = {
            split: [each for each in examples if f"{split}/{each.label}" in kept]
            for split, examples in builder._split_examples.items()
            if split in listing.folders
        }
        label._int2str = label._str2int = label._num_classes = None  # its names can be set only once
        label.names = names
        counts = {split: len(examples) for split, examples in builder._split_examples.items()}
        splits = [tfds.core.SplitInfo(name=name, shard_lengths=[n], num_bytes=0) for name, n in counts.items()]
        builder.info.set_splits(tfds.core.splits.SplitDict(splits))
    return builder


def _prepare(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError) as error:  # no such config, no such version
        raise InputError(f"data.name={name}: {_first_line(error)}") from None
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results
            builder.download_and_prepare()
    except Exception as error:  # a set's own code runs here: anything may come
        raise JobError(
            f"data.name={name}: preparing it failed: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return builder


def _why_not(name: str, data_dir: str | None, known: list[str]) -> str:
    """Says whether the name is wrong, or its version, or whether the set is only not prepared yet."""
    from tensorflow_datasets.core.utils.file_utils import list_data_dirs

    folders = [Path(each) for each in list_data_dirs(given_data_dir=data_dir)]
    prepared = sorted(
        f"{file.parent.parent.relative_to(folder)}:{file.parent.name}"
        for folder in folders
        for depth in ("*/*", "*/*/*")  # set/version and set/config/version
        for file in folder.glob(f"{depth}/dataset_info.json")
    )
    here = [each for each in prepared if _base(each) == _base(name)]
    place = ", ".join(map(str, folders))
    if here:
        return f"not prepared in {place}, which has {', '.join(here)}"
    if _base(name) not in known:
        names = {*known, *(each.partition(":")[0] for each in prepared)}
        return f"TFDS knows no such set, and {place} has none: {nearest(name.partition(':')[0], names)}"
    command = shlex.join(["tfds", "build", name, *([f"--data_dir={data_dir}"] if data_dir else [])])
    return f"not prepared in {place}: data.download=true does it, or the command {command}"


def _base(name: str) -> str:
    """The name without config and version."""
    return name.partition(":")[0].partition("/")[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
