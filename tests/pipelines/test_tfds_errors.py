"""Sets of TensorFlow Datasets, wrong on purpose: one line says what, where and what to do."""

import contextlib
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from saccade.models.contract import Truth
from saccade.models.errors import InputError, JobError
from saccade.pipelines.data.formats.tfds import Tfds, TfdsOptions

LABEL = {"label": Truth("int32")}
LABELS = {"labels": Truth("float32", (0,))}


def source(folder: Path, name: str = "pet_photos/png", truth=LABEL, **options) -> Tfds:
    return Tfds(TfdsOptions(source="tfds", name=name, data_dir=str(folder), **options), truth)


def refused(folder: Path, *arguments, error=InputError, **options) -> str:
    with pytest.raises(error) as caught:
        source(folder, *arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "ROOT")


def test_a_name_that_does_not_exist(sets):
    assert refused(sets, "pet_photo") == (
        "data.name=pet_photo: TFDS knows no such set, and ROOT has none: did you mean pet_photos or pet_photos/png or "
        "pet_photos/jpeg?"
    )
    assert "did you mean mnist or " in refused(sets, "mnistt", download=True)
    assert refused(sets, "pet photos").startswith("data.name=pet photos: ")


def test_a_set_that_is_not_prepared(sets, tmp_path):
    assert refused(tmp_path, "mnist") == (
        "data.name=mnist: not prepared in ROOT: data.download=true does it, or the command "
        "tfds build mnist --data_dir=ROOT"
    )
    there = "not prepared in ROOT, which has pet_photos/jpeg:1.2.0, pet_photos/png:1.2.0"
    assert refused(sets, "pet_photos/png:2.0.0") == f"data.name=pet_photos/png:2.0.0: {there}"
    assert refused(sets, "pet_photos/gif") == f"data.name=pet_photos/gif: {there}"


def test_no_data_dir(tmp_path):
    assert refused(tmp_path / "no") == "data.data_dir=ROOT: no such folder"
    assert refused(tmp_path / "no", "image_folder", download=True) == "data.data_dir=ROOT: no such folder"


def test_download_prepares_the_set(tmp_path):
    assert len(source(tmp_path / "new", "pet_photos/jpeg", download=True).splits["train"]) == 23
    assert len(source(tmp_path / "new", "pet_photos/jpeg").splits["train"]) == 23


def test_what_cannot_be_prepared(tmp_path):
    assert refused(tmp_path, "sounds/broken", download=True, error=JobError) == (
        "data.name=sounds/broken: preparing it failed: OSError: the server does not answer"
    )
    assert "BuilderConfig gif not found" in refused(tmp_path, "pet_photos/gif", download=True)
    assert "cannot be loaded at version 9.0.0" in refused(tmp_path, "sounds:9.0.0", download=True)


def test_a_split_that_does_not_exist(sets):
    assert refused(sets, splits={"train": "train", "test": "dev[:9]"}) == (
        "data.splits.test=dev[:9]: pet_photos/png/1.2.0 has no split 'dev', but train (23), test (7), spare (5)"
    )
    assert refused(sets, "two_views", truth=None, image="left") == (
        "two_views/1.0.0 has no split 'train', but day (1), night (1): choose, for example by "
        "'data.splits={train: day}'"
    )


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("train[:80", "not a slice, such as train[:80%]"),
        ("train[a:b]", "not a slice, such as train[:80%]"),
        ("train[:101%]", "percent slice boundaries should be"),
        ("train[:99]", "incompatible with 23 examples"),
        ("all[:10]", "not a slice"),
        ("train[3:3]", "no sample of"),
        ("", "has no split ''"),
        ("train[:9]+train[8:]", "sample train/00008 is taken twice, first by data.splits.train"),
    ],
)
def test_slices_that_are_none(sets, part, told):
    message = refused(sets, splits={"train": part})
    assert message.startswith(f"data.splits.train={part}: ") and told in message


def test_slices_that_overlap(sets):
    assert refused(sets, splits={"train": "train", "test": "train[80%:]"}) == (
        "data.splits.test=train[80%:]: sample train/00018 is taken twice, first by data.splits.train"
    )


def test_features_that_are_not_there(sets):
    assert refused(sets, "sounds/good") == (
        "sounds/good/1.0.0 has no feature that is an image, but label (ClassLabel), tone (Scalar)"
    )
    assert refused(sets, label="kinds") == (
        "data.label=kinds: pet_photos/png/1.2.0 has no such feature: did you mean kind?"
    )
    assert refused(sets, label="weight") == "data.label=weight: it is Scalar, not a class label, which kind would be"
    assert refused(sets, truth=LABELS, label="kind") == (
        "data.label=kind: it is ClassLabel, not a sequence of class labels, which tags would be"
    )
    assert refused(sets, image="kind") == "data.image=kind: it is ClassLabel, not an image, which photo would be"
    assert "has no feature that is a class label, but" in refused(sets, "two_views", image="left")


def test_features_to_choose_from(sets):
    assert refused(sets, "two_views", truth=None) == (
        "two_views/1.0.0: depth, left, right are each an image: choose by data.image"
    )
    assert "floating point" in refused(sets, "two_views", truth=None, image="depth")
    read = source(sets, "two_views", truth=None, image="right", splits={"train": "day"})
    right = tfds.load("two_views", split="day", data_dir=sets).as_numpy_iterator().next()["right"]
    assert (tf.io.decode_image(read.read(0)["bytes"]).numpy() == right).all()


def test_a_sample_without_a_label(sets):
    read = source(sets, splits={"train": "train", "test": "spare"})
    with pytest.raises(InputError, match="^spare/00000 has no label"):
        read.truth(read.splits["test"][0])


def test_truth_it_cannot_bring(sets):
    with pytest.raises(
        InputError, match=r"^data\.source=tfds brings label, labels, mask, .*area, and the task wants 'age'"
    ):
        source(sets, truth={"age": Truth("float32")})


@pytest.mark.parametrize("harm", ["missing", "cut", "record"])
def test_files_that_are_not_whole(sets, tmp_path, harm):
    shutil.copytree(sets / "pet_photos/png", tmp_path / "pet_photos/png")
    (file,) = (tmp_path / "pet_photos/png/1.2.0").glob("*test*-00001-of*")
    content = file.read_bytes()
    file.unlink()
    with contextlib.suppress(KeyError):
        file.write_bytes({"cut": content[:-1], "record": b""}[harm])
    told = "no such file, 1 of 3 are missing" if harm == "missing" else r" whole records and not "
    message = refused(tmp_path)
    assert message.startswith(str(file).replace(str(tmp_path), "ROOT")) and told in message
    assert message.endswith(": prepare the set again")
