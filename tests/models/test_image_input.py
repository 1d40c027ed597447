"""The Predictor's path and the training path: the same numbers, in batches, in tf.data and in a SavedModel."""

import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from saccade.models.contract import SERVING, Truth
from saccade.models.inputs.image.decode import decode
from saccade.models.inputs.image.image_input import ImageInput
from saccade.models.inputs.image.options import ImageOptions
from saccade.models.inputs.reasons import reason

OPTIONS = {
    "letterbox": ImageOptions(size=(40, 32)),
    "stretch": ImageOptions(size=(40, 32), fit="stretch"),
    "crop": ImageOptions(size=(40, 32), fit="crop"),
    "pad": ImageOptions(fit="pad", stride=16),
}
SIZES = {"PNG": (37, 53), "JPEG": (64, 20), "GIF": (8, 8), "BMP": (41, 30), "WEBP": (50, 50)}  # height, width


TRUTH = {
    "mask": Truth("int32", (None, None), pad=255, moves="mask"),
    "boxes": Truth("float32", (None, 4), pad=-1, moves="boxes"),
    "classes": Truth("int32", (None,), pad=-1, moves="box_field"),
    "label": Truth("int32"),
}


def encode(kind: str, size: tuple[int, int], **options) -> bytes:
    pixels = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
FILES = [encode(kind, size) for kind, size in SIZES.items()] + [encode("JPEG", (20, 30), exif=EXIF)]


@pytest.fixture(scope="module", params=OPTIONS)
def fitting(request):
    return ImageInput(OPTIONS[request.param], truth=TRUTH)


def test_a_mixed_batch_equals_its_samples(fitting):
    images, geometry = fitting(bytes=FILES)
    assert images.dtype == tf.float32
    assert {name: (each.dtype, each.shape) for name, each in geometry.items()} == {
        "size": (tf.int32, (6, 2)),
        "scale": (tf.float32, (6, 2)),
        "offset": (tf.float32, (6, 2)),
    }
    np.testing.assert_array_equal(geometry["size"], [*SIZES.values(), (30, 20)])
    for data, image in zip(FILES, images.numpy(), strict=True):
        alone = fitting.fit({"image": decode(data)})["image"].numpy()
        np.testing.assert_array_equal(image[: alone.shape[0], : alone.shape[1]], alone)


def calls(options: str, files: list[bytes], per_pixel: bool = False) -> list[list[int]]:
    fitting = ImageInput(OPTIONS[options])
    fitting.per_pixel = per_pixel
    return fitting.share_calls([{"bytes": each} for each in files])


def test_calls_in_which_each_image_is_as_if_alone():
    """With `pad`, those that alone have a frame of one size: 48 x 64, 64 x 32, 16 x 16, 48 x 32, 64 x 64, 32 x 32."""
    files = [*FILES, encode("PNG", (44, 60)), b"", encode("PNG", (44, 24)), encode("JPEG", (24, 44), exif=EXIF)]
    assert calls("pad", files) == [[0, 6], [1], [2], [3, 8, 9], [4], [5], [7]]
    for name in ("letterbox", "stretch", "crop"):
        assert calls(name, files) == [[0, 1, 2, 3, 4, 5, 6], [7], [8, 9]]
    assert all(calls(name, []) == [] for name in OPTIONS)


def test_calls_are_bounded_by_pixels():
    """Two million: eight of 512 x 512 and each that is larger alone."""
    streams = [io.BytesIO(), io.BytesIO()]
    for stream, size in zip(streams, ((512, 512), (2000, 1500)), strict=True):
        Image.new("RGB", size).save(stream, "PNG", compress_level=1)
    small, large = (stream.getvalue() for stream in streams)
    for options, per_pixel in (("pad", False), ("stretch", True)):
        assert list(map(len, calls(options, [small] * 20, per_pixel))) == [8, 8, 4]
        assert calls(options, [large, large], per_pixel) == [[0], [1]]
    assert list(map(len, calls("letterbox", [large] * 30))) == [22, 8]  # decoded together


def test_images_equal_their_bytes(fitting):
    images = np.random.default_rng(1).integers(0, 256, (3, 21, 33, 3), np.uint8)
    by_images, geometry = fitting(images=images)
    by_bytes, same = fitting(bytes=[tf.io.encode_png(each) for each in images])
    np.testing.assert_array_equal(by_images, by_bytes)
    for name in geometry:
        np.testing.assert_array_equal(geometry[name], same[name])


def test_an_empty_batch(fitting):
    height, width, _ = fitting.shape
    nothing = (0, height or 16, width or 16, 3)
    for images, geometry in (
        fitting(bytes=tf.zeros([0], tf.string)),
        fitting(images=tf.zeros([0, 5, 7, 3], tf.uint8)),
    ):
        assert images.shape == nothing
        assert all(each.shape == (0, 2) for each in geometry.values())


def test_static_shapes(fitting):
    for specs in fitting.signatures.values():
        images, geometry = tf.function(fitting).get_concrete_function(**specs).output_shapes
        assert images.as_list() == [None, *fitting.shape]
        assert all(each.as_list() == [None, 2] for each in geometry.values())


def test_shape():
    assert {name: ImageInput(each).shape for name, each in OPTIONS.items()} == {
        **dict.fromkeys(["letterbox", "stretch", "crop"], (40, 32, 3)),
        "pad": (None, None, 3),
    }


