"""Views of an image, against crops cut by hand."""

import numpy as np
import pytest

from saccade.models.errors import InputError
from saccade.models.inputs.image.options import ImageOptions
from saccade.models.options import Options
from saccade.models.views import View, Views


def test_five_crops_and_their_mirror_images_against_numpy():
    options = ImageOptions(size=(14, 28), fit="stretch")
    views = Views.of(crops=10)
    assert views == Views.of(flip=True, crops=5) and views.several
    whole = views.input(options)
    assert (whole.height_width, whole.fit) == ((16, 32), "stretch")
    image = np.random.default_rng(0).integers(0, 256, (2, 16, 32, 3))
    crops = [image[:, 1:15, 2:30], image[:, :14, :28], image[:, :14, 4:], image[:, 2:, :28], image[:, 2:, 4:]]
    expected = [*crops, *(np.flip(crop, axis=2) for crop in crops)]
    for view, right in zip(views.views(options), expected, strict=True):
        np.testing.assert_array_equal(view(image), right)


def test_the_usual_margin():
    assert Views.of(crops=5).input(ImageOptions(size=224)).height_width == (256, 256)


def test_a_flip_needs_no_larger_image_and_no_fixed_size():
    options = ImageOptions(fit="pad")
    views = Views.of(flip=True)
    assert views.input(options) is options
    assert views.views(options) == [View(), View(mirrored=True)]


def test_the_whole_alone():
    assert not Views().several
    assert Views().views(ImageOptions()) == [View()]


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        (lambda: Views.of(crops=7), "crops 7: 5 are the centre and the corners, 10 these and their mirror images"),
        (lambda: Views.of(crops=5, crop_share=1.0), "crop share 1: a crop's side as a share of the image's, between"),
        (lambda: Views.of(crops=5).input(ImageOptions(fit="pad")), "input.fit is pad, which keeps each image's own"),
        (
            lambda: Views.of(crops=5).input(ImageOptions(size=8)),
            "crops of 8 x 8 out of 9 x 9 pixels would hardly differ",
        ),
        (lambda: Views.of(crops=5).input(Options()), "crops need one image as input"),
    ],
)
def test_what_is_refused(ask, part):
    with pytest.raises(InputError) as caught:
        ask()
    assert part in str(caught.value) and "\n" not in str(caught.value)
