"""Predictions from files: what is found, what is written, what is said of a bad image."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageOps

import saccade
from saccade.models.contract import plain
from saccade.models.errors import InputError
from saccade.models.inputs.image.files import find_images
from saccade.models.predictor import Predictor
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.predicting.answer_files import write_csv, write_jsonl
from saccade.pipelines.predicting.predict import predict


@pytest.fixture(scope="module")
def predictor(digits_run):
    return Predictor.load(digits_run)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve digits as PNG files."""
    folder = tmp_path_factory.mktemp("images")
    digits = find_source("digits")
    source = digits(digits.Options(source="digits"), None)
    for position in range(12):
        (folder / f"{position:02}.png").write_bytes(source.read(position)["bytes"])
    return folder


def test_places(images, tmp_path, monkeypatch):
    everything = find_images([str(images)])
    assert len(everything) == 12
    assert find_images([str(images / "0*.png")]) == everything[:10]
    assert find_images([everything[3]]) == [everything[3]]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{everything[1]}\n\n{everything[0]}\n"))
    assert find_images(["-"]) == [everything[1], everything[0]]
    with pytest.raises(InputError, match="nothing.png: no image here"):
        find_images([str(tmp_path / "nothing.png")])


def test_the_verb_as_a_function(digits_run, predictor, images, tmp_path):
    answers = list(saccade.predict(digits_run, images, draw=tmp_path / "drawn"))
    expected = predictor.predict(sorted(images.iterdir()))
    assert [answer.results["class"] for answer in answers] == [each["class"] for each in expected]
    assert len(list((tmp_path / "drawn").iterdir())) == 12
    with pytest.raises(InputError, match="no image here"):
        saccade.predict(digits_run, tmp_path / "nothing.png")


def test_json_lines(named, predictor, images):
    out = io.StringIO()
    assert write_jsonl(predict(predictor, named(find_images([str(images)])), batch=5), predictor.task, out) == 0
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    expected = predictor.predict(sorted(images.iterdir()))
    assert len(rows) == 12
    for row, results in zip(rows, expected, strict=True):
        assert row["class"] == results["class"].decode()
        np.testing.assert_allclose(row["probabilities"], results["probabilities"], rtol=1e-6)


def test_csv(named, predictor, images):
    out = io.StringIO()
    write_csv(predict(predictor, named(find_images([str(images)]))), predictor.task, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 12
    assert sum(float(rows[0][f"probabilities/{digit}"]) for digit in range(10)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_image_is_named_and_the_others_are_answered(named, predictor, images, tmp_path, caplog, place):
    good = sorted(map(str, images.iterdir()))[:3]
    bad = tmp_path / "text.jpg"
    bad.write_text("no image")
    files = [*good[:place], str(bad), *good[place:], str(tmp_path / "gone.png")]
    out, table = io.StringIO(), io.StringIO()
    assert write_jsonl(predict(predictor, named(files)), predictor.task, out) == 2
    rows = {row["file"]: row for row in map(json.loads, out.getvalue().splitlines())}
    assert list(rows) == files
    assert "JPEG, PNG" in rows[str(bad)]["error"]
    assert "No such file" in rows[files[-1]]["error"]
    assert all("class" in rows[each] for each in good)
    assert write_csv(predict(predictor, named(files)), predictor.task, table) == 2
    by_file = {row["file"]: row for row in csv.DictReader(io.StringIO(table.getvalue()))}
    assert by_file[str(bad)]["error"] and by_file[good[0]]["class"]


def test_drawings(named, predictor, images, tmp_path):
    files = sorted(map(str, images.iterdir()))[:2]
    list(predict(predictor, named(files), draw=tmp_path / "drawn"))
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert [each.name for each in drawn] == ["00000_00.png", "00001_01.png"]


def test_paths_bytes_arrays_and_pil_images_are_equal(predictor, images):
    path = sorted(images.iterdir())[0]
    with Image.open(path) as image:
        image.load()
    ways = [path, str(path), path.read_bytes(), np.asarray(image), np.asarray(image.convert("RGB")), image]
    answers = [each["probabilities"] for each in predictor.predict(ways)]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)


def test_orientation_grey_and_alpha_change_nothing(predictor, images, tmp_path):
    """Check 2: the same image turned by its EXIF tag, as grey and as RGBA."""
    path = sorted(images.iterdir())[5]
    with Image.open(path) as image:
        upright = image.convert("RGB")
    turned = upright.transpose(Image.Transpose.ROTATE_90)  # stored turned; tag 6 says: turn by 270 degrees to see it
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(image)), np.asarray(upright))
    upright.convert("L").save(tmp_path / "grey.png")
    upright.convert("RGBA").save(tmp_path / "alpha.png")
    plain_answer, *others = predictor.predict(
        [path, *(tmp_path / f"{name}.png" for name in ("turned", "grey", "alpha"))]
    )
    for other in others:
        np.testing.assert_allclose(other["probabilities"], plain_answer["probabilities"], atol=1e-6)


def test_an_odd_array_is_refused(predictor):
    with pytest.raises(InputError, match="an array of float64: images are uint8"):
        predictor.predict([np.zeros((8, 8, 3))])
    with pytest.raises(InputError, match="dict: give a path"):
        predictor.predict([{}])


