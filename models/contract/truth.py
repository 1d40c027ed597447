"""What stands beside a sample's raw values: named truth, its type, how it moves with an image, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np

IGNORE = 255
"""In a mask: a pixel that is no part of the image, or that does not count."""

Raw = Mapping[str, Any]
"""The raw values of one sample, by the names of the input's signature: what one serving request holds."""


@dataclass(frozen=True)
class Truth:
    """The type of one named truth value of one sample, and what the loops may know of it.

    Attributes:
        dtype: NumPy's name of the type; "string" is text.
        shape: the length of each axis, None where it varies from sample to sample.
        trains: whether training reads it; else it is for the evaluation alone, as it was before augmentation.
        pad: what fills a value up to the largest of its batch.
        moves: how augmentation and fitting move it with the image. "mask": an integer for each pixel, moved by the
            nearest neighbour; "boxes": float32 `[n, 4]`, x_min, y_min, x_max, y_max in pixels; "box_field": `[n, ...]`,
            one value for each box, which leaves together with it. None: it has no place in the image.
        role: what it means beyond its task. "class_ids": ids of classes, of any shape (`pad` is none, nor is 255 in
            a mask); "multi_hot": 1 for each class that is there; both are what training must cover. "group": samples of
            one value stay in one split.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()
    trains: bool = True
    pad: float = 0
    moves: Literal["mask", "boxes", "box_field"] | None = None
    role: Literal["class_ids", "multi_hot", "group"] | None = None

    @property
    def varies(self) -> bool:
        """Whether the shape differs from sample to sample."""
        return None in self.shape

    def array(self, value: Any) -> np.ndarray:
        """A value of this truth as an array; text as an object array of bytes."""
        if self.dtype != "string":
            return np.asarray(value, self.dtype)
        texts = np.asarray(value, object)
        encoded = np.empty(texts.size, object)
        encoded[:] = [each if isinstance(each, bytes) else str(each).encode() for each in texts.ravel()]
        return encoded.reshape(texts.shape)


def with_role(truth: Mapping[str, Truth], *roles: str) -> str | None:
    """The name of the first truth that has one of some roles; None where there is none."""
    return next((name for name, each in truth.items() if each.role in roles), None)


def classes_in(value: Any, truth: Truth) -> np.ndarray:
    """Which classes a value of the role "class_ids" or "multi_hot" shows: int64, each once, in order.

    What fills a batch (`pad`) is none, nor in a mask is 255.
    """
    array = np.asarray(value)
    if truth.role == "multi_hot":
        return np.flatnonzero(array > 0)
    # np.bincount of bytes is several times faster than sorting millions of pixels
    ids = np.flatnonzero(np.bincount(array.ravel())) if array.dtype == np.uint8 else np.unique(array).astype(np.int64)
    if truth.shape:
        ids = ids[ids != truth.pad]
    return ids[ids != IGNORE] if truth.moves == "mask" else ids


def plain(value: Any) -> Any:
    """A NumPy value, alone or in lists and dicts, as what JSON knows; float32 in its shortest digits."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    value = np.asarray(value)
    if value.ndim:
        return [plain(each) for each in value] if value.dtype.kind in "fO" else value.tolist()
    return float(str(value)) if value.dtype == np.float32 else value.item()


def digest_of(values: Mapping[str, Any]) -> str:
    """BLAKE2b of named values, 128 bits in hex: the same for the same content in every process."""
    digest = blake2b(digest_size=16)
    for name in sorted(values):
        value = values[name]
        if not isinstance(value, bytes | str):
            array = np.asarray(value)
            digest.update(f"{name} {array.dtype} {array.shape}\0".encode())
            # an object's own bytes are its address
            parts = map(text, array.ravel()) if array.dtype.kind in "OUS" else [array.tobytes()]
        else:
            digest.update(f"{name}\0".encode())
            parts = [value]
        for part in parts:
            content = part.encode(errors="surrogateescape") if isinstance(part, str) else part
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def text(value: Any) -> str:
    """A single value of truth as text."""
    value = value.item() if hasattr(value, "item") else value
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)
