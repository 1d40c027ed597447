"""The four fits against Pillow and hand-computed places; masks and boxes that move with the image."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.models.contract import Truth
from saccade.models.inputs.image.geometry import boxes_to_original, move_boxes, place
from saccade.models.inputs.image.image_input import ImageInput
from saccade.models.inputs.image.options import ImageOptions

RANDOM = np.random.default_rng(0)
FITS = [
    ImageOptions(size=(32, 48), fit="letterbox"),
    ImageOptions(size=(48, 32), fit="letterbox", fill=0),
    ImageOptions(size=(32, 48), fit="stretch"),
    ImageOptions(size=(32, 48), fit="crop"),
    ImageOptions(size=40, fit="crop"),
    ImageOptions(fit="pad", stride=16),
]
SIZES = [(32, 48), (100, 64), (64, 100), (7, 5), (1, 200), (33, 49), (97, 31)]

TRUTH = {
    "mask": Truth("int32", (None, None), pad=255, moves="mask"),
    "boxes": Truth("float32", (None, 4), moves="boxes", pad=-1),
    "classes": Truth("int32", (None,), moves="box_field", pad=-1),
}


def image_input(options):
    return ImageInput(options, truth=TRUTH)


def by_hand(options: ImageOptions, height: int, width: int) -> tuple[list[int], list[int], list[int]]:
    """Content, offset and target by the words of `ImageOptions`, in plain Python."""
    if options.fit == "pad":
        return [height, width], [0, 0], [-(-each // options.stride) * options.stride for each in (height, width)]
    target = list(options.height_width)
    ratios = [target[0] / height, target[1] / width]
    if options.fit == "stretch":
        return target, [0, 0], target
    if options.fit == "letterbox":
        content = [
            min(max(round(side * min(ratios)), 1), most) for side, most in zip((height, width), target, strict=True)
        ]
    else:
        content = [max(round(side * max(ratios)), least) for side, least in zip((height, width), target, strict=True)]
    return content, [(most - side) // 2 for side, most in zip(content, target, strict=True)], target


def laid(image: np.ndarray, offset: list[int], target: list[int], fill: float) -> np.ndarray:
    """Cuts and fills: the image at `offset` in a frame of `target`."""
    frame = np.full([*target, *image.shape[2:]], fill, image.dtype)
    for y in range(target[0]):
        if 0 <= y - offset[0] < image.shape[0]:
            left, right = max(offset[1], 0), min(offset[1] + image.shape[1], target[1])
            frame[y, left:right] = image[y - offset[0], left - offset[1] : right - offset[1]]
    return frame


def pillow_resize(image: np.ndarray, content: list[int], as_float: bool) -> np.ndarray:
    """Pillow's BILINEAR, antialiased; channel by channel in float, or in its 8 bits."""
    if not as_float:
        return np.asarray(Image.fromarray(image).resize(content[::-1], Image.Resampling.BILINEAR), np.float32)
    planes = [Image.fromarray(image[..., each].astype(np.float32)) for each in range(3)]
    return np.stack([np.asarray(each.resize(content[::-1], Image.Resampling.BILINEAR)) for each in planes], axis=-1)