def test_pad_lays_every_image_into_one_frame():
    images, _ = ImageInput(OPTIONS["pad"])(bytes=FILES)
    assert images.shape == (6, 64, 64, 3)  # the highest is 64, the widest 53
    for (height, width), image in zip([*SIZES.values(), (30, 20)], images.numpy(), strict=True):
        assert (image[height:] == 114).all() and (image[:, width:] == 114).all()
        assert (image[:height, :width] != 114).mean() > 0.9


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_images_of_a_batch_run_side_by_side(monkeypatch):
    """Each waits until another is being decoded, too: one after the other they would wait for ever."""
    meeting = threading.Barrier(2)

    def meet(image):
        meeting.wait(timeout=60)
        return image

    def decode_together(data):
        image = tf.numpy_function(meet, [decode(data)], tf.uint8, stateful=False)
        return tf.ensure_shape(image, [None, None, 3])

    monkeypatch.setattr("saccade.models.inputs.image.decode.decode", decode_together)
    images, _ = ImageInput(ImageOptions(size=8))(bytes=[FILES[0], FILES[1], FILES[3], FILES[4]] * 2)
    assert images.shape == (8, 8, 8, 3)


def test_boxes_to_original():
    fitting = ImageInput(ImageOptions(size=100))
    _, geometry = fitting(bytes=[encode("PNG", (50, 200)), encode("PNG", (100, 100))])
    boxes = tf.constant([[[50.0, 40.0, 75.0, 50.0], [-9, 0, 500, 500]]] * 2)
    expected = [[[100, 6, 150, 26], [0, 0, 200, 50]], [[50, 40, 75, 50], [0, 0, 100, 100]]]
    np.testing.assert_allclose(fitting.boxes_to_original(boxes, geometry), expected, atol=1e-4)


def test_one_bad_image_is_told():
    for bad, phrase in ((FILES[0][:99], "truncated or broken PNG"), (b"", "empty: 0 bytes")):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            ImageInput(OPTIONS["stretch"])(bytes=[FILES[1], bad, FILES[2]])
        assert reason(caught.value) == phrase


def test_load_decodes_the_bytes_of_a_sample():
    fitting = ImageInput(OPTIONS["crop"])
    loaded = fitting.load({"bytes": tf.constant(FILES[0]), "key": tf.constant("a")})
    assert set(loaded) == {"image", "key"}
    np.testing.assert_array_equal(loaded["image"], decode(FILES[0]))


def samples(fitting: ImageInput) -> tf.data.Dataset:
    """Samples with 0, 1, 2, ... boxes each."""

    def sample(data, count):
        image = decode(data)
        mask = tf.zeros(tf.shape(image)[:2], tf.int32)
        boxes, classes = tf.zeros([count, 4]), tf.zeros([count], tf.int32)
        return fitting.fit(
            {"image": image, "mask": mask, "boxes": boxes, "classes": classes, "key": data, "label": count}
        )

    return tf.data.Dataset.from_tensor_slices((FILES, list(range(len(FILES))))).map(sample, num_parallel_calls=2)


def test_training_batches(fitting):
    batches = list(fitting.batch(samples(fitting), 4))
    images, _ = fitting(bytes=FILES[:4])
    np.testing.assert_array_equal(batches[0]["image"], images)
    assert [batch["boxes"].shape for batch in batches] == [(4, 3, 4), (2, 5, 4)]
    np.testing.assert_array_equal(batches[0]["classes"], [[-1, -1, -1], [0, -1, -1], [0, 0, -1], [0, 0, 0]])
    np.testing.assert_array_equal(tf.reduce_all(batches[0]["boxes"] == -1, axis=-1), batches[0]["classes"] == -1)
    np.testing.assert_array_equal(batches[1]["label"], [4, 5])
    assert batches[0]["key"].numpy().tolist() == FILES[:4]
    assert batches[0]["mask"].shape == images.shape[:3]
    assert set(np.unique(batches[0]["mask"])) <= {0, 255}
    if fitting.options.fit in ("letterbox", "pad"):
        np.testing.assert_array_equal(batches[0]["mask"] == 255, tf.reduce_all(images == 114, axis=-1))


SERVE = """
import json, sys
import tensorflow as tf

assert "saccade" not in sys.modules
signatures = tf.saved_model.load(sys.argv[1]).signatures
data = [open(path, "rb").read() for path in sys.argv[2:]]
for fit in ("letterbox", "pad"):
    full, empty = (signatures[fit](bytes=tf.constant(each, tf.string)) for each in (data, []))
    print(json.dumps([full["mean"].numpy().tolist(), full["size"].numpy().tolist(), empty["mean"].shape.as_list()]))
"""


def test_saved_model_in_a_plain_process(tmp_path):
    def serving(fitting):
        def serve(bytes):
            images, geometry = fitting(bytes=bytes)
            return {"mean": tf.reduce_mean(images, axis=[1, 2]), "size": geometry["size"]}

        return tf.function(serve, input_signature=[fitting.signatures[SERVING]["bytes"]])

    inputs, module = {fit: ImageInput(OPTIONS[fit]) for fit in ("letterbox", "pad")}, tf.Module()
    module.serve = {fit: serving(each) for fit, each in inputs.items()}
    tf.saved_model.save(module, tmp_path / "model", signatures=dict(module.serve))
    paths = [tmp_path / str(number) for number in range(len(FILES))]
    for path, data in zip(paths, FILES, strict=True):
        path.write_bytes(data)
    command = [sys.executable, "-c", SERVE, tmp_path / "model", *paths]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for fitting, line in zip(inputs.values(), done.stdout.splitlines(), strict=True):
        means, sizes, empty = json.loads(line)
        images, geometry = fitting(bytes=FILES)
        np.testing.assert_allclose(means, tf.reduce_mean(images, axis=[1, 2]), rtol=1e-6)
        np.testing.assert_array_equal(sizes, geometry["size"])
        assert empty == [0, 3]
