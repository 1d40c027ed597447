"""Encoded bytes to an upright RGB image, in pure TensorFlow ops: the same in training, evaluation and serving.

Equal to Pillow's `ImageOps.exif_transpose(image).convert("RGB")` in every pixel, but for two: of 16 bits the high byte
counts (Pillow clips grey ones), and transparent pixels of a GIF are black. Other alpha is dropped, not blended. Of a
GIF the first frame is read.
"""

from functools import partial

import numpy as np
import tensorflow as tf

from ..reasons import ANIMATED_WEBP, EMPTY, NOT_AN_IMAGE, PALETTE_BMP, PARTIAL_GIF, TOO_LARGE, UNUSUAL_BMP
from .byte_ops import equals, length, number, read
from .exif import jpeg_orientation, png_orientation, upright, webp_orientation

_MAX_PIXELS = 2**27  # a few bytes may claim any size; TensorFlow's own bound for JPEG lies just above


# One trace serves all graphs of a process: it is large, and training, checking and predicting each need it.
@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes one JPEG, PNG, GIF, BMP or static WebP.

    Args:
        data: scalar string, the file's bytes.

    Returns:
        uint8 `[height, width, 3]`, RGB, upright.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are refused, when the op runs; `image_errors.reason` says why.
    """
    with tf.device("CPU:0"):  # hundreds of tiny ops
        head = read(data, 0, 16)
        fits = tf.reduce_all((head == _MAGIC) | (_MAGIC == _ANY), axis=1)  # [formats]; the last fits always
        image = tf.switch_case(tf.argmax(fits, output_type=tf.int32), [partial(branch, data) for _, branch in _FORMATS])
        return tf.ensure_shape(image, [None, None, 3])


def _jpeg(data: tf.Tensor) -> tf.Tensor:
    data = _bounded(data, tf.image.extract_jpeg_shape(data, output_type=tf.int64)[:2])
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")  # the default method differs from Pillow
    return upright(image, jpeg_orientation(data))


def _png(data: tf.Tensor) -> tf.Tensor:
    data = _bounded(data, number(tf.reshape(read(data, 16, 8), [2, 4]), little=False))
    return upright(tf.io.decode_png(data, channels=3), png_orientation(data))


def _gif(data: tf.Tensor) -> tf.Tensor:
    size = number(tf.reshape(read(data, 6, 4), [2, 2]), little=True)  # width, height
    image = tf.io.decode_image(_bounded(data, size), channels=3, expand_animations=False)
    found = tf.shape(image, out_type=tf.int64)  # of the largest frame: the op does not look at the screen's size
    return _require(tf.reduce_all(found == [size[1], size[0], 3]), PARTIAL_GIF, image)


def _bmp(data: tf.Tensor) -> tf.Tensor:
    """Reads 24 and 32 bits, and 8 bits whose palette is the grey ramp: the op decodes any palette to its indices."""
    head = read(data, 0, 66)
    pixels, header, width, height, compression, colours = (
        number(head[at : at + 4], little=True) for at in (10, 14, 18, 22, 30, 46)
    )
    bits = number(head[28:30], little=True)
    height = tf.minimum(height, 2**32 - height)  # negative: stored from the top
    palette = tf.reshape(read(data, 14 + header, 1024), [256, 4])[:, :3]
    ramp = tf.range(256, dtype=tf.int64)[:, tf.newaxis]
    is_grey = tf.reduce_all((palette == ramp) | ((ramp >= colours) & (colours > 0)))
    is_bgra = (bits == 32) & (compression == 3) & equals(head[54:66], b"\0\0\xff\0\0\xff\0\0\xff\0\0\0")
    is_usual = (header >= 40) & tf.reduce_any(bits == [1, 4, 8, 24, 32]) & ((compression == 0) | is_bgra)
    data = _require(is_usual, UNUSUAL_BMP, data)
    data = _require(~is_usual | (bits > 8) | ((bits == 8) & is_grey), PALETTE_BMP, data)
    data = _bounded(data, tf.stack([height, width]))
    end = pixels + (bits * width + 31) // 32 * 4 * height
    data = tf.strings.substr(data, tf.zeros_like(end), end)  # some programs append bytes, which the op refuses
    return tf.io.decode_image(data, channels=3, expand_animations=False)


def _webp(data: tf.Tensor) -> tf.Tensor:
    """An animation without alpha makes the op write past its buffer: it must never run on one."""
    head = read(data, 12, 9)
    is_animated = equals(head[:4], b"VP8X") & (head[8] // 2 % 2 == 1)
    data = _require(~is_animated, ANIMATED_WEBP, data)
    image = tf.io.decode_image(data, expand_animations=False)  # it gives 3 or 4 channels, and refuses to convert
    return upright(image[..., :3], webp_orientation(data))


def _refuse(data: tf.Tensor) -> tf.Tensor:
    tf.debugging.Assert(False, [tf.where(length(data) == 0, EMPTY, NOT_AN_IMAGE)])
    return tf.zeros([0, 0, 3], tf.uint8)


_FORMATS = (  # first bytes, None for any; the branch that decodes them
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    ((*b"RIFF", None, None, None, None, *b"WEBP"), _webp),
    ((), _refuse),
)
_ANY = -1
_MAGIC = np.full([len(_FORMATS), 16], _ANY)
for _row, (_magic, _) in zip(_MAGIC, _FORMATS, strict=True):
    _row[: len(_magic)] = [_ANY if byte is None else byte for byte in _magic]


def _require(condition: tf.Tensor, phrase: str, value: tf.Tensor) -> tf.Tensor:
    """`value` again, for the next op to depend on; running it raises `phrase` if the condition is false.

    An assertion has side effects, so the next image of a batch waits for it: it belongs before the decoding op.
    """
    with tf.control_dependencies([tf.debugging.Assert(condition, [phrase])]):
        return tf.identity(value)


def _bounded(data: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return _require(tf.reduce_prod(tf.cast(size, tf.float64)) <= _MAX_PIXELS, TOO_LARGE, data)
