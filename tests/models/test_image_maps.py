"""Values of the model's pixels back in the images: exact with pad, against Pillow and smooth functions else."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.models.inputs.image.geometry import frame_of, inside_of, maps_to_original, place
from saccade.models.inputs.image.image_input import ImageInput
from saccade.models.inputs.image.options import ImageOptions

PAD = ImageOptions(fit="pad", stride=8)
LETTERBOX = ImageOptions(size=(24, 40))
STRETCH = ImageOptions(size=(24, 40), fit="stretch")
SIZES = [(12, 20), (30, 9), (17, 17)]


def geometry_of(options: ImageOptions, sizes: list[tuple[int, int]]) -> dict[str, tf.Tensor]:
    each = [place(options, tf.constant(size)).geometry for size in sizes]
    return {name: tf.stack([one[name] for one in each]) for name in each[0]}


def wave(height: int, width: int) -> np.ndarray:
    """A function so smooth that halving or doubling the pixels hardly changes it, float32 `[height, width, 2]`."""
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
    x = (np.arange(width, dtype=np.float32)[None] + 0.5) / width
    return np.stack(np.broadcast_arrays(np.sin(2 * y + x), y * x), axis=-1).astype(np.float32)


def test_pad_takes_off_what_was_added():
    images = [np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8) for seed, size in enumerate(SIZES)]
    source = ImageInput(PAD)
    encoded = [tf.io.encode_png(image) for image in images]
    fitted, geometry = source(bytes=tf.stack(encoded))
    back = source.maps_to_original(fitted, geometry).numpy()
    assert fitted.shape == (3, 32, 24, 3) and back.shape == (3, 30, 20, 3)
    for image, one in zip(images, back, strict=True):
        height, width = image.shape[:2]
        np.testing.assert_array_equal(one[:height, :width], image)
        assert (one[height:] == 0).all() and (one[:, width:] == 0).all()


@pytest.mark.parametrize("options", [LETTERBOX, STRETCH], ids=["letterbox", "stretch"])
def test_a_smooth_function_comes_back(options):
    """What lies beside the image in the frame is another number, and none of it comes through."""
    source, geometry = ImageInput(options), geometry_of(options, SIZES)
    maps = np.full((3, 24, 40, 2), 99, np.float32)
    for at, size in enumerate(SIZES):
        content, offset = (each.numpy() for each in place(options, tf.constant(size))[1:3])
        rows, columns = (slice(start, start + side) for start, side in zip(offset, content, strict=True))
        maps[at, rows, columns] = wave(*content)
    back = source.maps_to_original(tf.constant(maps), geometry).numpy()
    assert back.shape == (3, 30, 20, 2)
    for (height, width), one in zip(SIZES, back, strict=True):
        np.testing.assert_allclose(one[:height, :width], wave(height, width), atol=0.04)
        assert (one[height:] == 0).all() and (one[:, width:] == 0).all()


@pytest.mark.parametrize("options", [LETTERBOX, STRETCH], ids=["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(12, 20), (100, 64), (17, 90)])
def test_resizing_is_pillows(options, size):
    """Of any numbers, not of smooth ones alone: Pillow's BILINEAR of the part that the image covers."""
    maps = np.random.default_rng(5).normal(size=(1, 24, 40, 1)).astype(np.float32)
    content, offset = (each.numpy() for each in place(options, tf.constant(size))[1:3])
    covered = maps[0, offset[0] : offset[0] + content[0], offset[1] : offset[1] + content[1], 0]
    expected = np.asarray(Image.fromarray(covered).resize(size[::-1], Image.Resampling.BILINEAR))
    back = ImageInput(options).maps_to_original(tf.constant(maps), geometry_of(options, [size]))
    np.testing.assert_allclose(back[0, ..., 0], expected, atol=1e-4)


@pytest.mark.parametrize("options", [PAD, LETTERBOX, STRETCH], ids=["pad", "letterbox", "stretch"])
@pytest.mark.parametrize("as_graph", [False, True])
def test_no_images_have_no_maps(options, as_graph):
    source = ImageInput(options)

    def back(encoded):
        images, geometry = source(bytes=encoded)
        return source.maps_to_original(images, geometry), inside_of(geometry)

    call = tf.function(back, [tf.TensorSpec([None], tf.string)]) if as_graph else back
    maps, inside = call(tf.constant([], tf.string))
    assert len(maps) == len(inside) == 0 and maps.shape[-1] == 3 and maps.shape[1:3] == inside.shape[1:]


sides = st.integers(1, 40)


@given(sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=4), fit=st.sampled_from(["pad", "letterbox"]))
@settings(max_examples=40)
def test_a_constant_of_each_image_comes_back(sizes, fit):
    """There and back for any sizes in one batch: each image's own constant inside it, and 0 beside it."""
    options = ImageOptions(fit="pad", stride=8) if fit == "pad" else LETTERBOX
    images = [np.full((*size, 3), 20 * (number + 1), np.uint8) for number, size in enumerate(sizes)]
    source, geometry = ImageInput(options), geometry_of(options, sizes)
    fitted = [source.fit({"image": image})["image"].numpy() for image in images]
    frame = np.max([each.shape for each in fitted], axis=0)
    maps = np.zeros((len(fitted), *frame), np.float32)
    for one, each in zip(maps, fitted, strict=True):
        one[: each.shape[0], : each.shape[1]] = each
    back, inside = maps_to_original(tf.constant(maps), geometry, options).numpy(), inside_of(geometry).numpy()
    assert tuple(frame_of(geometry)) == tuple(np.max(sizes, axis=0)) == back.shape[1:3] == inside.shape[1:]
    for number, (height, width) in enumerate(sizes):
        expected = np.zeros(back.shape[1:3], np.float32)
        expected[:height, :width] = 20 * (number + 1)
        np.testing.assert_array_equal(inside[number], expected > 0)
        np.testing.assert_allclose(back[number], np.repeat(expected[..., None], 3, -1), atol=1e-3)
