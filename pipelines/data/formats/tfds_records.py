"""Examples of one split of a TFDS set, at random, with their pictures as they were stored."""

from __future__ import annotations

import errno
import os
import struct
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....models.errors import InputError
from ....models.inputs.file_tree import stamp_of
from .mask_pixels import read_pixels
from .tfds_features import Features

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


class Examples(ABC):
    """The examples of one split in their stored order; safe to use from many threads.

    Pictures, classes and masks raise OSError where an example cannot be read.
    """

    @abstractmethod
    def picture(self, index: int) -> bytes:
        """The encoded picture."""

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
        # It offers its list only as a tf.data.Dataset that reads every picture on the way.
        self._files = [(each.image_path, label.str2int(each.label)) for each in builder._split_examples[split]]

    def picture(self, index: int) -> bytes:
        return Path(self._files[index][0]).read_bytes()

    def classes(self, index: int) -> tuple[int, ...]:
        return (self._files[index][1],)

    def mask(self, index: int) -> np.ndarray:
        raise NotImplementedError("an ImageFolder has no feature that could be chosen as mask")

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
        names = [name for name in (features.image, features.label, features.mask) if name is not None]
        self._features = tfds.features.FeaturesDict({name: builder.info.features[name] for name in names})
        # TFDS would decode masks, too, and a palette to its colours.
        pictures = [name for name in names if isinstance(builder.info.features[name], tfds.features.Image)]
        self._decoders = {name: tfds.decode.SkipDecoding() for name in pictures}

    def picture(self, index: int) -> bytes:
        return self._example(index)[self._image]

    def classes(self, index: int) -> tuple[int, ...]:
        return tuple(int(each) for each in np.ravel(self._example(index)[self._label]))

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
            f"{missing[0]}: no such file, {len(missing)} of {info.num_shards} are missing: prepare the set again"
        )
    if builder.info.file_format is tfds.core.FileFormat.TFRECORD:
        return TfRecords([os.fspath(path) for path in info.filepaths], info.shard_lengths)
    try:
        return builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    except NotImplementedError:
        raise InputError(
            f"{builder.info.full_name}: files of format {builder.info.file_format.value} have no random access: "
            "prepare the set as tfrecord or array_record"
        ) from None


class TfRecords(Sequence):
    """Records of TFRecord files by number: where each begins is read once, from the lengths before them.

    A record is its length (uint64), a checksum of that (uint32), the bytes, and a checksum of those (uint32), all
    little endian (tensorflow/core/lib/io/record_writer.h). Checksums are not looked at: pictures have their own.
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
                raise InputError(f"{file}: {len(found)} whole records and not {length}: prepare the set again")
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
    with open(file, "rb", buffering=0) as stream:  # a buffer would read the pictures too
        while at + 16 <= end:
            stream.seek(at)
            (size,) = struct.unpack("<Q", stream.read(8))
            if at + 16 + size > end:
                break
            found.append((at + 12, size))
            at += 16 + size
    return found
