"""Mask files pixel by pixel, what an encoding does not allow, and the way from object numbers to classes."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mask_images import BLACK, GREEN, RED, encoded, grey, palette, rgb
from PIL import Image

from saccade.models.errors import InputError
from saccade.pipelines.data.formats.mask_encoding import Encoding, MaskOptions, classes_of
from saccade.pipelines.data.formats.mask_files import find_encoding
from saccade.pipelines.data.formats.mask_image import check_turn, read_mask


def refused(call: Callable, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def encoding(**options) -> Encoding:
    """The encoding that the recipe states, without a look at the masks."""

    def look():
        raise AssertionError("the recipe says it all")

    return find_encoding(look, MaskOptions(source="masks", **options), "PLACE")[0]


@pytest.mark.parametrize(
    ("options", "mask", "told"),
    [
        (
            {"encoding": "ids", "classes": ["a", "b"]},
            grey(1, 7, 7, 9),
            "value 7 in 2 pixels, 9 in 1 pixel, and the classes are 0 to 1 (255 does not count; data.classes names "
            "them)",
        ),
        (
            {"encoding": "binary"},
            grey(1, 254),
            "value 254 in 1 pixel, and the classes are 0 and 255, or 0 and 1 (encoding 'binary')",
        ),
        (
            {"colors": {"none": BLACK, "roof": RED}},
            rgb(GREEN, GREEN, RED, (1, 1, 2)),
            "colour [0, 255, 0] in 2 pixels, and 1 more colours, and data.colors has no such: name it "
            "there, as 'ignore' if it does not count",
        ),
        (
            {"encoding": "ids", "classes": ["a", "b"]},
            grey(1, 300, dtype=np.uint16),
            "value 300 in 1 pixel, and the classes are 0 to 1 (255 does not count; data.classes names them)",
        ),
        (
            {"encoding": "palette", "classes": ["a", "b"]},
            grey(1, dtype=np.uint16),
            "one channel of 16 bits, and the encoding 'palette' is a palette image: are these object numbers "
            "(encoding 'instances')?",
        ),
        (
            {"encoding": "ids", "classes": ["a", "b"]},
            palette(grey(1), BLACK, RED),
            "a palette image, and the encoding 'ids' is one channel of 8 bits or one channel of 16 bits",
        ),
        (
            {"encoding": "palette", "classes": ["a", "b"]},
            rgb(RED),
            "RGB, and the encoding 'palette' is a palette image",
        ),
        (
            {"encoding": "binary"},
            palette(grey(1), BLACK, RED),
            "a palette image with colours, and the encoding 'binary' is black and white",
        ),
        (
            {"encoding": "instances"},
            rgb(RED),
            "RGB, and the encoding 'instances' is one channel of 16 bits or one channel of 8 bits or a palette image "
            "or one channel of 1 bit",
        ),
    ],
)
def test_what_an_encoding_does_not_allow(options, mask, told):
    assert refused(encoding(**options).decode, read_mask(encoded(mask))) == told


def test_more_objects_than_16_bits_hold():
    many = encoded(Image.fromarray(grey(70000, dtype=np.int32)), "TIFF")
    assert (
        refused(encoding(encoding="instances").decode, read_mask(many))
        == "object number 70000: they lie between 0 and 65535"
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (encoded(grey(255), "JPEG"), "a JPEG: compression changes class ids at every edge: save masks as PNG"),
        (encoded(grey(255), "WEBP"), "a WebP: compression changes class ids at every edge: save masks as PNG"),
        (b"", "empty: 0 bytes"),
        (b"nothing like it", "not an image (PNG, BMP, GIF or TIFF)"),
        (encoded(np.random.default_rng(0).integers(0, 9, (64, 64), np.uint8))[:900], "truncated or broken"),
        (
            encoded(np.zeros((2, 2), np.float32), "TIFF"),
            "pixels of type F: save masks as PNG of one channel, with a palette, or RGB",
        ),
    ],
    ids=["JPEG", "WebP", "empty", "text", "truncated", "float"],
)
def test_files_that_are_no_masks(data, told):
    assert refused(read_mask, data) == told


def turned_image(orientation: int, height: int = 20, width: int = 30) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(np.zeros((height, width, 3), np.uint8), "JPEG", exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_belongs_to_the_upright_image(orientation):
    image = turned_image(orientation)
    if orientation < 5:
        check_turn((20, 30), image)
    else:
        check_turn((30, 20), image)
        told = refused(check_turn, (20, 30), image)
        assert told == (
            f"20 x 30 as its image is stored, which EXIF orientation {orientation} turns to 30 x 20: save the mask "
            "as the image is seen, upright"
        )
    check_turn((7, 7), image)  # a size of no kind is told by the task
    check_turn((20, 20), turned_image(orientation, 20, 20))


def test_an_image_that_is_broken_is_told_elsewhere():
    check_turn((20, 30), b"no image")


def test_the_exif_of_a_mask_turns_nothing():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_mask(encoded(grey(1, 2, 3), exif=exif)).values[0, :3].tolist() == [1, 2, 3]


def test_two_bits_of_grey_are_scaled_as_the_format_says():
    """PNG (third edition) 13.12: the samples 0..3 stand for 0, 85, 170, 255; every decoder gives these."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, 0b00011011]))
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    image = read_mask(file)
    assert image.kind == "grey" and image.values.tolist() == [[0, 85, 170, 255]]


def around(objects: np.ndarray, row: int, column: int) -> set[int]:
    """The numbers of a pixel and of its eight neighbours, without OpenCV."""
    return {int(each) for each in objects[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].ravel()}


@given(arrays(np.uint16, (7, 9), elements=st.sampled_from([0, 0, 1, 2, 700, 65535])))
def test_ways_of_objects_pixel_by_pixel(objects):
    foreground, separated, boundary = (classes_of(objects, way) for way in ("foreground", "separated", "boundary"))
    assert foreground.dtype == separated.dtype == boundary.dtype == np.uint8
    for (row, column), number in np.ndenumerate(objects):
        neighbours = around(objects, row, column)
        assert foreground[row, column] == (number > 0)
        assert separated[row, column] == (number > 0 and not any(0 < each < number for each in neighbours))
        assert boundary[row, column] == (0 if number == 0 else 1 if neighbours == {number} else 2)


def test_a_line_one_pixel_wide_parts_what_touches():
    objects = np.zeros((5, 8), np.uint16)
    objects[1:4, 1:4], objects[1:4, 4:7] = 1, 2
    assert classes_of(objects, "separated")[2].tolist() == [0, 1, 1, 1, 0, 1, 1, 0]
    assert classes_of(objects, "boundary")[2].tolist() == [0, 2, 1, 2, 2, 1, 2, 0]
