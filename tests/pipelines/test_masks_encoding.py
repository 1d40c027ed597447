"""What the pixels of masks mean: found out, told in one line, or refused with the line to write."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mask_images import BLACK, GREEN, RED, WHITE, encoded, grey, palette, rgb
from PIL import Image
from pydantic import ValidationError

from saccade.models.errors import InputError, RecipeError
from saccade.pipelines.data.formats.mask_encoding import Encoding, MaskOptions
from saccade.pipelines.data.formats.mask_files import find_encoding
from saccade.pipelines.data.formats.mask_image import MAX_LOOKED_AT, look_at, read_mask


def found(*masks, **options) -> tuple[Encoding, str]:
    images = [each if isinstance(each, bytes) else encoded(each) for each in masks]
    names = [f"{at}.png" for at in range(len(images))]
    options = MaskOptions(source="masks", **options)
    return find_encoding(lambda: look_at(names, lambda at: read_mask(images[at])), options, "PLACE")


def decoded(encoding: Encoding, mask) -> list[int]:
    """The first four pixels of the mask's first row, as class ids."""
    values = encoding.decode(read_mask(encoded(mask)))["mask"]
    assert values.dtype == np.uint8 and values.shape == (4, 8)
    return values[0, :4].tolist()


def refused(call: Callable, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "mask",
    [
        grey(0, 255),
        Image.fromarray(grey(0, 255)).convert("1"),
        Image.fromarray(grey(0, 255)).convert("RGB"),
        Image.fromarray(grey(0, 255)).convert("RGBA"),
        Image.fromarray(grey(0, 255)).convert("LA"),
    ],
    ids=["grey", "1 bit", "RGB", "RGBA", "grey and alpha"],
)
def test_0_and_255(mask):
    encoding, told = found(mask)
    assert told == "0/255 in one channel: background and foreground"
    assert encoding.class_names == ["background", "foreground"]
    assert decoded(encoding, mask) == [0, 1, 0, 0]


def test_class_ids():
    encoding, told = found(grey(0, 3, 1), grey(2, 255), grey(3, 2, 1))
    assert told == (
        "class ids in one channel, 0 to 3, and 255 for what does not count: class_0, class_1, class_2, class_3 "
        "(data.classes names them)"
    )
    assert decoded(encoding, grey(3, 255, 1)) == [3, 255, 1, 0]
    encoding, told = found(grey(0, 1))
    assert encoding.class_names == ["background", "foreground"] and told.startswith("class ids in one channel, 0 to 1,")


def test_names_of_classes_settle_how_many_there_are():
    names = [f"thing {at}" for at in range(151)]
    encoding, told = found(grey(0, 4, 150, 77), classes=names)  # gaps, and more than anyone would guess
    assert encoding.class_names == names and told.endswith("thing 15 and 135 more")
    assert decoded(encoding, grey(150, 77, 255)) == [150, 77, 255, 0]
    assert found(grey(0), classes=["a", "b"])[0].class_names == ["a", "b"]


def test_another_value_that_does_not_count():
    encoding, _ = found(grey(1, 2, 9), ignore=9)
    assert encoding.class_names == ["class_0", "class_1", "class_2"]
    assert decoded(encoding, grey(1, 2, 9)) == [1, 2, 255, 0]
    encoding, _ = found(grey(1, 2, 3), ignore=0, encoding="ids", classes=["none", "a", "b", "c"])
    assert decoded(encoding, grey(1, 3)) == [1, 3, 255, 255]
    encoding, told = found(grey(128, 255), ignore=128)
    assert told.startswith("0/255 in one channel")
    assert decoded(encoding, grey(128, 255, 1)) == [255, 1, 1, 0]


def test_a_palette_gives_its_indices_and_never_its_colours():
    mask = palette(grey(2, 1, 255), BLACK, RED, GREEN)
    encoding, told = found(mask)
    assert told.startswith("indices of palettes, 0 to 2, and 255 for what does not count: class_0, class_1, class_2")
    assert decoded(encoding, mask) == [2, 1, 255, 0]
    assert decoded(found(mask, classes=["sky", "road", "tree"])[0], mask) == [2, 1, 255, 0]


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_without_loss(kind):
    encoding, _ = found(encoded(grey(0, 255), kind))
    values = encoding.decode(read_mask(encoded(grey(0, 255), kind)))["mask"]
    assert values[0, :3].tolist() == [0, 1, 0]


