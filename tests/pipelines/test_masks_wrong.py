"""Images and masks that do not go together: one line each that says what, where, and what to do."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError, RecipeError
from saccade.pipelines.data.formats import mask_image
from saccade.pipelines.data.formats.masks import Masks, MasksOptions

MASK = {"mask": Truth("uint8", (None, None))}
BOTH = MASK | {"instances": Truth("uint16", (None, None), trains=False)}


def opened(root: Path, truth=MASK, path: str = "i", masks: str = "m", **options) -> Masks:
    places = {"path": str(root / path), "masks": str(root / masks) if masks else ""}
    return Masks(MasksOptions(source="masks", **places, **options), truth)


def refused(root: Path, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        opened(root, *arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(root), "ROOT")


def bad(source, position: int, root: Path) -> str:
    with pytest.raises(InputError) as error:
        source.truth(position)
    return str(error.value).replace(str(root), "ROOT")


def test_no_such_folder(draw, mark):
    root = draw("i/a.jpg")
    assert refused(root) == "data.masks=ROOT/m: no such folder"
    assert refused(mark("m/a.png"), path="no") == "data.path=ROOT/no: no such folder"


def test_an_empty_folder_of_masks(draw):
    root = draw("i/a.jpg")
    (root / "m").mkdir()
    formats = "png, bmp, gif, tif, tiff, jpg, jpeg, webp"
    assert refused(root) == f"data.masks=ROOT/m: no masks ({formats}) in it"
    (root / "m/a.json").write_text("{}")
    assert refused(root) == f"data.masks=ROOT/m: no masks ({formats}) in it; other files: 1"


def test_no_word_about_masks(draw):
    root = draw("i/a.jpg")
    told = (
        "data.path=ROOT/i: and where are the masks: data.masks is their folder, or, where they lie beside the "
        "images, say how they are called, for example data.match='{path}_mask.png'"
    )
    assert refused(root, masks="") == refused(root, masks="i") == told


def test_half_the_masks_are_missing(draw, mark):
    draw(*(f"i/x/{at}.jpg" for at in range(6)))
    root = mark(*(f"m/{at}_mask.png" for at in (0, 2, 4)), "m/03_mask.png")
    assert refused(root) == (
        "data.masks=ROOT/m: no mask for 3 of 6 images, first x/1.jpg: looked for x/1.png or 1.png or x/1_*.png; "
        "there is 03_mask.png: data.match says how they are called, and data.exclude leaves images out"
    )


def test_masks_of_other_images(draw, mark):
    draw("i/a.jpg", "i/b.jpg")
    assert refused(mark("m/1.png", "m/2.png")) == (
        "data.masks=ROOT/m: no mask for 2 of 2 images, first a.jpg: looked for a.png or a_*.png; there is 1.png: "
        "data.match says how they are called, and data.exclude leaves images out"
    )


@pytest.mark.parametrize("masks", ["m", ""])
def test_a_pattern_that_finds_nothing(draw, mark, masks):
    draw("i/a.jpg", "i/b.jpg")
    root = mark(*(f"{masks or 'i'}/{name}_mask.png" for name in "ab"))
    told = refused(root, masks=masks, match="{stem}_msk.png")
    assert f"=ROOT/{masks or 'i'}: no mask for " in told and ", first a.jpg: looked for a_msk.png; there is a" in told
    assert told.endswith("a_mask.png: data.match is '{stem}_msk.png', and data.exclude leaves images out")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{name}_mask.png", r"it has no '\{name\}': known: folder, path, stem"),
        ("{stm}.png", "did you mean stem"),
        ("mask.png", "it takes '{path}', '{folder}' or '{stem}' of the image"),
    ],
)
def test_patterns_without_a_meaning(pattern, told):
    with pytest.raises(ValidationError, match=told):
        MasksOptions(source="masks", path="x", match=pattern)


def test_two_masks_for_one_image(draw, mark, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/a.png", "m/a.bmp", "m/b.png")
    say = ": say which, for example by data.match='{path}_mask.png'"
    assert refused(root) == f"data.masks=ROOT/m: two masks for one image, a.bmp and a.png{say}"
    assert pairs(opened(root, match="{path}.png"), "m/a.png", "m/b.png")
    root = mark(*(f"n/{name}_{kind}.png" for name in "ab" for kind in ("cells", "nuclei")))
    told = refused(root, masks="n")
    assert told == f"data.masks=ROOT/n: two masks for one image, they end in '_cells' and in '_nuclei'{say}"


@pytest.mark.parametrize("match", [None, "{stem}.png"])
def test_one_mask_for_two_images(draw, mark, match):
    draw("i/x/a.jpg", "i/y/a.jpg")
    assert refused(mark("m/a.png"), match=match) == (
        "data.masks=ROOT/m: one mask for two images, a.png for x/a.jpg and y/a.jpg: give masks the paths of their "
        "images, or leave images out by data.exclude"
    )


def test_jpeg_masks(draw, mark):
    draw("i/a.png", "i/b.png")
    root = mark("m/a.jpg", "m/b.jpg")
    told = "compression changes class ids at every edge: save masks as PNG"
    assert refused(root) == f"data.masks=ROOT/m: 2 of 2 masks are JPEG (first a.jpg): {told}"
    (root / "n").mkdir()
    (root / "n/a.png").write_bytes((root / "m/a.jpg").read_bytes())
    mark("n/b.png")
    source = opened(root, masks="n")
    assert bad(source, 0, root) == f"mask ROOT/n/a.png: a JPEG: {told}" and source.truth(1)["mask"].any()


def test_one_wrong_mask_is_told_with_its_name(draw, mark):
    draw("i/a.jpg", "i/b.jpg", "i/x/c.jpg")
    root = mark("m/a.png", "m/b.png", "m/x/c.png")
    Image.fromarray(np.full((12, 16), 7, np.uint8)).save(root / "m/x/c.png")
    (root / "m/b.png").write_bytes((root / "m/b.png").read_bytes()[:50])
    source = opened(root, encoding="binary")
    assert bad(source, 2, root) == (
        "mask ROOT/m/x/c.png: value 7 in 192 pixels, and the classes are 0 and 255, or 0 and 1 (encoding 'binary')"
    )
    assert bad(source, 1, root) == "mask ROOT/m/b.png: truncated or broken"


def test_masks_that_are_all_jpeg_under_another_name(draw, mark):
    draw("i/a.jpg", "m/a.jpg")
    root = mark("m/b.png")
    (root / "m/b.png").unlink()
    (root / "m/a.jpg").rename(root / "m/a.png")
    assert refused(root) == (
        "mask ROOT/m/a.png: a JPEG: compression changes class ids at every edge: save masks as PNG"
    )


def test_a_colour_outside_the_table(draw):
    root = draw("i/a.jpg")
    (root / "m").mkdir()
    Image.fromarray(np.full((12, 16, 3), (1, 2, 3), np.uint8)).save(root / "m/a.png")
    assert bad(opened(root, colors={"no": [0, 0, 0], "yes": [255, 0, 0]}), 0, root) == (
        "mask ROOT/m/a.png: colour [1, 2, 3] in 192 pixels, and data.colors has no such: name it there, as 'ignore' if "
        "it does not count"
    )


def test_a_class_that_nobody_looked_at(draw, monkeypatch):
    monkeypatch.setattr(mask_image, "MAX_LOOKED_AT", 2)
    root = draw(*(f"i/{at}.jpg" for at in range(3)))
    (root / "m").mkdir()
    for at in range(3):
        Image.fromarray(np.eye(12, 16, dtype=np.uint8) * (at % 2 + 1)).save(root / f"m/{at}.png")
    source = opened(root)
    assert source.class_names == ["background", "foreground"] and source.truth(2)["mask"].any()
    with pytest.raises(RecipeError) as error:
        source.truth(1)
    assert str(error.value) == (
        f"mask {root}/m/1.png: value 2 in 12 pixels, and the 2 of 3 masks that were looked at hold only 0 to 1: write "
        "below data 'classes: [class_0, class_1, class_2]' with your names, one for each value that is a class; a mask "
        "with another is told as bad then"
    )


def test_a_mask_of_the_image_as_it_is_stored(draw, mark):
    exif = Image.Exif()
    exif[0x0112] = 6
    root = mark("m/a.png", "m/b.png")
    (root / "i").mkdir()
    for name in "ab":
        Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(root / f"i/{name}.jpg", exif=exif)
    with Image.open(root / "m/b.png") as stored:
        upright = stored.transpose(Image.Transpose.ROTATE_270)
    upright.save(root / "m/b.png")
    source = opened(root)
    for _ in range(2):
        assert bad(source, 0, root) == (
            "mask ROOT/m/a.png: 12 x 16 as its image is stored, which EXIF orientation 6 turns to 16 x 12: save the "
            "mask as the image is seen, upright"
        )
        assert source.truth(1)["mask"].shape == (16, 12)


def test_an_ambiguous_folder_names_itself(draw):
    root = draw("i/a.jpg")
    (root / "m").mkdir()
    Image.fromarray(np.eye(12, 16, dtype=np.uint8) * 38).save(root / "m/a.png")
    assert refused(root).startswith(
        "data.masks=ROOT/m: ambiguous: the values 0, 38; write below data 'encoding: ids' if"
    )


def test_splits_that_contradict_each_other(draw, mark):
    draw("i/train/a.jpg", "i/val/b.jpg", "i/other/c.jpg")
    root = mark("m/train/a.png", "m/val/b.png", "m/other/c.png", "m/valid/d.png")
    assert refused(root) == (
        "data.path=ROOT/i: 'other' lies beside the split 'train': leave it out by 'data.exclude=[other]'"
    )
    assert opened(root, exclude=["other"]).splits == {"train": [0], "validation": [1]}
    assert refused(root, exclude=["other", "train"]) == "data.path=ROOT/i: folder 'val' and no 'train' beside it"
    draw("i/valid/d.jpg")
    assert refused(root, exclude=["other"]) == "data.path=ROOT/i: train, val, valid: two folders for one split"


def test_masks_that_do_not_tell_objects_apart(draw, mark):
    draw("i/a.jpg")
    assert refused(mark("m/a.png"), BOTH) == (
        "data.masks=ROOT/m: 0/255 in one channel: background and foreground: they do not tell objects apart, and the "
        "task wants 'instances' (results.instances): give masks that number objects"
    )


def test_truth_it_cannot_bring(draw):
    with pytest.raises(
        InputError,
        match="brings mask, instances, boxes, classes, crowd, difficult, area, and the task wants 'label'",
    ):
        opened(draw("i/a.jpg"), {"label": Truth("int32")})


def test_zip_files_that_are_none(draw, mark):
    draw("i/a.jpg")
    root = mark("m/a.png")
    with zipfile.ZipFile(root / "all.zip", "w") as file:
        file.write(root / "m/a.png", "m/a.png")
    assert refused(root, masks="all.zip/n") == "data.masks=ROOT/all.zip/n: no folder 'n' in the zip file"
    (root / "broken.zip").write_bytes(b"PK")
    assert refused(root, masks="broken.zip").startswith("data.masks=ROOT/broken.zip: not a readable zip file")