def test_a_bad_image_in_a_notebook_is_named(predictor, images):
    good = sorted(images.iterdir())[0]
    with pytest.raises(InputError, match=r"^item 2: not an image saccade reads"):
        predictor.predict([good, good, b"text", good])


def test_pil_images_are_turned_upright_and_converted(predictor, images, tmp_path):
    with Image.open(sorted(images.iterdir())[3]) as image:
        upright = image.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        expected, by_image, cmyk = predictor.predict([upright, turned, upright.convert("CMYK")])
    np.testing.assert_allclose(by_image["probabilities"], expected["probabilities"], atol=1e-6)
    np.testing.assert_allclose(cmyk["probabilities"], expected["probabilities"], atol=1e-2)


def test_float32_keeps_its_shortest_digits():
    assert plain(np.float32(0.1)) == 0.1
    assert plain(np.array([0.1, 0.2], np.float32)) == [0.1, 0.2]
    assert plain(b"rose") == "rose"
    assert plain(np.array([b"a", b"b"], object)) == ["a", "b"]
    assert plain(np.int32(3)) == 3


def test_one_image_alone_is_a_list_of_one(predictor, images):
    path = sorted(images.iterdir())[0]
    with Image.open(path) as image:
        image.load()
    grey, colour = np.asarray(image), np.asarray(image.convert("RGB"))
    (expected,) = predictor.predict([path])
    raw = {"bytes": path.read_bytes()}
    for one in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), grey, colour, image, raw):
        (answer,) = predictor.predict(one)
        assert answer["class"] == expected["class"]
    assert len(predictor.predict(np.stack([colour, colour, colour]))) == 3
    assert len(predictor.predict(np.array([path.read_bytes(), path.read_bytes()], object))) == 2
    assert len(predictor.predict(each for each in (path, grey))) == 2
    assert predictor.predict([]) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "NoneType: give a path, encoded bytes, a uint8 array or a PIL image, or a list of them"),
        ({"byte": b""}, "dict: give a path"),
        ({"bytes": b""}, "^item 0: empty: 0 bytes$"),
        (np.zeros((5, 8, 8), np.uint8), r"an array of shape \(5, 8, 8\): an image is RGB \[height, width, 3\]"),
        ("no/such.png", r"no/such.png: cannot be read \(No such file or directory\)"),
        ("a\0b", "no name of a file"),
    ],
)
def test_what_is_no_image_is_told(predictor, given, told):
    with pytest.raises(InputError, match=told):
        predictor.predict(given)


def test_lists_as_other_programs_write_them(images, monkeypatch):
    first, second, *_ = find_images([images])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"\ufeff{first}\r\n\r\n  \r\n{second}".encode())))
    assert find_images(["-"]) == [first, second]
    for written, told in {b"\r\n\n": "the list on standard input is empty", b"a\0.\0": "it has zero bytes"}.items():
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(written)))
        with pytest.raises(InputError, match=told):
            find_images(["-"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff.png\n"), "utf-8"))
    with pytest.raises(InputError, match="is not UTF-8: rename it"):
        find_images(["-"])


def test_places_that_are_none(digits_run, images, tmp_path):
    with pytest.raises(InputError, match="^no images: name files, folders"):
        saccade.predict(digits_run)
    with pytest.raises(InputError, match=r"^ndarray: places are names .*load\(run\).predict"):
        saccade.predict(digits_run, np.zeros((8, 8), np.uint8))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"^{tmp_path}/empty: no images"):
        find_images([tmp_path / "empty"])


def test_a_zip_file_is_read_as_a_folder_is(named, predictor, images, tmp_path):
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(images.iterdir())[:3]:
            archive.write(path, f"new/{path.name}")
    found = find_images([file])
    assert found == [f"{file}/new/{number:02}.png" for number in range(3)]
    assert find_images([file / "new"]) == found and find_images([found[1]]) == found[1:2]
    answers = list(predict(predictor, named([*found, f"{file}/gone.png"]), draw=tmp_path / "drawn"))
    expected = predictor.predict(sorted(images.iterdir())[:3])
    assert [each.results["class"] for each in answers[:3]] == [each["class"] for each in expected]
    assert answers[3].reason == "No such file in the zip file" and len(list((tmp_path / "drawn").iterdir())) == 3
    (tmp_path / "text.zip").write_text("no zip file")
    with pytest.raises(InputError, match=rf"^{tmp_path}/text.zip: not a readable zip file"):
        find_images([tmp_path / "text.zip"])


def test_results_never_replace_others(digits_run, images, tmp_path):
    """Images of one stem have results of their own; those of an earlier call stay, and the next is told at once."""
    one, two = sorted(images.iterdir())[:2]
    for path, other in (
        (tmp_path / "a" / "1.png", one),
        (tmp_path / "b" / "1.png", two),
        (tmp_path / "b" / "1.jpg", one),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(other.read_bytes())
    drawn = tmp_path / "drawn"
    list(saccade.predict(digits_run, tmp_path / "a", tmp_path / "b", draw=drawn))
    before = {path: path.read_bytes() for path in drawn.iterdir()}
    assert len(before) == 3
    with pytest.raises(InputError, match=rf"^{drawn}/00000_1.png: exists already, and nothing is overwritten"):
        saccade.predict(digits_run, tmp_path / "b", draw=drawn)
    assert {path: path.read_bytes() for path in drawn.iterdir()} == before
    assert len(list(saccade.predict(digits_run, two, draw=drawn))) == 1  # other names may join them