def test_colours_of_a_table():
    colors = {"grass": GREEN, "ignore": WHITE, "roof": RED, "none": BLACK}
    encoding, told = found(encoding="auto", colors=colors)
    assert told == "colours of data.colors: grass, roof, none" and encoding.class_names == ["grass", "roof", "none"]
    assert decoded(encoding, rgb(RED, GREEN, WHITE)) == [1, 0, 255, 2]
    assert decoded(encoding, palette(grey(1, 2, 3), BLACK, RED, GREEN, WHITE)) == [1, 0, 255, 2]
    assert decoded(encoding, grey(255)) == [255, 2, 2, 2]  # RGB without any colour, too
    encoding, _ = found(colors={"low": [38, 38, 38], "high": [75, 75, 75], "none": BLACK})
    assert decoded(encoding, grey(75, 38)) == [1, 0, 2, 2]


@given(arrays(np.uint8, (4, 8), elements=st.integers(0, 4)))
def test_colours_against_a_table_by_hand(ids):
    table = np.array([BLACK, RED, (1, 2, 3), (3, 2, 1), WHITE], np.uint8)
    colors = {f"c{at}": tuple(color) for at, color in enumerate(table.tolist())}
    encoding, _ = found(colors=colors)
    assert (encoding.decode(read_mask(encoded(table[ids])))["mask"] == ids).all()


def test_object_numbers_of_16_bits():
    mask = grey(300, 300, 7, 9, dtype=np.uint16)
    encoding, told = found(mask, grey(1, dtype=np.uint16))
    assert told == (
        "object numbers, 16 bits, up to 3 in one mask: background, foreground (data.instances=foreground; if each "
        "number is a class, write below data 'encoding: ids' and 'classes: [...]')"
    )
    values = encoding.decode(read_mask(encoded(mask)))
    assert values["instances"].dtype == np.uint16 and (values["instances"] == mask).all()
    assert (values["mask"] == (mask > 0)).all()


def test_class_ids_of_16_bits_where_the_recipe_says_so():
    mask = grey(2, 1, 65535, 2, dtype=np.uint16)
    encoding, told = found(mask, encoding="ids", classes=["sky", "road", "tree"], ignore=65535)
    assert told.startswith("class ids in one channel, 0 to 2, and 65535 for what does not count: sky, road, tree")
    assert encoding.decode(read_mask(encoded(mask)))["mask"].dtype == np.uint8
    assert decoded(encoding, mask) == [2, 1, 255, 2]
    assert decoded(encoding, grey(2, 1)) == [2, 1, 0, 0]  # beside others of 8 bits


@pytest.mark.parametrize(
    "mask", [grey(1, 2, 255), palette(grey(1, 2, 255), BLACK, RED, GREEN)], ids=["grey", "palette"]
)
def test_object_numbers_of_8_bits_have_to_be_called_so(mask):
    encoding, _ = found(encoding="instances", instances="boundary", classes=["none", "cell", "rim"])
    assert encoding.class_names == ["none", "cell", "rim"]
    assert encoding.decode(read_mask(encoded(mask)))["instances"][0, :4].tolist() == [1, 2, 255, 0]


