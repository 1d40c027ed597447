"""A table's column of mask files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.csv_table import Csv, CsvOptions

MASK = {"mask": Truth("uint8", (None, None))}
BOTH = MASK | {"instances": Truth("uint16", (None, None), trains=False)}


def table(place: Path, text: str, truth=MASK, **options) -> Csv:
    (place / "t.csv").write_text(text)
    return Csv(CsvOptions(source="csv", path=str(place / "t.csv"), **options), truth)


def table_refused(root: Path, text: str, truth=MASK, **options) -> str:
    with pytest.raises(InputError) as error:
        table(root, text, truth, **options)
    return str(error.value).replace(str(root), "ROOT")


def test_a_column_of_masks(draw, mark, caplog, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/1.png", "m/2.png")
    source = table(root, "path,mask,split\ni/a.jpg,m/2.png,train\ni/b.jpg,./m/1.png,val\n", classes=["no", "yes"])
    assert source.class_names == ["no", "yes"] and pairs(source, "m/2.png", "m/1.png")
    assert source.splits == {"train": [0], "validation": [1]} and source.columns["mask"] == ["m/2.png", "./m/1.png"]
    assert "masks: 0/255 in one channel: no and yes" in caplog.text
    before = source.stamp(0)
    os.utime(root / "m/2.png", ns=(1, 1))
    assert source.stamp(0) != before


def test_a_column_of_masks_beside_others(draw, mark, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/1.png", "m/2.png")
    text = "picture;age;M\na.jpg;3;../m/1.png\nb.jpg;4;../m/2.png\n"
    columns = {"path": "picture", "mask": "M"}
    source = table(root, text, MASK | {"age": Truth("float32")}, columns=columns, delimiter=";", root=str(root / "i"))
    assert [float(source.truth(at)["age"]) for at in (0, 1)] == [3, 4] and pairs(source, "m/1.png", "m/2.png")


def test_a_column_of_object_numbers(draw):
    root = draw("i/a.jpg")
    pixels = np.zeros((12, 16), np.uint16)
    pixels[0, :3] = 4, 4, 9
    Image.fromarray(pixels).save(root / "a.png")
    source = table(root, "path,mask\ni/a.jpg,a.png\n", BOTH, instances="separated")
    assert source.truth(0)["instances"][0, :4].tolist() == [4, 4, 9, 0]
    assert source.truth(0)["mask"][0, :4].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,mask\ni/a.jpg,\n", "ROOT/t.csv:2: no mask"),
        ("path,masks\ni/a.jpg,m/1.png\n", "ROOT/t.csv:1: no column 'mask': did you mean masks? (data.columns.mask"),
        (
            "path,mask\ni/a.jpg,m/1.png\ni/b.jpg,m/9.png\n",
            "ROOT/t.csv:3: no mask ROOT/m/9.png: data.root is the folder",
        ),
        ("path,mask\ni/a.jpg,7.png\ni/b.jpg,9.png\n", "no mask ROOT/7.png (2 of 2 masks are missing): data.root"),
        ("path,mask\ni/a.jpg,m/1.jpg\n", "ROOT/t.csv: masks: 1 of 1 masks are JPEG (first m/1.jpg): compression"),
    ],
)
def test_wrong_columns_of_masks(draw, mark, text, told):
    draw("i/a.jpg", "i/b.jpg", "m/1.jpg")
    assert told in table_refused(mark("m/1.png"), text)


def test_the_ambiguous_masks_of_a_table(draw):
    root = draw("i/a.jpg")
    Image.fromarray(np.eye(12, 16, dtype=np.uint8) * 38).save(root / "a.png")
    assert table_refused(root, "path,mask\ni/a.jpg,a.png\n").startswith(
        "ROOT/t.csv: masks: ambiguous: the values 0, 38"
    )