@pytest.mark.parametrize("options", FITS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_pixels_equal_pillow(options, size):
    """Within 0.01 of Pillow in float, and within 1.01 of its 8 bits, which round twice."""
    image = RANDOM.integers(0, 256, (*size, 3), np.uint8)
    content, offset, target = by_hand(options, *size)
    fitted = image_input(options).fit({"image": tf.constant(image)})["image"]
    assert fitted.dtype == tf.float32
    for as_float, tolerance in ((True, 0.01), (False, 1.01)):
        expected = laid(pillow_resize(image, content, as_float), offset, target, options.fill)
        np.testing.assert_allclose(fitted, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("options", FITS, ids=str)
def test_a_float_image_is_fitted_alike(options):
    image = RANDOM.integers(0, 256, (70, 45, 3), np.uint8)
    of_bytes, of_floats = (
        image_input(options).fit({"image": tf.cast(image, each)})["image"] for each in (tf.uint8, tf.float32)
    )
    np.testing.assert_array_equal(of_bytes, of_floats)


@pytest.mark.parametrize(
    ("options", "size", "content", "offset", "target"),
    [
        (ImageOptions(size=224), (480, 640), [168, 224], [28, 0], [224, 224]),
        (ImageOptions(size=224), (640, 480), [224, 168], [0, 28], [224, 224]),
        (ImageOptions(size=224), (1, 1000), [1, 224], [111, 0], [224, 224]),
        (ImageOptions(size=224), (100, 100), [224, 224], [0, 0], [224, 224]),
        (ImageOptions(size=(100, 200), fit="stretch"), (50, 50), [100, 200], [0, 0], [100, 200]),
        (ImageOptions(size=100, fit="crop"), (200, 400), [100, 200], [0, -50], [100, 100]),
        (ImageOptions(size=100, fit="crop"), (50, 30), [167, 100], [-34, 0], [100, 100]),
        (ImageOptions(fit="pad"), (33, 64), [33, 64], [0, 0], [64, 64]),
    ],
)
def test_places(options, size, content, offset, target):
    placement = place(options, tf.constant(size))
    assert [each.numpy().tolist() for each in placement] == [list(size), content, offset, target]
    geometry = placement.geometry
    np.testing.assert_allclose(geometry["scale"], np.divide(content, size), rtol=1e-6)
    np.testing.assert_array_equal(geometry["offset"], offset)


@pytest.mark.parametrize("options", FITS, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_masks_equal_pillow(options, size, dtype):
    """Exact where the centre of a new pixel lies inside an old one; on a border Pillow's rounding errors decide."""
    mask = RANDOM.integers(0, 20, size).astype(dtype)
    content, offset, target = by_hand(options, *size)
    image = np.zeros((*size, 3), np.uint8)
    fitted = image_input(options).fit({"image": image, "mask": tf.constant(mask)})["mask"].numpy()
    assert fitted.dtype == dtype
    centres = [(np.arange(new) + 0.5) * old / new for new, old in zip(content, size, strict=True)]
    rows, columns = (np.floor(each).astype(int) for each in centres)
    np.testing.assert_array_equal(fitted, laid(mask[rows][:, columns], offset, target, 255))
    nearest = np.array(Image.fromarray(mask).resize(content[::-1], Image.Resampling.NEAREST))
    on_border = laid((centres[0] == rows)[:, None] | (centres[1] == columns), offset, target, False)
    np.testing.assert_array_equal(fitted[~on_border], laid(nearest, offset, target, 255)[~on_border])


sides = st.integers(1, 500)
options_of_all_fits = st.one_of(
    st.builds(ImageOptions, size=st.tuples(sides, sides), fit=st.sampled_from(["letterbox", "stretch", "crop"])),
    st.builds(ImageOptions, fit=st.just("pad"), stride=st.integers(1, 64)),
)


@given(options=options_of_all_fits, height=sides, width=sides)
@settings(max_examples=80)
def test_places_by_the_words_of_the_options(options, height, width):
    content, offset, target = by_hand(options, height, width)
    placement = place(options, tf.constant([height, width]))
    assert [each.numpy().tolist() for each in placement[1:]] == [content, offset, target]


@given(
    options=options_of_all_fits, height=sides, width=sides, corners=st.lists(st.floats(0, 1), min_size=4, max_size=4)
)
@settings(max_examples=80)
def test_boxes_come_back(options, height, width, corners):
    """To the original and back within a thousandth of a model's pixel, where the frame did not cut."""
    x, y = sorted(corners[:2]), sorted(corners[2:])
    box = np.float32([x[0] * width, y[0] * height, x[1] * width, y[1] * height])
    placement = place(options, tf.constant([height, width]))
    batch = {name: each[tf.newaxis] for name, each in placement.geometry.items()}
    back = boxes_to_original(move_boxes(box[np.newaxis], placement)[tf.newaxis], batch)[0, 0].numpy()
    scale, offset, target = batch["scale"][0].numpy(), placement.offset.numpy(), placement.target.numpy()
    first, last = -offset / scale, (target - offset) / scale  # what the frame shows, in the original
    seen = np.clip(box, np.tile(first[::-1], 2), np.tile(last[::-1], 2))
    np.testing.assert_allclose(back, seen, rtol=0, atol=1e-3 * max(1, 1 / scale.min()))
    assert (back >= 0).all() and (back <= [width, height, width, height]).all()


@pytest.mark.parametrize("options", FITS, ids=str)
@pytest.mark.parametrize("size", [(100, 64), (64, 100), (40, 40)])
def test_mask_and_box_still_cover_what_was_drawn(options, size):
    height, width = size
    box = np.int32([width // 4, height // 3, width // 4 + 20, height // 3 + 18])
    image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.int32)
    image[box[1] : box[3], box[0] : box[2]] = 255
    mask[box[1] : box[3], box[0] : box[2]] = 1
    truth = {"mask": mask, "boxes": box[np.newaxis].astype(np.float32)}
    fitted = image_input(options.model_copy(update={"fill": 0})).fit({"image": image, **truth})
    bright, labelled = fitted["image"].numpy()[..., 0] > 127, fitted["mask"].numpy() == 1
    for drawn in (bright, labelled):
        rows, columns = drawn.any(axis=1).nonzero()[0], drawn.any(axis=0).nonzero()[0]
        extent = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(fitted["boxes"][0], extent, rtol=0, atol=1.0)
    assert (bright != labelled).mean() < 0.03


def test_a_box_that_is_cut_off_has_no_area():
    boxes = move_boxes(
        tf.constant([[0.0, 0.0, 40.0, 50.0]]), place(ImageOptions(size=100, fit="crop"), tf.constant([200, 400]))
    )
    np.testing.assert_array_equal(boxes, [[0.0, 0.0, 0.0, 25.0]])


def test_other_keys_stay_as_they_are():
    sample = {"image": np.zeros((9, 9, 3), np.uint8), "key": tf.constant("a"), "label": tf.constant(3)}
    fitted = image_input(ImageOptions(size=8)).fit(sample)
    assert list(fitted) == list(sample)
    assert fitted["key"] is sample["key"] and fitted["label"] is sample["label"]
    assert image_input(ImageOptions(size=8)).fit({"image": np.zeros((9, 9, 3)), "boxes": np.zeros((0, 4), np.float32)})[
        "boxes"
    ].shape == (0, 4)
