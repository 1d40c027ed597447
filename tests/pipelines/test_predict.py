"""Predictions from files: what is found, what is written, what is said of a bad picture."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageOps
from saccade.pipelines.predicting.picture_files import find_pictures

import saccade
from saccade.models.errors import InputError
from saccade.models.predictor import Predictor
from saccade.pipelines.predicting.answer_files import plain, write_csv, write_jsonl
from saccade.pipelines.predicting.predict import predict
from saccade.pipelines.sources import find_source


@pytest.fixture(scope="module")
def predictor(digits_run):
    return Predictor.load(digits_run)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve digits as PNG files."""
    folder = tmp_path_factory.mktemp("pictures")
    digits = find_source("digits")
    source = digits(digits.Options(source="digits"), None)
    for position in range(12):
        (folder / f"{position:02}.png").write_bytes(source.read(position))
    return folder


def test_places(pictures, tmp_path, monkeypatch):
    everything = find_pictures([str(pictures)])
    assert len(everything) == 12
    assert find_pictures([str(pictures / "0*.png")]) == everything[:10]
    assert find_pictures([everything[3]]) == [everything[3]]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{everything[1]}\n\n{everything[0]}\n"))
    assert find_pictures(["-"]) == [everything[1], everything[0]]
    with pytest.raises(InputError, match="nothing.png: no picture here"):
        find_pictures([str(tmp_path / "nothing.png")])


def test_the_verb_as_a_function(digits_run, predictor, pictures, tmp_path):
    answers = list(saccade.predict(digits_run, pictures, draw=tmp_path / "drawn"))
    expected = predictor.predict(sorted(pictures.iterdir()))
    assert [answer.results["class"] for answer in answers] == [each["class"] for each in expected]
    assert len(list((tmp_path / "drawn").iterdir())) == 12
    with pytest.raises(InputError, match="no picture here"):
        saccade.predict(digits_run, tmp_path / "nothing.png")


def test_json_lines(predictor, pictures):
    out = io.StringIO()
    assert write_jsonl(predict(predictor, find_pictures([str(pictures)]), batch=5), predictor.task, out) == 0
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    expected = predictor.predict(sorted(pictures.iterdir()))
    assert len(rows) == 12
    for row, results in zip(rows, expected, strict=True):
        assert row["class"] == results["class"].decode()
        np.testing.assert_allclose(row["probabilities"], results["probabilities"], rtol=1e-6)


def test_csv(predictor, pictures):
    out = io.StringIO()
    write_csv(predict(predictor, find_pictures([str(pictures)])), predictor.task, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 12
    assert sum(float(rows[0][f"probabilities/{digit}"]) for digit in range(10)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_picture_is_named_and_the_others_are_answered(predictor, pictures, tmp_path, caplog, place):
    good = sorted(map(str, pictures.iterdir()))[:3]
    bad = tmp_path / "text.jpg"
    bad.write_text("no picture")
    files = [*good[:place], str(bad), *good[place:], str(tmp_path / "gone.png")]
    out, table = io.StringIO(), io.StringIO()
    assert write_jsonl(predict(predictor, files), predictor.task, out) == 2
    rows = {row["file"]: row for row in map(json.loads, out.getvalue().splitlines())}
    assert list(rows) == files
    assert "JPEG, PNG" in rows[str(bad)]["error"]
    assert "No such file" in rows[files[-1]]["error"]
    assert all("class" in rows[each] for each in good)
    assert write_csv(predict(predictor, files), predictor.task, table) == 2
    by_file = {row["file"]: row for row in csv.DictReader(io.StringIO(table.getvalue()))}
    assert by_file[str(bad)]["error"] and by_file[good[0]]["class"]


def test_drawings(predictor, pictures, tmp_path):
    files = sorted(map(str, pictures.iterdir()))[:2]
    list(predict(predictor, files, draw=tmp_path / "drawn"))
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert [each.name for each in drawn] == ["00000_00.png", "00001_01.png"]


def test_paths_bytes_arrays_and_pil_images_are_equal(predictor, pictures):
    path = sorted(pictures.iterdir())[0]
    with Image.open(path) as image:
        image.load()
    ways = [path, str(path), path.read_bytes(), np.asarray(image), np.asarray(image.convert("RGB")), image]
    answers = [each["probabilities"] for each in predictor.predict(ways)]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)


def test_orientation_grey_and_alpha_change_nothing(predictor, pictures, tmp_path):
    """Check 2: the same picture turned by its EXIF tag, as grey and as RGBA."""
    path = sorted(pictures.iterdir())[5]
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
    with pytest.raises(InputError, match="an array of float64: pictures are uint8"):
        predictor.predict([np.zeros((8, 8, 3))])
    with pytest.raises(InputError, match="dict: give a path"):
        predictor.predict([{}])


def test_a_bad_picture_in_a_notebook_is_named(predictor, pictures):
    good = sorted(pictures.iterdir())[0]
    with pytest.raises(InputError, match=r"^picture 2: not an image saccade reads"):
        predictor.predict([good, good, b"text", good])


def test_pil_images_are_turned_upright_and_converted(predictor, pictures, tmp_path):
    with Image.open(sorted(pictures.iterdir())[3]) as image:
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
