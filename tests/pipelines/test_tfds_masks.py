"""Masks in sets of TensorFlow Datasets: every form of them, and what is wrong on purpose."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from pydantic import ValidationError

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats.tfds import Tfds, TfdsOptions
from saccade.pipelines.recipe.recipe import load_recipe

MASK = {"mask": Truth("uint8", (None, None))}
NAMES = ["soil", "weed", "crop"]
IN_ORDER = tfds.ReadConfig(interleave_cycle_length=1)


def source(folder: Path, name: str = "fields", truth=MASK, **options) -> Tfds:
    return Tfds(
        TfdsOptions(source="tfds", name=name, data_dir=str(folder), splits={"train": "train"}, **options), truth
    )


def told(folder: Path, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        source(folder, *arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"mask": "map"},
        {"mask": "map", "classes": ["a", "b", "c"]},
        {"mask": "trimap", "classes": NAMES, "values": [1, 2, 3]},
        {"mask": "tensor", "classes": NAMES},
        {"mask": "flat", "classes": NAMES, "values": [7, 70, 700]},
        {"mask": "palette", "classes": NAMES},
    ],
)
def test_every_form_is_the_same_mask(sets, options):
    """What TFDS itself loads as a labelled image, of the same example."""
    read = source(sets, **options)
    assert list(read.class_names) == (options.get("classes") or NAMES)
    loaded = tfds.load("fields", split="train", data_dir=sets, read_config=IN_ORDER).as_numpy_iterator()
    for at, example in enumerate(loaded):
        found = read.truth(at)["mask"]
        assert found.dtype == np.uint8 and (found == example["map"][..., 0]).all()
        assert found.shape == example["image"].shape[:2]
    assert read.read(0)["bytes"].startswith(b"\x89PNG")


def test_the_only_mask_is_found(sets):
    read = source(sets, "one_mask", classes=["pet", "rest"], values=[2, 1])
    assert read.truth(0)["mask"][3, 3] == 0 and read.truth(0)["mask"][0, 0] == 1
    assert read.read(0) == source(sets, "one_mask", truth=None, mask="segmentation_mask").read(0)


def test_classes_may_take_other_numbers_in_their_own_order(sets):
    one = source(sets, mask="trimap", classes=NAMES, values=[1, 2, 3])
    other = source(sets, mask="trimap", classes=["crop", "soil", "weed"], values=[3, 1, 2])
    moved = np.array([1, 2, 0] + [9] * 252 + [255], np.uint8)
    for at in range(6):
        assert (moved[one.truth(at)["mask"]] == other.truth(at)["mask"]).all()


def test_a_number_beyond_the_classes_in_one_mask(sets):
    """It is that sample's fault: the others go on."""
    read = source(sets, mask="odd", classes=NAMES)
    bad = []
    for at in range(6):
        try:
            read.truth(at)
        except InputError as error:
            bad.append(str(error))
    assert bad == ["mask with the values 900, and those of the classes are 0 to 2 (255 does not count)"]


def test_numbers_that_do_not_begin_at_0(sets):
    assert told(sets, mask="trimap", classes=NAMES) == (
        "data.mask=trimap: its first masks hold 1 to 3, and the 3 classes are numbered 0 to 2: say which number each "
        "has, in their order: 'data.values=[1, 2, 3]'"
    )
    assert told(sets, mask="trimap", classes=["a", "b"]).endswith("in their order: data.values lists them")


def test_classes_without_names(sets):
    assert told(sets, mask="trimap") == (
        "data.mask=trimap: the set does not name its classes, and its first masks hold 1 to 3: say with your names, "
        "in their order, 'data.classes=[class_1, class_2, class_3]' 'data.values=[1, 2, 3]'"
    )
    assert told(sets, mask="tensor") == (
        "data.mask=tensor: the set does not name its classes, and its first masks hold 0 to 2: say with your names, "
        "in their order, 'data.classes=[class_0, class_1, class_2]'"
    )


def test_counts_that_do_not_agree(sets):
    assert told(sets, mask="map", classes=["a", "b"]) == ("data.classes gives 2 names, and data.mask=map has 3 classes")
    assert told(sets, mask="trimap", classes=NAMES, values=[1, 2]) == (
        "data.values gives 2 numbers for 3 classes: soil, weed, crop"
    )


def test_features_that_are_no_masks(sets):
    assert told(sets, mask="mab") == "data.mask=mab: fields/1.0.0 has no such feature: did you mean map?".replace(
        "fields/1.0.0", tfds.builder("fields", data_dir=sets).info.full_name
    )
    assert "data.mask=kind: it is ClassLabel, not a mask (whole numbers, one channel), which" in told(sets, mask="kind")
    assert "data.mask=image: it is Image, not a mask (whole numbers, one channel)" in told(sets, mask="image")
    assert told(sets, mask="lossy", classes=NAMES).endswith("keeps it as JPEG, whose compression changes class ids")
    assert "are each a mask (whole numbers, one channel): choose by data.mask" in told(sets)
    assert "has no feature that is a mask (whole numbers, one channel), but kind (ClassLabel)" in told(
        sets, "pet_photos/png"
    )


def test_what_it_does_not_bring(sets):
    assert told(sets, truth={"instances": Truth("uint16", (None, None))}).startswith(
        "data.source=tfds brings label, labels, mask, boxes, classes, crowd, difficult, area, and the task wants "
        "'instances' of shape (None, None)"
    )


def test_prediction_leaves_the_mask_alone(sets):
    read = source(sets, truth=None, image="image", mask="trimap")
    assert read.truth(0) == {} and list(read.class_names) == []


@pytest.mark.parametrize(
    ("options", "hint"),
    [({"classes": ["a", "a"]}, "'a' is given twice"), ({"values": [1, 2, 1]}, "1 is given twice")],
)
def test_options_that_contradict_each_other(options, hint):
    with pytest.raises(ValidationError, match=hint):
        TfdsOptions(source="tfds", name="fields", **options)


def test_in_a_recipe(sets, tmp_path):
    (tmp_path / "r.yaml").write_text(
        "task: saccade.models.segmentation.task:Segmentation\n"
        f"data: {{source: tfds, name: fields, data_dir: {sets}, mask: trimap, image: image, values: [1, 2, 3],\n"
        "  classes: [soil, weed, crop]}\n"
    )
    found, task = load_recipe(tmp_path / "r.yaml").open()
    assert isinstance(found, Tfds) and task.class_names == ("soil", "weed", "crop")
    assert np.unique(found.truth(0)["mask"]).tolist()[:3] == [0, 1, 2]
