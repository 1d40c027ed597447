"""Decoding against Pillow, pixel by pixel, in the three ways the graph runs; and what is refused, in which words."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from saccade.models.inputs.image.decode import decode
from saccade.models.inputs.reasons import reason

RANDOM = np.random.default_rng(0)
NOISE = Image.fromarray(RANDOM.integers(0, 256, (37, 53, 4), np.uint8))  # odd sides: rows are padded, blocks cut
SMOOTH = Image.fromarray(RANDOM.integers(0, 256, (5, 7, 4), np.uint8)).resize((70, 50), Image.Resampling.BICUBIC)
UNFIT = "not an image saccade reads (JPEG, PNG, GIF, BMP, WebP)"


def encode(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


in_graph = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])


def in_dataset(data: bytes) -> tf.Tensor:
    return next(iter(tf.data.Dataset.from_tensors(data).map(in_graph)))


@pytest.fixture(params=[decode, in_graph, in_dataset], ids=["eager", "function", "dataset"])
def way(request):
    return request.param


def variants(image: Image.Image) -> dict[str, bytes]:
    """Every kind of file that is read, as far as Pillow writes it."""
    rgb, grey, palette = image.convert("RGB"), image.convert("L"), image.convert("RGB").convert("P")
    modes = {"1": image.convert("1"), "L": grey, "P": palette, "LA": image.convert("LA"), "RGB": rgb, "RGBA": image}
    files = {f"png {mode}": encode(each, "PNG") for mode, each in modes.items()}
    files |= {f"png {each.mode} transparent": encode(each, "PNG", transparency=3) for each in (grey, palette)}
    files |= {f"jpeg {mode}": encode(image.convert(mode), "JPEG", quality=85) for mode in ("L", "RGB", "CMYK")}
    files |= {f"jpeg subsampling {each}": encode(rgb, "JPEG", subsampling=each) for each in (0, 1, 2)}
    files |= {
        f"jpeg progressive {mode}": encode(image.convert(mode), "JPEG", progressive=True) for mode in ("L", "RGB")
    }
    files |= {f"gif {mode}": encode(each, "GIF") for mode, each in modes.items() if mode not in ("LA", "RGBA")}
    files |= {f"bmp {mode}": encode(modes[mode], "BMP") for mode in ("L", "RGB", "RGBA")}
    files |= {f"webp lossless {each.mode}": encode(each, "WEBP", lossless=True, exact=True) for each in (rgb, image)}
    files |= {f"webp lossy {each.mode}": encode(each, "WEBP", quality=80) for each in (rgb, grey, image)}
    return files


FILES = {
    f"{name}, {kind}": data
    for kind, image in (("noise", NOISE), ("smooth", SMOOTH))
    for name, data in variants(image).items()
}


@pytest.mark.parametrize("name", FILES)
def test_equals_pillow(name):
    """Exact for all: what is lossless, JPEG, CMYK that carries Adobe's marker, WebP."""
    np.testing.assert_array_equal(in_graph(FILES[name]), by_pillow(FILES[name]))


@pytest.mark.parametrize(
    "name", ["png P, noise", "jpeg CMYK, smooth", "gif RGB, noise", "bmp L, noise", "webp lossy RGBA, noise"]
)
def test_equals_pillow_in_every_way(way, name):
    image = way(FILES[name])
    assert image.dtype == tf.uint8
    np.testing.assert_array_equal(image, by_pillow(FILES[name]))


def test_static_shape():
    assert in_graph.get_concrete_function().output_shapes.as_list() == [None, None, 3]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_of_16_bits_the_high_byte_counts(channels):
    """Not compared with Pillow, which clips a grey one."""
    pixels = RANDOM.integers(0, 2**16, (9, 11, channels), np.uint16)
    image = in_graph(tf.io.encode_png(pixels))
    np.testing.assert_array_equal(image, np.broadcast_to(pixels[..., :3] >> 8, (9, 11, 3)))


def test_of_a_gif_the_first_frame():
    data = encode(NOISE.convert("L"), "GIF", save_all=True, append_images=[SMOOTH.convert("L").resize(NOISE.size)])
    with Image.open(io.BytesIO(data)) as animation:
        assert animation.n_frames == 2
    np.testing.assert_array_equal(in_graph(data), by_pillow(data))


def test_transparent_pixels_of_a_gif_are_black():
    """The one difference from Pillow, which shows the colour that stands in the palette."""
    data = encode(NOISE.convert("L"), "GIF", transparency=77)
    transparent = np.asarray(NOISE.convert("L")) == 77
    assert transparent.any()
    np.testing.assert_array_equal(in_graph(data), np.where(transparent[..., None], 0, by_pillow(data)))


def bmp(bits: int, height: int, compression: int = 0, tail: bytes = b"", header: int = 40) -> bytes:
    """A BMP of 3 pixels' width with pixels 0, 1, 2, ..., that Pillow does not write."""
    row = -(-3 * bits // 32) * 4
    start = 14 + header + len(tail)
    info = struct.pack("<IiiHHIIiiII", header, 3, height, 1, bits, compression, 0, 0, 0, 0, 0)
    pixels = bytes(range(row * abs(height)))
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + bytes(header - 40) + tail + pixels


BGRA = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)


@pytest.mark.parametrize(
    "data",
    [bmp(24, -4), bmp(32, 5), bmp(32, -5, compression=3, tail=BGRA), bmp(24, 4) + b"\0\0", bmp(24, 4, header=124)],
    ids=["top down", "32 bits", "bit fields", "bytes behind", "fifth version"],
)
def test_other_bmps(data):
    np.testing.assert_array_equal(in_graph(data), by_pillow(data))