AMBIGUOUS = {
    "PLACE: ambiguous: the values 0, 1, 255; write below data 'encoding: ids' if each number is a class, and 255 does "
    "not count, or 'encoding: instances' if each number is an object, or 'encoding: binary' if black is the background "
    "and white the foreground, or 'colors: {class_0: [0, 0, 0], class_1: [1, 1, 1], class_2: [255, 255, 255]}' with "
    "your names and the background first, if each colour is a class": [grey(1), grey(255)],
    "PLACE: ambiguous: the values 0, 38, 75, 113; write below data 'encoding: ids' if each number is a class, or "
    "'encoding: instances' if each number is an object, or 'colors: {class_0: [0, 0, 0], class_1: [38, 38, 38], "
    "class_2: [75, 75, 75], class_3: [113, 113, 113]}' with your names and the background first": [
        grey(38, 38, 75),
        grey(38, 75, 113),
    ],
    "PLACE: ambiguous: the values 0, 1, 2, 254, 255 (values in between come of JPEG compression or smooth edges: save "
    "masks without); write below data 'encoding: ids' if each number is a class, and 255 does not count, or ": [
        grey(1, 2, 254, 255)
    ],
    "PLACE: ambiguous: the values 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 and 24 more; write below data "
    "'encoding: ids' if each number is a class, or 'encoding: instances' if each number is an object": [
        grey(*range(0, 20)),
        grey(*range(20, 40)),
    ],
    "PLACE: ambiguous: numbers from 1 without a gap in every mask, up to 6; write below data 'encoding: ids' if each": [
        grey(*range(count)) for count in (2, 5, 3, 7, 1)
    ],
    "PLACE: ambiguous: palettes differ, index 1 is [255, 0, 0] in 0.png and [0, 255, 0] in 1.png; write below data "
    "'encoding: palette' if each number is a class, or 'encoding: instances' if each number is an object, or "
    "'colors: {": [
        palette(grey(1, 2), BLACK, RED, GREEN),
        palette(grey(1, 2), BLACK, GREEN, RED),
    ],
    "PLACE: ambiguous: a grey palette in which a higher index is darker; write below data": [
        palette(grey(1), WHITE, BLACK)
    ],
    "PLACE: ambiguous: not of one kind: 2 are one channel of 8 bits (first 1.png), 1 are a palette image (first "
    "0.png); write below data 'encoding: instances' if each number is an object, or 'colors: {class_0: [0, 0, 0], ": [
        palette(grey(1, 1, 1), BLACK, RED),
        grey(1),
        grey(1),
    ],
    "PLACE: ambiguous: not of one kind: 1 are one channel of 16 bits (first 0.png), 1 are one channel of 8 bits (first "
    "1.png); write below data 'encoding: ids' if each number is a class, or 'encoding: instances' if": [
        grey(1, dtype=np.uint16),
        grey(1),
    ],
    "PLACE: not of one kind: 1 are one channel of 16 bits (first 0.png), 1 are RGB (first 1.png): save "
    "masks all alike": [
        grey(1, dtype=np.uint16),
        rgb(RED),
    ],
    "PLACE: masks in RGB need a table of colours, and hold [0, 0, 0] 90.6 %, [255, 0, 0] 6.25 %, [0, 255, 0] 3.12 %; "
    "write below data 'colors: {class_0: [0, 0, 0], class_1: [0, 255, 0], class_2: [255, 0, 0]}' with your names and "
    "the background first": [
        rgb(GREEN, RED, RED),
    ],
    "PLACE: nothing but the value 0, the background: give masks that show more, or name the classes in data.classes, "
    "if there are others that do": [grey(), grey()],
    "PLACE: nothing but the value 7: give masks that show more": [grey(*[7] * 32)],
}


@pytest.mark.parametrize(
    ("told", "masks"), AMBIGUOUS.items(), ids=lambda each: each[:60] if isinstance(each, str) else ""
)
def test_what_is_ambiguous_is_refused_with_the_line_to_write(told, masks):
    assert refused(found, *masks).startswith(told)


def test_lines_that_are_told_do_settle_it():
    assert decoded(found(encoding="binary")[0], grey(1, 255)) == [1, 1, 0, 0]
    assert decoded(found(grey(1), encoding="ids")[0], grey(1, 255)) == [1, 255, 0, 0]
    inverse = palette(grey(1), WHITE, BLACK)
    assert decoded(found(encoding="binary")[0], inverse) == [0, 1, 1, 1]
    assert decoded(found(inverse, encoding="palette")[0], inverse) == [1, 0, 0, 0]


def test_two_named_classes_leave_255_ambiguous():
    """255 is the second class in one reading, and does not count in the other, which would leave nothing to learn."""
    for masks in ([grey(1), grey(255)], [grey(7), grey(255)]):
        assert "'encoding: binary' if black is the background" in refused(found, *masks, classes=["a", "b"])
    assert found(grey(1, 255), grey(2), classes=["a", "b", "c"])[0].name == "ids"


@pytest.mark.parametrize("encoding", ["ids", "palette"])
def test_most_masks_hold_more_than_the_named_classes(encoding):
    masks = [grey(1), grey(1, 3), grey(2, 3)]
    if encoding == "palette":
        masks = [palette(each, BLACK, RED, GREEN, WHITE) for each in masks]
    assert refused(found, *masks, classes=["a", "b", "c"]).startswith(
        "PLACE: ambiguous: data.classes names 3, and 2 of 3 masks hold others (first 1.png): the values 0, 1, 2, 3; "
        f"write below data 'encoding: {encoding}' if each number is a class, with names for 0 to 3 in 'classes', or "
        "'encoding: instances' if each number is an object, or 'colors: {class_0: [0, 0, 0], "
    )


def test_black_comes_first_in_the_line_where_it_covers_little():
    assert refused(found, rgb(*[RED] * 20, *[WHITE] * 8)).endswith(
        "hold [255, 0, 0] 62.5 %, [255, 255, 255] 25 %, [0, 0, 0] 12.5 %; write below data 'colors: {class_0: [0, 0, "
        "0], class_1: [255, 0, 0], class_2: [255, 255, 255]}' with your names and the background first"
    )


