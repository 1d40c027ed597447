"""Objects with boxes in sets of TensorFlow Datasets."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from saccade.models.contract import Truth
from saccade.models.detection.task import Detection
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.tfds import Tfds, TfdsOptions


def source(folder, truth=Detection.truth, objects="objects", name="things", **options) -> Tfds:
    splits = {"train": "train"} if name == "things" else {}
    given = TfdsOptions(source="tfds", name=name, data_dir=str(folder), splits=splits, objects=objects, **options)
    return Tfds(given, truth)


def told(folder, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        source(folder, *arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_boxes_are_those_that_tfds_loads(sets):
    read = source(sets)
    assert read.class_names == ["cat", "dog"]
    loaded = tfds.load("things", split="train", data_dir=sets, read_config=tfds.ReadConfig(interleave_cycle_length=1))
    seen = set()
    for at, example in enumerate(loaded.as_numpy_iterator()):
        height, width = example["image"].shape[:2]
        assert Image.open(io.BytesIO(read.read(at)["bytes"])).size == (width, height)
        truth, note = read.inspect_truth(at)
        objects = example["objects"]
        y_min, x_min, y_max, x_max = objects["bbox"].T
        keep = y_max > y_min
        corners = np.stack([x_min * width, y_min * height, x_max * width, y_max * height], axis=1)
        np.testing.assert_allclose(truth["boxes"], corners[keep], rtol=1e-6)
        for name, field in (
            ("classes", "label"),
            ("crowd", "is_crowd"),
            ("difficult", "is_difficult"),
            ("area", "area"),
        ):
            assert truth[name].tolist() == objects[field][keep].tolist()
            assert truth[name].dtype == Detection.truth[name].dtype
        assert ("1 box without width or height, dropped (first: object 0)" == note) == (not keep.all())
        seen.add((len(keep), int(keep.sum())))
    assert seen == {(3, 3), (2, 1), (0, 0)}


def test_what_the_set_does_not_say_has_the_usual_values(sets):
    read = source(sets, objects="parts")
    truth = read.truth(0)
    width, height = Image.open(io.BytesIO(read.read(0)["bytes"])).size
    assert truth["classes"].tolist() == [1] and truth["crowd"].tolist() == truth["difficult"].tolist() == [0]
    np.testing.assert_allclose(truth["area"], [width * height / 4], rtol=1e-6)


def test_another_field_as_class(sets):
    assert source(sets, label="pose").class_names == ["frontal", "rear"]
    assert told(sets, label="mood") == (
        "things/1.0.0: class labels of 'objects' are label, pose: data.label=mood chooses none of them"
    )


def test_objects_that_are_not_there(sets):
    assert told(sets, objects=None) == (
        "things/1.0.0: objects, parts are each objects with boxes: choose by data.objects"
    )
    assert told(sets, objects="object").startswith("data.objects=object: things/1.0.0 has no such objects with boxes")
    assert told(sets, objects=None, name="pet_photos/png").endswith(
        "no feature is a sequence of objects with a 'bbox', but kind, photo, tags, weight"
    )


def test_boxes_are_read_alone(sets):
    truth = dict(Detection.truth) | {"labels": Truth("float32", (None,))}
    assert told(sets, truth, label="labels").startswith("things/1.0.0: boxes are read alone, and the task wants boxes")
