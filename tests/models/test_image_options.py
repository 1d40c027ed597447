"""The recipe's `input` section: what it takes, what it refuses, in which words."""

import pydantic
import pytest

from saccade.models.inputs.image.options import ImageOptions


@pytest.mark.parametrize(
    ("values", "height_width"),
    [
        ({}, (224, 224)),
        ({"size": 96}, (96, 96)),
        ({"size": [64, 128]}, (64, 128)),
        ({"fit": "pad"}, (None, None)),
        ({"fit": "pad", "size": None, "stride": 16}, (None, None)),
    ],
)
def test_sizes(values, height_width):
    assert ImageOptions(**values).height_width == height_width


@pytest.mark.parametrize("values", [{}, {"size": (64, 128), "fit": "crop", "fill": 0}, {"fit": "pad", "stride": 16}])
def test_resolved_options_are_read_again(values):
    options = ImageOptions(**values)
    assert ImageOptions.model_validate(options.model_dump(mode="json")) == options


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "greater than or equal to 1"),
        ({"size": [64, -1]}, "greater than or equal to 1"),
        ({"fill": 256}, "less than or equal to 255"),
        ({"stride": 0}, "greater than or equal to 1"),
        ({"fit": "squash"}, "'letterbox', 'stretch', 'crop' or 'pad'"),
        ({"fit": "pad", "size": 64}, "fit 'pad' keeps the native size: leave size out"),
        ({"fit": "crop", "size": None}, "fit 'crop' needs a size"),
        ({"sise": 3}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_options(values, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        ImageOptions(**values)
