"""What of a TFDS set lies on disk: the prepared set, slices of its splits, and their examples at random."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import struct
import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ....models.errors import InputError, JobError, advise, nearest
from ....models.inputs.file_listing import list_images
from ....models.inputs.file_tree import DiskTree, stamp_of
from ..source import SPLIT_NAMES
from .mask_image import read_pixels

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_log = logging.getLogger(__name__)

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
        raise InputError(f"data.data_dir={data_dir}: no such folder", field="data.data_dir")
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
        raise InputError(f"{_first_line(error)}", where=f"data.name={name}", field="data.name") from None
    # Community sets are left out here: their list would be looked for in the network.
    known = tfds.list_builders(with_community_datasets=False)
    if download and _base(name) in known:
        return _prepare(name, data_dir)
    raise InputError(f"{_why_not(name, data_dir, known)}", where=f"data.name={name}", field="data.name")


def _image_folder(data_dir: str) -> tfds.folder_dataset.ImageFolder:
    """The images below split/class, without what is no data: saccade's own folders among them, hidden ones, those of
    systems. TFDS takes every folder there is for a split and for a class."""
    import tensorflow_datasets as tfds

    builder = tfds.folder_dataset.ImageFolder(data_dir)
    listing = list_images(DiskTree(data_dir), (), f"data.data_dir={data_dir}")
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
        raise InputError(f"{_first_line(error)}", where=f"data.name={name}", field="data.name") from None
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


class Place(NamedTuple):
    """A place in a TFDS set: its split, and the index in that, from 0."""

    split: str
    index: int

    @property
    def key(self) -> str:
        return f"{self.split}/{self.index:05d}"


def choose_samples(builder: tfds.core.DatasetBuilder, slices: Mapping[str, str]) -> dict[str, list[Place]]:
    """The samples of each of saccade's splits.

    Args:
        builder: of the set.
        slices: split to slice in TFDS's syntax; empty for the set's own splits that have a known name.

    Raises:
        InputError: a split that the set has not, a slice that is none or is empty, a sample in two slices.
    """
    chosen: dict[str, list[Place]] = {}
    taken: dict[Place, str] = {}
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


def _samples(builder: tfds.core.DatasetBuilder, split: str, text: str) -> list[Place]:
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
        samples += [Place(each.splitname, index) for index in range(each.from_ or 0, end)]
    if not samples:
        raise InputError(f"data.splits.{split}={text}: no sample of {_list(builder)}")
    return samples


def _list(builder: tfds.core.DatasetBuilder) -> str:
    """All splits of the set with their sizes."""
    return ", ".join(f"{name} ({each.num_examples})" for name, each in builder.info.splits.items()) or "none at all"


@dataclass(frozen=True)
class Features:
    """Names of features; `label`, `mask` and `objects` are None where they are not wanted.

    Attributes:
        label: a field of the objects where these are wanted.
        class_names: of the label, or of the mask where it is wanted; empty where the set does not name them.
    """

    image: str
    label: str | None
    mask: str | None
    class_names: list[str]
    objects: str | None = None


class Examples(ABC):
    """The examples of one split in their stored order; safe to use from many threads.

    Images, classes and masks raise OSError where an example cannot be read.
    """

    @abstractmethod
    def image(self, index: int) -> bytes:
        """The encoded image."""

    @abstractmethod
    def classes(self, index: int) -> tuple[int, ...]:
        """Class ids: exactly one, or any number for several labels; -1 is an unknown one."""

    @abstractmethod
    def mask(self, index: int) -> np.ndarray:
        """What the mask holds, whole numbers `[h, w]`.

        Raises:
            InputError: it holds something else, in a phrase.
        """

    @abstractmethod
    def objects(self, index: int) -> Mapping[str, np.ndarray]:
        """What is known of each object: field to values, `[n, ...]`."""

    @abstractmethod
    def file(self, index: int) -> tuple[str, str]:
        """The file that holds the example, and where in it, in words ("" if it is the whole file)."""

    def where(self, index: int) -> str:
        file, place = self.file(index)
        return f"{file}: {place}" if place else file

    def stamp(self, index: int) -> str | None:
        return stamp_of(self.file(index)[0])


def open_examples(builder: tfds.core.DatasetBuilder, split: str, features: Features) -> Examples:
    """The examples of a split.

    Raises:
        InputError: files that are missing or cut short, or of a format without random access.
    """
    import tensorflow_datasets as tfds

    if isinstance(builder, tfds.folder_dataset.ImageFolder):
        return _FolderExamples(builder, split)
    return _PreparedExamples(builder, split, features)


class _FolderExamples(Examples):
    """Files of an ImageFolder, in its order."""

    def __init__(self, builder: tfds.folder_dataset.ImageFolder, split: str):
        label = builder.info.features["label"]
        # It offers its list only as a tf.data.Dataset that reads every image on the way.
        self._files = [(each.image_path, label.str2int(each.label)) for each in builder._split_examples[split]]

    def image(self, index: int) -> bytes:
        return Path(self._files[index][0]).read_bytes()

    def classes(self, index: int) -> tuple[int, ...]:
        return (self._files[index][1],)

    def mask(self, index: int) -> np.ndarray:
        raise NotImplementedError("an ImageFolder has no feature that could be chosen as mask")

    def objects(self, index: int) -> Mapping[str, np.ndarray]:
        raise NotImplementedError("an ImageFolder has no feature that could be chosen as objects")

    def file(self, index: int) -> tuple[str, str]:
        return self._files[index][0], ""


class _PreparedExamples(Examples):
    """Records of the shards that TFDS wrote: `tf.train.Example` messages, read without TensorFlow."""

    def __init__(self, builder: tfds.core.DatasetBuilder, split: str, features: Features):
        import tensorflow_datasets as tfds

        self._records = _open_records(builder, split)
        info = builder.info.splits[split]
        self._shards = [os.fspath(path) for path in info.filepaths]
        self._ends = list(accumulate(info.shard_lengths))
        self._image, self._label, self._mask = features.image, features.label, features.mask
        self._objects = features.objects
        label = features.label if features.objects is None else None  # else it is a field of the objects
        names = [name for name in (features.image, label, features.mask, features.objects) if name is not None]
        self._features = tfds.features.FeaturesDict({name: builder.info.features[name] for name in names})
        # TFDS would decode masks, too, and a palette to its colours.
        images = [name for name in names if isinstance(builder.info.features[name], tfds.features.Image)]
        self._decoders = {name: tfds.decode.SkipDecoding() for name in images}

    def image(self, index: int) -> bytes:
        return self._example(index)[self._image]

    def classes(self, index: int) -> tuple[int, ...]:
        return tuple(int(each) for each in np.ravel(self._example(index)[self._label]))

    def objects(self, index: int) -> Mapping[str, np.ndarray]:
        return self._example(index)[self._objects]

    def mask(self, index: int) -> np.ndarray:
        value = self._example(index)[self._mask]
        if isinstance(value, bytes):
            return read_pixels(value)
        return value[..., 0] if value.ndim == 3 else value

    def file(self, index: int) -> tuple[str, str]:
        shard = bisect_right(self._ends, index)
        return self._shards[shard], f"record {index - (self._ends[shard - 1] if shard else 0)}"

    def _example(self, index: int) -> dict[str, Any]:
        try:
            return self._features.deserialize_example_np(self._records[index], decoders=self._decoders)
        except OSError:
            raise
        except Exception as error:  # what array_record, protobuf and TFDS raise on broken bytes has no common class
            raise OSError(errno.EIO, f"not a readable record ({type(error).__name__})", self.where(index)) from None


def _open_records(builder: tfds.core.DatasetBuilder, split: str) -> Sequence[bytes]:
    import tensorflow_datasets as tfds

    info = builder.info.splits[split]
    missing = [os.fspath(path) for path in info.filepaths if not path.exists()]
    if missing:
        raise InputError(
            f"no such file, {len(missing)} of {info.num_shards} are missing: prepare the set again", where=missing[0]
        )
    if builder.info.file_format is tfds.core.FileFormat.TFRECORD:
        return TfRecords([os.fspath(path) for path in info.filepaths], info.shard_lengths)
    try:
        return builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    except NotImplementedError:
        raise InputError(
            f"files of format {builder.info.file_format.value} have no random access: "
            "prepare the set as tfrecord or array_record",
            where=builder.info.full_name,
        ) from None


class TfRecords(Sequence):
    """Records of TFRecord files by number: where each begins is read once, from the lengths before them.

    By hand, since TFDS and TensorFlow read such files from their beginning alone.

    A record is its length (uint64), a checksum of that (uint32), the bytes, and a checksum of those (uint32), all
    little endian (tensorflow/core/lib/io/record_writer.h). Checksums are not looked at: images have their own.
    """

    def __init__(self, files: Sequence[str], lengths: Sequence[int]):
        """Indexes the files.

        Args:
            files: their paths.
            lengths: how many records each is said to hold.

        Raises:
            InputError: a file that holds another number of records, or ends within one.
        """
        self._files = files
        shards, begins, sizes = [], [], []
        for number, (file, length) in enumerate(zip(files, lengths, strict=True)):
            found = _index(file)
            if len(found) != length:
                raise InputError(f"{len(found)} whole records and not {length}: prepare the set again", where=str(file))
            shards += [number] * length
            begins += [begin for begin, _ in found]
            sizes += [size for _, size in found]
        self._shards, self._begins, self._sizes = np.array(shards), np.array(begins), np.array(sizes)

    def __len__(self) -> int:
        return len(self._begins)

    def __getitem__(self, index: int) -> bytes:
        with open(self._files[self._shards[index]], "rb") as stream:
            stream.seek(self._begins[index])
            return stream.read(self._sizes[index])


def _index(file: str) -> list[tuple[int, int]]:
    """Begin and size in bytes of each whole record."""
    found, at, end = [], 0, os.path.getsize(file)
    with open(file, "rb", buffering=0) as stream:  # a buffer would read the images too
        while at + 16 <= end:
            stream.seek(at)
            (size,) = struct.unpack("<Q", stream.read(8))
            if at + 16 + size > end:
                break
            found.append((at + 12, size))
            at += 16 + size
    return found
