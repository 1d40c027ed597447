"""EXIF orientation against Pillow's `ImageOps.exif_transpose`, and EXIF that is in odd places or broken."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from saccade.models.inputs.image.decode import decode

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8))
in_graph = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])


def encode(kind: str, orientation: int | None = None) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    IMAGE.save(stream, kind, **({"exif": exif} if orientation is not None else {}))
    return stream.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


PLAIN = encode("JPEG")
AS_STORED = by_pillow(PLAIN)
TURNED = by_pillow(encode("JPEG", 6))


def tiff(
    orientation: int = 6, order: str = "<", kind: int = 3, first: int = 8, others: int = 3, magic: int = 42
) -> bytes:
    """A TIFF structure with `others` tags before the orientation, its directory at position `first`."""
    entries = [struct.pack(order + "HHII", 0x00A0 + each, 4, 1, 6) for each in range(others)]
    entries.append(struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0))
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", magic, first)
    return head.ljust(first, b"\0") + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(payload)) + payload


def app1(structure: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + structure)


def boundaries(data: bytes) -> list[int]:
    """Where the segments of a JPEG begin, the scan included."""
    found = [2]
    while data[found[-1] + 1] != 0xDA:
        found.append(found[-1] + 2 + int.from_bytes(data[found[-1] + 2 : found[-1] + 4], "big"))
    return found


def inserted(structure: bytes, at: int = 2) -> bytes:
    return PLAIN[:at] + structure + PLAIN[at:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations(kind, orientation):
    data = encode(kind, orientation)
    np.testing.assert_array_equal(in_graph(data), by_pillow(data))


def test_eager_and_in_a_dataset():
    data = encode("JPEG", 8)
    np.testing.assert_array_equal(decode(data), by_pillow(data))
    np.testing.assert_array_equal(next(iter(tf.data.Dataset.from_tensors(data).map(in_graph))), by_pillow(data))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("first", [8, 30])
@pytest.mark.parametrize("others", [0, 3, 40])
def test_both_byte_orders(order, first, others):
    data = inserted(app1(tiff(5, order, first=first, others=others)))
    np.testing.assert_array_equal(in_graph(data), by_pillow(data))
    assert in_graph(data).shape == (53, 37, 3)


@pytest.mark.parametrize("at", boundaries(PLAIN))
def test_at_any_segment(at):
    np.testing.assert_array_equal(in_graph(inserted(app1(tiff()), at)), TURNED)


@pytest.mark.parametrize(
    "before",
    [
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        segment(0xE2, bytes(60000)) * 3,
        b"\xff\xff",
        segment(0xFE, b"Exif\0\0"),
    ],
    ids=["XMP", "large colour profile", "fill bytes", "comment that says Exif"],
)
def test_behind_other_segments(before):
    np.testing.assert_array_equal(in_graph(inserted(before + app1(tiff()))), TURNED)


@pytest.mark.parametrize(
    "structure",
    [
        segment(0xED, b"Photoshop 3.0\0" + encode("JPEG", 6)),
        segment(0xFE, app1(tiff())),
        app1(tiff(kind=4)),
        app1(tiff(magic=43)),
        app1(b"XX" + tiff()[2:]),
        app1(tiff(0)),
        app1(tiff(9)),
        app1(tiff(65535)),
        app1(tiff(first=8)[:4] + struct.pack("<I", 2**32 - 1) + tiff()[8:]),
        app1(tiff()[:8] + b"\xff\xff"),
        app1(b""),
    ],
    ids=[
        "in a thumbnail", "in a comment", "as LONG", "wrong magic", "wrong byte order", "0", "9", "65535",
        "directory far away", "65535 tags", "nothing",
    ],
)  # fmt: skip
def test_no_valid_orientation(structure):
    np.testing.assert_array_equal(in_graph(inserted(structure)), AS_STORED)


def test_behind_the_image():
    np.testing.assert_array_equal(in_graph(PLAIN + encode("JPEG", 6)), AS_STORED)


@given(length=st.integers(0, len(tiff()) - 1), order=st.sampled_from("<>"))
@settings(max_examples=30)
def test_cut_off_exif_is_ignored(length, order):
    """Cut inside the orientation's entry or before: what follows belongs to other segments."""
    structure = tiff(order=order)
    cut = min(length, len(structure) - 4 - 4 - 1)  # without the next directory and the value
    np.testing.assert_array_equal(in_graph(inserted(app1(structure[:cut]))), AS_STORED)


@given(noise=st.binary(max_size=80))
@settings(max_examples=60)
def test_noise_is_never_an_error(noise):
    for structure in (app1(noise), app1(tiff()[:8] + noise), app1(noise + tiff())):
        assert sorted(in_graph(inserted(structure)).shape) == [3, 37, 53]


def test_webp_with_the_prefix_of_jpeg():
    data = encode("WEBP", 6)
    at = data.index(b"EXIF")
    old = int.from_bytes(data[at + 4 : at + 8], "little")
    payload = b"Exif\0\0" + data[at + 8 : at + 8 + old]
    chunk = b"EXIF" + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
    data = data[:4] + struct.pack("<I", at + len(chunk) - 8) + data[8:at] + chunk
    np.testing.assert_array_equal(in_graph(data), by_pillow(data))
    assert in_graph(data).shape == (53, 37, 3)


def test_a_crafted_file_does_not_keep_the_walk_busy():
    data = inserted(segment(0xE0, b"") * 100_000 + app1(tiff()))
    np.testing.assert_array_equal(in_graph(data), AS_STORED)
