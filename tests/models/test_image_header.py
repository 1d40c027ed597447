"""What a header tells is what the decoded image shows."""

import io
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from saccade.models.inputs.image.decode import decode
from saccade.models.inputs.image.header import Header, read_header, share_calls


def encode(kind: str, orientation: int | None = None, size: tuple[int, int] = (12, 20)) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, kind, **({} if orientation is None else {"exif": exif}))
    return stream.getvalue()


@pytest.mark.parametrize("orientation", [None, *range(10)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_upright_as_it_is_decoded(kind, orientation):
    data = encode(kind, orientation)
    header = read_header(data)
    assert header.upright == tuple(decode(data).shape[:2])
    assert (header.height, header.width) == (20, 12)


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_formats_without_exif(kind):
    assert read_header(encode(kind)) == Header(20, 12, 1)


def test_exif_that_is_broken_turns_nothing():
    data = encode("JPEG", 6)
    start = data.index(b"Exif\0\0") + 6
    assert read_header(data[: start + 4] + b"\xff" * 4 + data[start + 8 :]) == Header(20, 12, 1)


@pytest.mark.parametrize("data", [b"", b"hello", encode("PNG")[:20], encode("JPEG")[:30]])
def test_none_where_there_is_no_header(data):
    assert read_header(data) is None


def test_pixels_are_not_decoded_however_many_there_are():
    """A PNG that promises 10,000 x 10,000 pixels and has none; Pillow would warn of so many, and refuse some more."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    def promise(side: int) -> bytes:
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    assert read_header(promise(10_000)) == Header(10_000, 10_000, 1)
    assert read_header(promise(20_000)) is None


def test_many_threads_leave_the_filters_of_warnings_as_they_were():
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they meet inside
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(read_header, [encode("JPEG", 6)] * 2000)) == {Header(20, 12, 6)}
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before


def test_images_share_a_call_by_the_frame_that_their_results_need():
    """Two million pixels of the highest times the widest; without results for pixels only what is decoded counts."""
    mixed = [(3, 30_000), (30_000, 3), (3, 30_000), (3, 30_000), (1000, 1000), (1000, 1000), (1000, 1000), None, (9, 9)]
    assert share_calls(mixed, "letterbox", per_pixel=True) == [[0], [1], [2, 3], [4, 5], [6], [7], [8]]
    assert share_calls(mixed, "letterbox") == [[0, 1, 2, 3, 4, 5, 6], [7], [8]]
    assert share_calls([(3000, 4000)] * 12, "stretch") == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert share_calls([(20_000, 20_000), (9, 9)], "crop") == [[0], [1]]
    assert share_calls(mixed, "pad", 32)[:2] == [[0, 2], [3]]
    assert share_calls([], "crop", per_pixel=True) == share_calls([], "pad") == []
