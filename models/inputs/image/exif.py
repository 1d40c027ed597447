"""Finds a file's EXIF orientation and turns the image upright, with graph ops.

EXIF 2.32, 4.6.4 (tag 0x0112) inside the containers: JPEG (ITU T.81, B.1.1.4), PNG (third edition, 11.3.4.5), WebP
(RFC 9649, 2.7). EXIF that is broken says nothing: the image stays as it is stored.
"""

from collections.abc import Callable

import tensorflow as tf

from .byte_ops import equals, length, number, read

_EXIF = b"Exif\0\0"
_NOWHERE = 2**62  # a position behind the end of every file
_MAX_SEGMENTS = 256  # so that a crafted file cannot keep the walk busy
_MAX_TAGS = 512  # of one directory, likewise

# (position of a segment, the ten bytes there) -> (position of the next segment, position of the EXIF data in this one)
Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def jpeg_orientation(data: tf.Tensor) -> tf.Tensor:
    """EXIF orientation 1..8 (int64 scalar) of a JPEG, from an APP1 segment anywhere before the scan."""

    def step(position, head):  # FF, marker, length (2, counts itself), payload
        is_exif = equals(head[:2], b"\xff\xe1") & equals(head[4:], _EXIF)
        is_scan = (head[0] != 0xFF) | (head[1] == 0xDA)
        is_fill = head[1] == 0xFF  # any number of them may stand before a marker
        following = tf.where(is_fill, position + 1, position + 2 + number(head[2:4], little=False))
        return tf.where(is_scan, _NOWHERE, following), tf.where(is_exif, position + 4, _NOWHERE)

    return _orientation(data, r"Exif\x00\x00", 2, step)


def png_orientation(data: tf.Tensor) -> tf.Tensor:
    """EXIF orientation 1..8 (int64 scalar) of a PNG, from an eXIf chunk before the pixels."""

    def step(position, head):  # length (4), type (4), payload, checksum (4)
        is_exif, is_pixels = equals(head[4:8], b"eXIf"), equals(head[4:8], b"IDAT")
        following = position + 12 + number(head[:4], little=False)
        return tf.where(is_pixels, _NOWHERE, following), tf.where(is_exif, position + 8, _NOWHERE)

    return _orientation(data, "eXIf", 8, step)


def webp_orientation(data: tf.Tensor) -> tf.Tensor:
    """EXIF orientation 1..8 (int64 scalar) of a WebP, from its EXIF chunk."""

    def step(position, head):  # type (4), length (4), payload, padded to an even length
        size = number(head[4:8], little=True)
        return position + 8 + size + size % 2, tf.where(equals(head[:4], b"EXIF"), position + 8, _NOWHERE)

    return _orientation(data, "EXIF", 12, step)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation, as Pillow's `ImageOps.exif_transpose` does.

    Args:
        image: `[height, width, channels]` as stored.
        orientation: scalar 1..8; with 1 no pixel is moved.
    """

    def turned():
        axes = tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2])
        flips = [tf.reduce_any(orientation == [3, 4, 7, 8]), tf.reduce_any(orientation == [2, 3, 6, 7]), False]
        return tf.raw_ops.Reverse(tensor=tf.transpose(image, axes), dims=flips)

    return tf.ensure_shape(tf.cond(orientation == 1, lambda: image, turned), [None, None, 3])


def _orientation(data: tf.Tensor, sign: str, first: int, step: Step) -> tf.Tensor:
    """Walks the segments from position `first` on, if `sign` (a regular expression) occurs in the file at all.

    The walk costs some 0.3 ms, which most images are spared: as much as decoding a small one.
    """
    end = length(data)

    def walk():
        _, exif = tf.while_loop(
            lambda position, exif: (position < end) & (exif == _NOWHERE),
            lambda position, exif: step(position, read(data, position, 10)),
            (tf.constant(first, tf.int64), tf.constant(_NOWHERE, tf.int64)),
            maximum_iterations=_MAX_SEGMENTS,
        )
        return _tiff_orientation(data, exif)

    has_sign = length(tf.strings.regex_replace(data, sign, "", replace_global=False)) < end
    return tf.cond(has_sign, walk, lambda: tf.constant(1, tf.int64))


def _tiff_orientation(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Reads the tag out of the TIFF structure (TIFF 6.0, section 2) at `start`; 1 if there is none or it is broken."""
    start = tf.where(equals(read(data, start, 6), _EXIF), start + 6, start)  # in JPEG always, in WebP sometimes
    header = read(data, start, 8)
    little = header[0] == ord("I")
    is_tiff = equals(header[:4], b"II*\0") | equals(header[:4], b"MM\0*")
    directory = start + number(header[4:], little)
    count = tf.clip_by_value(number(read(data, directory, 2), little), 1, _MAX_TAGS)
    entries = tf.reshape(read(data, directory + 2, 12 * count), [-1, 12])  # tag 2, type 2, count 4, value 4
    is_orientation = (number(entries[:, :2], little) == 0x0112) & (number(entries[:, 2:4], little) == 3)  # a SHORT
    value = tf.reduce_max(tf.where(is_tiff & is_orientation, number(entries[:, 8:10], little), 1))
    return tf.where(value <= 8, value, 1)
