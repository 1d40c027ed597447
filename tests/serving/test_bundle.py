import shutil

import numpy as np
import pytest

from saccade.models.errors import InputError
from saccade.models.inputs.file_listing import list_images
from saccade.models.inputs.file_tree import DiskTree
from saccade.serving.bundle import Bundle, image_sizes


def test_the_bundle_answers_as_the_predictor(bundle, predictor, images):
    for got, expected in zip(bundle.predict(images, batch=4), predictor.predict(images, batch=4), strict=True):
        assert got.keys() == expected.keys()
        np.testing.assert_allclose(got["probabilities"], expected["probabilities"], rtol=1e-6, atol=1e-6)
        assert [got[name] for name in ("label", "class_name", "raw_bytes")] == [
            expected[name] for name in ("label", "class_name", "raw_bytes")
        ]
        assert got["size"].tolist() == expected["size"].tolist()
    assert bundle.predict([]) == []


def test_outputs_come_in_the_order_of_the_task(bundle, images):
    assert list(bundle.predict(images[:1])[0]) == ["probabilities", "label", "class_name", "raw_bytes", "size"]


def test_class_names_are_text_in_the_graph(bundle, images):
    names = [each["class_name"].decode() for each in bundle.predict(images)]
    assert names == ["red", "green", "grünblau", "red", "green", "grünblau"]


def test_a_version_or_its_parent_is_named(bundle):
    assert Bundle(bundle.folder.parent).folder == Bundle(bundle.folder).folder == bundle.folder
    assert Bundle(bundle.folder.parent, version=1).version == 1
    with pytest.raises(InputError, match="no version 3; there are 1"):
        Bundle(bundle.folder.parent, version=3)


def test_unknown_signature_lists_the_nearest(bundle):
    with pytest.raises(InputError, match="colours has no signature 'image': did you mean images"):
        bundle.run({}, "image")


@pytest.mark.parametrize(
    "text, message",
    [
        (None, r"not a bundle \(no assets.extra/saccade.json\)"),
        ("{", "broken, the file: Invalid JSON"),
        ('{"format": 2}', "broken, name: Field required"),
        ('{"format": 1}', "broken, format: Input should be 2"),
    ],
)
def test_broken_descriptions_are_told(tmp_path, text, message):
    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    if text is not None:
        (tmp_path / "1" / "assets.extra" / "saccade.json").write_text(text)
    with pytest.raises(InputError, match=message) as told:
        Bundle(tmp_path)
    assert "\n" not in str(told.value)


def test_folders_that_are_no_bundle_are_told(tmp_path, run):
    with pytest.raises(InputError, match="missing: no such folder"):
        Bundle(tmp_path / "missing")
    with pytest.raises(InputError, match="no version folder"):
        Bundle(tmp_path)
    with pytest.raises(InputError, match="no version folder"):
        Bundle(run)


def test_a_saved_model_that_cannot_be_loaded_is_told(bundle, tmp_path, images):
    copy = shutil.copytree(bundle.folder, tmp_path / "1")
    (copy / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(InputError, match="the SavedModel cannot be loaded") as told:
        Bundle(copy).predict(images[:1])
    assert "\n" not in str(told.value)


def test_a_bundle_that_lies_among_images_is_none_of_them(bundle, tmp_path):
    shutil.copytree(bundle.folder.parent, tmp_path / "bundles" / "colours")
    (tmp_path / "cats").mkdir()
    shutil.copy(next(bundle.folder.rglob("*.png")), tmp_path / "cats" / "1.png")
    listing = list_images(DiskTree(str(tmp_path)), [])
    assert (listing.images, listing.folders, listing.own) == (["cats/1.png"], ["cats"], ["bundles"])


def test_the_largest_image_of_an_instance_counts(images):
    """Whatever it is called: the limits of a server and the size of a call go by it."""
    broken = np.array([images[0], b"text"], object)  # 8 x 16
    inputs = {"content": np.array([images[4], b"text"], object), "style": broken, "strength": np.zeros(2)}
    assert image_sizes(inputs) == [(12, 16), None]
    assert image_sizes({"pixels": np.zeros((2, 4, 5, 3), np.uint8)}) == [(4, 5)] * 2