def claims_size(kind: str, size: int) -> bytes:
    """A small file whose header says that it is `size` by `size` pixels."""
    data = bytearray(encode(NOISE.convert("RGB"), kind))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", size, size)
    elif kind == "PNG":
        data[16:24] = struct.pack(">II", size, size)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", size, size)
    else:
        data[18:26] = struct.pack("<ii", size, size)
    return bytes(data)


def small_frame() -> bytes:
    data = bytearray(encode(NOISE.convert("L"), "GIF"))
    data[6:10] = struct.pack("<HH", 60, 40)
    return bytes(data)


REFUSED = {
    "empty": (b"", "empty: 0 bytes"),
    "text": (b"no image, whatever its name ends in\n", UNFIT),
    "one byte": (b"\xff", UNFIT),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", UNFIT),
    "tiff": (encode(NOISE, "TIFF"), UNFIT),
    "jpeg": (encode(NOISE.convert("RGB"), "JPEG")[:-600], "truncated or broken JPEG"),
    "jpeg's magic": (b"\xff\xd8\xff", "truncated or broken JPEG"),
    "progressive": (encode(SMOOTH.convert("RGB"), "JPEG", progressive=True)[:-200], "truncated or broken JPEG"),
    "png": (encode(NOISE, "PNG")[:-600], "truncated or broken PNG"),
    "gif": (encode(NOISE.convert("L"), "GIF")[:-600], "truncated or broken GIF"),
    "bmp": (encode(NOISE.convert("RGB"), "BMP")[:-1], "truncated or broken BMP"),
    "webp": (encode(NOISE, "WEBP")[:-600], "truncated or broken WebP"),
    "palette bmp": (encode(NOISE.convert("RGB").convert("P"), "BMP"), "palette BMP: save as 24-bit or PNG"),
    "bilevel bmp": (encode(NOISE.convert("1"), "BMP"), "palette BMP: save as 24-bit or PNG"),
    "16-bit bmp": (bmp(16, 4), "compressed or unusual BMP: save as 24-bit or PNG"),
    "run-length bmp": (bmp(8, 4, compression=1), "compressed or unusual BMP: save as 24-bit or PNG"),
    "text BM": (b"BMW drives past, no image in it, but a text that is long enough", "compressed or unusual BMP"),
    "partial gif": (small_frame(), "GIF whose frames do not fill its screen: save as PNG"),
    **{
        f"huge {kind}": (claims_size(kind, 60000), "too large: more than 134 million pixels")
        for kind in ("JPEG", "GIF", "BMP")
    },
    "huge PNG": (claims_size("PNG", 2**32 - 1), "too large: more than 134 million pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    data, phrase = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        in_graph(data)
    assert reason(caught.value).startswith(phrase)
    assert "\n" not in reason(caught.value)


@pytest.mark.parametrize("name", ["empty", "text", "jpeg", "png", "palette bmp"])
def test_refused_in_every_way(way, name):
    data, phrase = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        way(data)
    assert reason(caught.value) == phrase


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40)
def test_no_part_of_a_file_is_an_image(kind, share):
    """Of a GIF the last byte is an end mark that may be missing; of the others every byte is needed."""
    data = encode(SMOOTH.convert("RGB"), kind)
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data[: int(share * len(data))])


@given(
    name=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=4),
)
@settings(max_examples=150)
def test_damaged_heads_give_an_image_or_a_reason(name, changes):
    data = bytearray(FILES[name])
    for position, value in changes:
        data[position] = value
    try:
        assert in_graph(bytes(data)).shape[-1] == 3
    except tf.errors.InvalidArgumentError as error:
        assert reason(error) in {phrase for _, phrase in REFUSED.values()} | {"animated WebP: save one frame"}


def test_reason_of_another_error_is_its_first_line():
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.function(lambda values: tf.reshape(values, [2, 2]), [tf.TensorSpec([None])])(tf.zeros([5]))
    assert reason(caught.value).startswith("Input to reshape is a tensor with 5 values")
    assert reason(ValueError("one\ntwo")) == "one"
    assert reason(ValueError("Graph execution error:\n\n<stack traces unavailable>\nIncompatible")) == "Incompatible"
    assert reason(ValueError()) == "ValueError"


ANIMATIONS = """
import sys
import tensorflow as tf
from saccade.models.inputs.image.decode import decode
from saccade.models.inputs.reasons import reason

in_graph = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])

def in_dataset(data):
    return next(iter(tf.data.Dataset.from_tensors(data).map(in_graph)))

for path in sys.argv[1:]:
    for way in (decode, in_graph, in_dataset):
        try:
            way(tf.io.read_file(path))
        except tf.errors.InvalidArgumentError as error:
            print(reason(error))
"""


def test_animated_webp_is_refused_before_the_op_runs(tmp_path, root):
    """TensorFlow's own op writes past its buffer and takes the process along, so another process does this."""
    paths = []
    for mode in ("RGB", "RGBA"):
        first, second = SMOOTH.convert(mode), SMOOTH.convert(mode).rotate(180)
        ImageDraw.Draw(first).rectangle([5, 5, 20, 20], fill="red")
        paths.append(tmp_path / f"{mode}.webp")
        first.save(paths[-1], save_all=True, append_images=[second], duration=100)
        with Image.open(paths[-1]) as animation:
            assert animation.n_frames == 2
    done = subprocess.run(
        [sys.executable, "-c", ANIMATIONS, *paths], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["animated WebP: save one frame"] * 6
