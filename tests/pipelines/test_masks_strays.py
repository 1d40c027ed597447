"""Values of masks that are too rare for a class, or that nobody named: left out of the line to write, told by file."""

from collections.abc import Callable

import numpy as np
import pytest
from mask_pictures import BLACK, GREEN, RED, WHITE, encoded, grey, palette, rgb

from saccade.models.errors import InputError, RecipeError
from saccade.pipelines.sources.mask_formats.detection import Detection
from saccade.pipelines.sources.mask_formats.encoding import Encoding
from saccade.pipelines.sources.mask_formats.image import read_mask
from saccade.pipelines.sources.mask_formats.options import MaskOptions
from saccade.pipelines.sources.mask_formats.sample import look_at


def found(*masks, **options) -> tuple[Encoding, str]:
    images = [each if isinstance(each, bytes) else encoded(each) for each in masks]
    names = [f"{at}.png" for at in range(len(images))]
    options = MaskOptions(source="masks", **options)
    return Detection(lambda: look_at(names, lambda at: read_mask(images[at])), options, "PLACE").encoding()


def refused(call: Callable, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_black_comes_first_where_it_covers_little():
    told = refused(found, rgb(*[RED] * 20, *[WHITE] * 8))
    assert told.endswith(
        "hold [255, 0, 0] 62.5 %, [255, 255, 255] 25 %, [0, 0, 0] 12.5 %; write below data 'colors: {class_0: [0, 0, "
        "0], class_1: [255, 0, 0], class_2: [255, 255, 255]}' with your names and the background first"
    )
    greys = grey(*[75] * 20, 113)
    assert "'colors: {class_0: [0, 0, 0], class_1: [75, 75, 75], class_2: [113," in refused(found, greys)


def test_what_is_too_rare_for_a_class_is_left_out_of_the_line():
    masks = [rgb(RED, RED, GREEN) for _ in range(39)]
    told = refused(found, *masks, rgb(RED, RED, GREEN, (1, 2, 3)))
    line = (
        "'colors: {class_0: [0, 0, 0], class_1: [0, 255, 0], class_2: [255, 0, 0]}' with your names and the background"
    )
    assert told.endswith(f"write below data {line} first (without [1, 2, 3], too rare: 1 pixel, first in 39.png)")
    told = refused(found, rgb(RED, GREEN, (1, 2, 3), (9, 9, 9)), *masks)
    assert told.endswith("first (without 2 values such as [1, 2, 3], too rare: 2 pixels, first in 0.png)")
    assert "class_2: [1, 2, 3]" in refused(found, *[rgb(RED, GREEN, (1, 2, 3))] * 40)  # in every mask


def test_smooth_edges_in_one_mask_do_not_hide_the_colours_of_the_others():
    noise = np.random.default_rng(0).integers(0, 256, (4, 8, 3), np.uint8)
    told = refused(found, noise, *[rgb(RED, GREEN)] * 300)
    assert "'colors: {class_0: [0, 0, 0], class_1: [0, 255, 0], class_2: [255, 0, 0]}'" in told
    assert told.endswith("too rare: 32 pixels, first in 0.png)")


def test_a_stray_value_among_plain_ones():
    ids, masks = [grey(1, 2)] * 30, [grey(255)] * 30
    assert refused(found, *ids, grey(1, 77)) == (
        "PLACE: ambiguous: the values 0, 1, 2, 77; write below data 'classes: [class_0, class_1, class_2]' with your "
        "names and the background first (without 77, too rare: 1 pixel, first in 30.png)"
    )
    told = (
        "PLACE: ambiguous: the values 0, 7, 255; write below data 'encoding: binary' (without 7, too rare: 1 pixel, "
        "first in 30.png)"
    )
    assert refused(found, *masks, grey(255, 7)) == refused(found, *masks, grey(255, 7), classes=["a", "b"]) == told


def test_classes_that_are_named_and_a_mask_with_another_value():
    masks, names = [grey(1, 2, 255)] * 30, ["sky", "road", "tree"]
    encoding, told = found(*masks, grey(1, 77), classes=names)
    assert told.endswith("sky, road, tree")
    said = refused(encoding.decode, read_mask(encoded(grey(1, 77))))
    assert said == "value 77 in 1 pixel, and the classes are 0 to 2 (255 does not count; data.classes names them)"
    indices = palette(grey(1, 2), BLACK, RED, GREEN)
    stray = palette(grey(1, 77), BLACK, RED, GREEN)
    assert found(indices, stray, classes=names)[0].name == "palette"


NAMED = {
    "data.classes names 3, and 2 of 3 masks hold others than 0 to 2: 77, first 1.png: 77 in 1 pixel; write below data "
    "'colors: {class_0: [0, 0, 0], class_1: [1, 1, 1], class_2: [2, 2, 2], class_3: [77, 77, 77]}' in place of "
    "classes, with your names and the background first, or 'ignore: 77' if it does not count": [
        grey(1),
        grey(1, 77),
        grey(2, 77),
    ],
    "data.classes names 3, and 1 of 1 masks hold others than 0 to 2: 3, 4, first 0.png: 3 in 2 pixels; write below "
    "data 'encoding: instances' if each number is an object, or 'classes: [a, b, c, class_3, class_4]' with your "
    "names": [grey(1, 2, 3, 3, 4, 255)],
    "data.classes names 3, and 1 of 1 masks hold others than 0 to 2: 9, first 0.png: 9 in 1 pixel; write below data "
    "'encoding: instances' if each number is an object, or 'classes: [a, b, c, class_3, class_4, class_5, class_6, "
    "class_7, class_8, class_9]' with your names": [palette(grey(1, 2, 9, 255), BLACK, RED, GREEN)],
}


@pytest.mark.parametrize(("told", "masks"), NAMED.items(), ids=["colours", "ids", "palette"])
def test_classes_that_are_named_and_most_masks_with_other_values(told, masks):
    assert refused(found, *masks, classes=["a", "b", "c"]).startswith(f"PLACE: ambiguous: {told}")


def test_a_class_that_the_masks_looked_at_do_not_show():
    names = [f"{at}.png" for at in range(1000)]
    masks = Detection(
        lambda: look_at(names, lambda at: read_mask(encoded(grey(1, 2)))), MaskOptions(source="masks"), "PLACE"
    )
    encoding, _ = masks.encoding()
    with pytest.raises(RecipeError) as error:
        encoding.decode(read_mask(encoded(grey(3, 4, 3))))
    assert str(error.value) == (
        "value 3 in 2 pixels, 4 in 1 pixel, and the 200 of 1000 masks that were looked at hold only 0 to 2: write "
        "below data 'classes: [class_0, class_1, class_2, class_3, class_4]' with your names, one for each value that "
        "is a class; a mask with another is told as bad then"
    )
    with pytest.raises(RecipeError, match=r"^value 200 in 1 pixel, .* 'classes: \[class_0, class_1, class_2\]' with"):
        encoding.decode(read_mask(encoded(grey(200))))
