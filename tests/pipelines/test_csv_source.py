"""Tables of images: paths, truth columns, masks, splits, groups, and what is wrong with them by line."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.csv_table import Csv, CsvOptions, read_rows

LABEL = {"label": Truth("int32", role="class_ids")}
LABELS = {"labels": Truth("float32", (None,), role="multi_hot")}
AGE = {"age": Truth("float32")}


@pytest.fixture
def table(draw):
    """`table(text)`: a CSV file beside the images 1.png, 2.png, 3.png and sub/4.png."""

    def written(text: str | bytes) -> Path:
        file = draw("1.png", "2.png", "3.png", "sub/4.png") / "table.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return written


def opened(path, truth=LABEL, **options) -> Csv:
    return Csv(CsvOptions(source="csv", path=str(path), **options), truth)


def refused(path, truth=LABEL, **options) -> str:
    with pytest.raises(InputError) as error:
        opened(path, truth, **options)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path.parent), "ROOT")


def values(source: Csv, name: str) -> list:
    return [source.truth(position)[name].tolist() for position in range(len(source))]


def test_labels_are_class_names(table):
    file = table("path,label\n1.png,dog\nsub/4.png,cat\n./2.png,dog\n")
    source = opened(file)
    assert source.class_names == ["cat", "dog"] and values(source, "label") == [1, 0, 1]
    assert source.keys == ["1.png", "sub/4.png", "2.png"]
    assert source.read(1) == {"bytes": (file.parent / "sub/4.png").read_bytes()}
    assert source.where(1) == str(file.parent / "sub/4.png") and source.stamp(1)
    assert source.truth(0)["label"].dtype == np.int32 and source.truth(0)["label"].shape == ()
    assert source.groups == source.keys and source.splits == {}


def test_numbers_as_labels_are_class_names_too(table):
    source = opened(table("path,label\n1.png,10\n2.png,9\n3.png,10\n"))
    assert source.class_names == ["10", "9"] and values(source, "label") == [0, 1, 0]


def test_the_order_of_classes_can_be_given(table):
    source = opened(table("path,label\n1.png,b\n2.png,a\n"), classes=["c", "b", "a"])
    assert source.class_names == ["c", "b", "a"] and values(source, "label") == [1, 2]


def test_spreadsheets_bom_quotes_blank_lines_and_line_ends(table):
    text = '\ufeff"path", label\r\n\r\n1.png, "big, black ""dog"""\r\n,\r\n 2.png , cat ,\r\n\r\n'
    source = opened(table(text))
    assert source.class_names == ['big, black "dog"', "cat"] and source.keys == ["1.png", "2.png"]


def test_several_labels(table):
    source = opened(table("path,labels\n1.png,red | round\n2.png,\n3.png,round|\n"), LABELS, separator="|")
    assert source.class_names == ["red", "round"]
    assert values(source, "labels") == [[1, 1], [0, 0], [0, 1]]
    assert source.truth(0)["labels"].dtype == np.float32 and source.truth(0)["labels"].shape == (2,)


def test_numbers(table):
    source = opened(table("path,age,count\n1.png,1.5,3\n2.png,-2e3,4\n"), AGE | {"count": Truth("int32")})
    assert values(source, "age") == [1.5, -2000.0] and values(source, "count") == [3, 4]
    assert source.truth(0)["age"].dtype == np.float32 and source.truth(0)["count"].dtype == np.int32
    assert source.class_names == []


def test_texts(table):
    """Whoever is in the image, as a task of faces asks for; captions may look like numbers."""
    truth = {"identity": Truth("string", role="group"), "caption": Truth("string")}
    source = opened(table('path,identity,caption\n1.png, Zoë ,12\n2.png,Al,"a dog, running"\n'), truth)
    assert [source.truth(at) for at in (0, 1)] == [
        {"identity": "Zoë", "caption": "12"},
        {"identity": "Al", "caption": "a dog, running"},
    ]
    assert source.class_names == [] and truth["caption"].array(source.truth(0)["caption"]).tolist() == b"12"
    assert refused(table("path,identity,caption\n1.png,Al,\n"), truth) == "ROOT/table.csv:2: no caption"


def test_classes_by_role_and_not_by_name(table):
    file = table("path,species,label\n1.png,owl,3\n2.png,cat,4\n")
    truth = {"species": Truth("int32", role="class_ids"), "label": Truth("float32")}
    source = opened(file, truth)
    assert source.class_names == ["cat", "owl"] and values(source, "species") == [1, 0]
    assert values(source, "label") == [3, 4]


def test_columns_of_other_names_another_delimiter_another_root(table):
    file = table("Datei;Art;Satz;Patient\n4.png;x;train;p1\n../1.png;y;Val;p2\n../2.png;y;TEST;p2\n")
    columns = {"path": "Datei", "label": "Art", "split": "Satz", "group": "Patient"}
    source = opened(file, columns=columns, delimiter=";", root=str(file.parent / "sub"))
    assert source.keys[0] == "4.png" and Path(source.keys[1]) == file.parent / "1.png"
    assert source.splits == {"train": [0], "validation": [1], "test": [2]}
    assert source.groups == ["p1", "p2", "p2"]