def test_smooth_colours_are_not_listed_as_classes():
    noise = np.random.default_rng(0).integers(0, 256, (4, 16, 3), np.uint8)
    told = refused(found, noise)
    assert "and 48 more (values in between come of JPEG compression or smooth edges" in told and "class_0" not in told
    assert refused(found, noise, encoding="colors") == told


def test_contradictions_with_the_recipe():
    told = "PLACE: 0/255 in one channel are 2 classes, background, foreground, and data.classes names 3"
    assert refused(found, grey(255), classes=["a", "b", "c"]) == told
    told = refused(found, grey(1, dtype=np.uint16), classes=["a", "b"], instances="boundary")
    assert told == (
        "PLACE: object numbers, by data.instances=boundary, are 3 classes, background, interior, boundary, and "
        "data.classes names 2: if each number is a class, write below data 'encoding: ids' and 'classes: [...]'"
    )
    told = refused(found, rgb(RED), encoding="ids")
    assert told == "PLACE: 0.png: RGB, and the encoding 'ids' is one channel of 8 bits or one channel of 16 bits"
    told = refused(found, classes=[str(at) for at in range(256)], encoding="ids")
    assert told == "PLACE: 256 classes, and at most 255 can be told apart"
    assert refused(found, grey(1, dtype=np.uint16), encoding="colors").startswith("PLACE: one channel of 16 bits, and")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"colors": {"a": RED, "b": RED}}, "'a' and 'b' have the same colour"),
        ({"colors": {"a": RED}, "classes": ["a"]}, "leave data.classes out"),
        ({"colors": {"a": RED}, "encoding": "ids"}, "data.encoding=ids has no use for colours"),
        ({"colors": {"a": (0, 0)}}, "should have at least 3 items"),
        ({"colors": {"a": (0, 0, 256)}}, "less than or equal to 255"),
        ({"classes": ["a", "b", "a"]}, "class 'a' is given twice"),
        ({"ignore": 65536}, "less than or equal to 65535"),
    ],
)
def test_options_that_contradict_each_other(options, told):
    with pytest.raises(ValidationError, match=told):
        MaskOptions(source="masks", **options)


def test_a_large_set_is_looked_at_here_and_there():
    looked = []

    def read(at):
        looked.append(at)
        return read_mask(encoded(grey(255)))

    names = [f"{at}.png" for at in range(1000)]
    options = MaskOptions(source="masks")
    _, told = find_encoding(lambda: look_at(names, read), options, "PLACE")
    assert told.endswith(f"({MAX_LOOKED_AT} of 1000 looked at)")
    assert len(looked) == MAX_LOOKED_AT and {0, 999} <= set(looked) and max(np.diff(sorted(looked))) <= 6


def test_a_broken_mask_does_not_hide_what_the_others_are():
    assert found(b"broken", grey(255))[1].startswith("0/255")
    assert refused(found, b"broken") == "not an image (PNG, BMP, GIF or TIFF)"


def test_classes_that_are_named_and_a_mask_with_another_value():
    masks, names = [grey(1, 2, 255)] * 30, ["sky", "road", "tree"]
    encoding, told = found(*masks, grey(1, 77), classes=names)
    assert told.endswith("sky, road, tree")
    said = refused(encoding.decode, read_mask(encoded(grey(1, 77))))
    assert said == "value 77 in 1 pixel, and the classes are 0 to 2 (255 does not count; data.classes names them)"
    indices = palette(grey(1, 2), BLACK, RED, GREEN)
    stray = palette(grey(1, 77), BLACK, RED, GREEN)
    assert found(indices, stray, classes=names)[0].name == "palette"


def test_a_class_that_the_masks_looked_at_do_not_show():
    names = [f"{at}.png" for at in range(1000)]
    masks, options = encoded(grey(1, 2)), MaskOptions(source="masks")
    encoding, _ = find_encoding(lambda: look_at(names, lambda at: read_mask(masks)), options, "PLACE")
    with pytest.raises(RecipeError) as error:
        encoding.decode(read_mask(encoded(grey(3, 4, 3))))
    assert str(error.value) == (
        "value 3 in 2 pixels, 4 in 1 pixel, and the 200 of 1000 masks that were looked at hold only 0 to 2: write "
        "below data 'classes: [class_0, class_1, class_2, class_3, class_4]' with your names, one for each value that "
        "is a class; a mask with another is told as bad then"
    )
    with pytest.raises(RecipeError, match=r"^value 200 in 1 pixel, .* 'classes: \[class_0, class_1, class_2\]' with"):
        encoding.decode(read_mask(encoded(grey(200))))