def test_absolute_paths_inside_the_root_become_relative_keys(table, tmp_path):
    assert opened(table(f"path,label\n{tmp_path}/1.png,a\n2.png,b\n")).keys == ["1.png", "2.png"]


def test_split_and_group_columns_are_used_where_they_stand(table):
    source = opened(table("path,label,split,group\n1.png,a,valid,g\n2.png,b,train,h\n"))
    assert source.splits == {"validation": [0], "train": [1]} and source.groups == ["g", "h"]


def test_columns_are_all_of_the_table_but_those_without_a_name_of_their_own(table):
    source = opened(table("path,label,camera,,x,x\n1.png,a, phone ,1,2,3\n2.png,b,,4,5,6\n"))
    assert source.columns == {"path": ["1.png", "2.png"], "label": ["a", "b"], "camera": ["phone", ""]}


def test_prediction_needs_paths_alone(table):
    source = opened(table("path\n1.png\n2.png\n"), None)
    assert source.keys == ["1.png", "2.png"] and source.truth(0) == {} and source.class_names == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ROOT/table.csv: empty: the first line names the columns"),
        ("\n\n", "ROOT/table.csv: empty: the first line names the columns"),
        ("path,label\n\n", "ROOT/table.csv: no rows below the header"),
        ("path,labels\n1.png,a\n", "ROOT/table.csv:1: no column 'label': did you mean labels?"),
        ("file,label\n1.png,a\n", "ROOT/table.csv:1: no column 'path': known: file, label (data.columns.path names"),
        ("path;label\n1.png;a\n", "separated by ';': say 'data.delimiter=;'"),
        ("path,label,label\n1.png,a,b\n", "ROOT/table.csv:1: 2 columns are called 'label'"),
        ("path,label\n1.png,a\n2.png\n", "ROOT/table.csv:3: 1 cells, and the header names 2 columns"),
        ("path,label\n1.png,a,b\n", "ROOT/table.csv:2: 3 cells, and the header names 2 columns"),
        ("path,label\n1.png,\n2.png,a\n3.png,b\n", "ROOT/table.csv:2: no label"),
        ("path,label\n,a\n2.png,b\n", "ROOT/table.csv:2: no path"),
        ("path,label\n1.png,a\n2.png,a\n", "only one class, 'a'; it takes two or more"),
        ("path,label\n1.png,a\n\n./1.png,b\n", "ROOT/table.csv:4: '1.png' stands in line 2 already"),
        ("path,label\n1.png,a\n7.png,b\n", "ROOT/table.csv:3: no image ROOT/7.png: data.root is the folder"),
        ("path,label\n1.png,a\n7.png,b\n8.png,b\n", "no image ROOT/7.png (2 of 3 images are missing): data.root"),
        ("path,label,split\n1.png,a,trian\n2.png,b,test\n", "ROOT/table.csv:2: split 'trian': did you mean train?"),
        ("path,label,split\n1.png,a,train\n2.png,b,\n", "ROOT/table.csv:3: split '': known: test, train, val"),
        ("path,label,group\n1.png,a,g\n2.png,b,\n", "ROOT/table.csv:3: no group"),
        ('path,label\n1.png,"a\n2.png,b\n', "ROOT/table.csv:2: not CSV: unexpected end of data"),
        (b"path,label\n1.png,caf\xe9\n", "ROOT/table.csv: not UTF-8: save the table as UTF-8"),
    ],
)
def test_wrong_tables(table, text, told):
    assert told in refused(table(text))


def test_label_outside_the_classes(table):
    file = table('path,label\n1.png,cat\n\n"2.png","dgo"\n')
    told = "ROOT/table.csv:4: label 'dgo' is not in data.classes: did you mean dog?"
    assert refused(file, classes=["cat", "dog"]) == told


def test_one_of_several_labels_outside_the_classes(table):
    file = table("path,labels\n1.png,red\n2.png,red|rund\n")
    told = "ROOT/table.csv:3: labels 'rund' is not in data.classes: did you mean round?"
    assert refused(file, LABELS, classes=["red", "round"], separator="|") == told


def test_the_line_is_where_the_row_begins(table):
    assert refused(table('path,label\n1.png,"a\nb"\n2.png,"c\n\nd"\n9.png,b\n')).startswith("ROOT/table.csv:7: no imag")


def test_several_labels_need_a_separator(table):
    assert refused(table("path,labels\n1.png,a\n"), LABELS).endswith("say what separates them, 'data.separator=|'")


def test_no_labels_at_all(table):
    told = "column of 'labels': no class names at all"
    assert refused(table("path,labels\n1.png,\n"), LABELS, separator="|") == told


@pytest.mark.parametrize(
    ("cell", "dtype", "told"),
    [
        ("old", "float32", "age 'old' is not a number"),
        ("", "float32", "age '' is not a number"),
        ("nan", "float32", "age 'nan' is not a finite number of type float32"),
        ("1e39", "float32", "age '1e39' is not a finite number of type float32"),
        ("1.5", "int32", "age '1.5' is not a whole number of type int32"),
        ("300", "uint8", "age '300' is not a whole number of type uint8"),
    ],
)
def test_not_a_number(table, cell, dtype, told):
    file = table(f"path,age\n1.png,3\n2.png,{cell}\n")
    assert refused(file, {"age": Truth(dtype)}) == f"ROOT/table.csv:3: {told}"


def test_truth_that_no_cell_holds(table):
    told = refused(table("path,boxes\n1.png,3\n"), {"boxes": Truth("float32", (None, 4))})
    assert told == (
        "ROOT/table.csv: no column 'mask', whose objects would have boxes: data.source=box_table reads a table with a "
        "row for each box"
    )


def test_columns_for_what_nobody_wants(table):
    told = refused(table("path,label\n1.png,a\n"), columns={"lable": "label"})
    assert told == "data.columns.lable: the task wants no 'lable': did you mean label?"


def test_a_named_split_column_must_be_there(table):
    told = refused(table("path,label\n1.png,a\n2.png,b\n"), columns={"split": "fold"})
    assert told.startswith("ROOT/table.csv:1: no column 'fold': known: label, path (data.columns.split")


def test_missing_file_and_folder(tmp_path):
    assert refused(tmp_path / "no.csv") == "data.path=ROOT/no.csv: no such file"
    (tmp_path / "sub").mkdir()
    told = "data.path=ROOT/sub: a folder, not a CSV file: data.source=folder reads folders"
    assert refused(tmp_path / "sub") == told


def test_a_class_given_twice():
    with pytest.raises(ValidationError, match="class 'a' is given twice"):
        CsvOptions(source="csv", path="x.csv", classes=["a", "b", "a"])


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
def test_reads_what_the_csv_module_writes(tmp_path_factory, rows):
    import csv

    file = tmp_path_factory.mktemp("csv") / "t.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("a", "b"), *rows])
    read = read_rows(str(file), ",", {"a": "a", "b": "b"}, [])
    assert [(row.cells["a"], row.cells["b"]) for row in read] == [(a.strip(), b.strip()) for a, b in rows]


MASK = {"mask": Truth("uint8", (None, None))}
BOTH = MASK | {"instances": Truth("uint16", (None, None), trains=False)}


def mask_table(place: Path, text: str, truth=MASK, **options) -> Csv:
    (place / "t.csv").write_text(text)
    return Csv(CsvOptions(source="csv", path=str(place / "t.csv"), **options), truth)


def mask_table_refused(root: Path, text: str, truth=MASK, **options) -> str:
    with pytest.raises(InputError) as error:
        mask_table(root, text, truth, **options)
    return str(error.value).replace(str(root), "ROOT")


def test_a_column_of_masks(draw, mark, caplog, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/1.png", "m/2.png")
    source = mask_table(root, "path,mask,split\ni/a.jpg,m/2.png,train\ni/b.jpg,./m/1.png,val\n", classes=["no", "yes"])
    assert source.class_names == ["no", "yes"] and pairs(source, "m/2.png", "m/1.png")
    assert source.splits == {"train": [0], "validation": [1]} and source.columns["mask"] == ["m/2.png", "./m/1.png"]
    assert "masks: 0/255 in one channel: no and yes" in caplog.text
    before = source.stamp(0)
    os.utime(root / "m/2.png", ns=(1, 1))
    assert source.stamp(0) != before


def test_a_column_of_masks_beside_others(draw, mark, pairs):
    draw("i/a.jpg", "i/b.jpg")
    root = mark("m/1.png", "m/2.png")
    text = "image;age;M\na.jpg;3;../m/1.png\nb.jpg;4;../m/2.png\n"
    columns = {"path": "image", "mask": "M"}
    source = mask_table(
        root, text, MASK | {"age": Truth("float32")}, columns=columns, delimiter=";", root=str(root / "i")
    )
    assert [float(source.truth(at)["age"]) for at in (0, 1)] == [3, 4] and pairs(source, "m/1.png", "m/2.png")


def test_a_column_of_object_numbers(draw):
    root = draw("i/a.jpg")
    pixels = np.zeros((12, 16), np.uint16)
    pixels[0, :3] = 4, 4, 9
    Image.fromarray(pixels).save(root / "a.png")
    source = mask_table(root, "path,mask\ni/a.jpg,a.png\n", BOTH, instances="separated")
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
    assert told in mask_table_refused(mark("m/1.png"), text)


def test_the_ambiguous_masks_of_a_table(draw):
    root = draw("i/a.jpg")
    Image.fromarray(np.eye(12, 16, dtype=np.uint8) * 38).save(root / "a.png")
    assert mask_table_refused(root, "path,mask\ni/a.jpg,a.png\n").startswith(
        "ROOT/t.csv: masks: ambiguous: the values 0, 38"
    )
