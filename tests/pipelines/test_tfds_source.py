"""Sets of TensorFlow Datasets: the same samples as `tfds.load` gives, undecoded and at random."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.pipelines.data.formats import find_source
from saccade.pipelines.data.formats.tfds import Tfds, TfdsOptions
from saccade.pipelines.data.splits import split
from saccade.pipelines.feeding.reading import reader
from saccade.pipelines.recipe.recipe import load_recipe

LABEL = {"label": Truth("int32")}
LABELS = {"labels": Truth("float32", (0,))}
IN_ORDER = tfds.ReadConfig(interleave_cycle_length=1)  # tfds.load mixes shards unless told so


def source(folder: Path, name: str = "pet_photos/png", truth=LABEL, **options) -> Tfds:
    return Tfds(TfdsOptions(source="tfds", name=name, data_dir=str(folder), **options), truth)


def loaded(folder: Path, name: str, part: str) -> list[dict]:
    """What TFDS itself gives for a slice."""
    return list(tfds.load(name, split=part, data_dir=folder, read_config=IN_ORDER).as_numpy_iterator())


def given(read: Tfds, name: str) -> list[int]:
    return list(read.splits[name])


@pytest.mark.parametrize("name", ["pet_photos/png", "pet_photos/jpeg", "pet_photos/png:1.2.0", "pet_photos/jpeg:1.*.*"])
@pytest.mark.parametrize(
    "part", ["train", "train[:80%]", "train[80%:]", "train[5:-3]", "train[25%:75%]", "train[1shard]", "test+train[:2]"]
)
def test_slices_hold_what_tfds_loads(sets, name, part):
    read, expected = source(sets, name, splits={"train": part}), loaded(sets, name, part)
    assert given(read, "train") == list(range(len(expected))) and read.class_names == ["cat", "dog", "owl"]
    for at, example in enumerate(expected):
        assert (tf.io.decode_image(read.read(at)["bytes"], 3).numpy() == example["photo"]).all()
        assert read.truth(at)["label"] == example["kind"]


def test_images_are_those_that_were_stored(sets):
    examples = tfds.load(
        "pet_photos/jpeg",
        split="test",
        data_dir=sets,
        decoders={"photo": tfds.decode.SkipDecoding()},
        read_config=IN_ORDER,
    )
    read = source(sets, "pet_photos/jpeg", splits={"test": "test"})
    assert [read.read(at)["bytes"] for at in range(7)] == [each["photo"] for each in examples.as_numpy_iterator()]
    assert read.read(0)["bytes"].startswith(b"\xff\xd8\xff")


def test_the_sets_own_splits(sets, caplog):
    read = source(sets)
    assert {name: len(positions) for name, positions in read.splits.items()} == {"test": 7, "train": 23}
    assert "splits not used: spare" in caplog.text
    label = read.truth(0)["label"]
    assert label.dtype == np.int32 and label.shape == ()
    cut = split(read, TfdsOptions(source="tfds", name="pet_photos", validation=0.3))
    assert cut["test"].tolist() == given(read, "test") and len(cut["validation"])


def test_keys_do_not_depend_on_the_slice(sets):
    whole, part = source(sets), source(sets, splits={"train": "train[9:12]", "validation": "train[12:]"})
    assert [part.keys[at] for at in part.splits["train"]] == ["train/00009", "train/00010", "train/00011"]
    at = {key: place for place, key in enumerate(whole.keys)}
    assert all(part.read(place) == whole.read(at[key]) for place, key in enumerate(part.keys))
    assert len(set(whole.keys)) == 30 and part.groups == part.keys


@pytest.mark.parametrize("kind", ["array_record", "parquet"])
def test_formats_with_random_access_of_their_own(tmp_path, kind):
    tfds.builder("pet_photos/png", data_dir=tmp_path, file_format=kind).download_and_prepare()
    read = source(tmp_path, splits={"train": "train[20:]", "test": "test[:50%]"})
    examples = tfds.data_source("pet_photos/png", data_dir=tmp_path, download=False)
    expected = [examples["train"][at] for at in (20, 21, 22)]
    expected += [examples["test"][at] for at in range(4)]
    for at, example in enumerate(expected):
        assert (tf.io.decode_image(read.read(at)["bytes"], 3).numpy() == example["photo"]).all()
        assert read.truth(at)["label"] == example["kind"]


def test_several_labels(sets):
    read = source(sets, truth=LABELS, splits={"test": "test"})
    assert read.class_names == ["wild", "small"]
    for at, example in enumerate(loaded(sets, "pet_photos/png", "test")):
        labels = read.truth(at)["labels"]
        assert labels.dtype == np.float32 and labels.tolist() == [float(each in example["tags"]) for each in (0, 1)]


def test_prediction_wants_no_truth(sets):
    read = source(sets, truth=None, splits={"test": "spare"})
    assert len(read) == 5 and read.truth(0) == {} and read.class_names == []


def test_threads_read_what_one_reads(sets):
    read = source(sets, "pet_photos/jpeg")
    places = list(range(len(read))) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read.read, places)) == [read.read(at) for at in range(len(read))] * 20


def test_where_and_stamp_tell_the_file(sets, tmp_path):
    shutil.copytree(sets / "pet_photos/png", tmp_path / "pet_photos/png")
    read = source(tmp_path, splits={"train": "train"})
    files = sorted((tmp_path / "pet_photos/png/1.2.0").glob("*train*"))
    assert read.where(0) == f"{files[0]}: record 0" and read.where(22).startswith(f"{files[2]}: record ")
    assert len({read.where(at) for at in range(23)}) == 23
    before = read.stamp(22)
    with files[2].open("r+b") as stream:
        stream.seek(0, 2)
        stream.write(b"more")
    assert read.stamp(22) != before and read.stamp(0) is not None
    files[2].unlink()
    assert read.stamp(22) is None
    with pytest.raises(FileNotFoundError):
        read.read(22)


def test_a_broken_record_is_told_by_its_place(sets, tmp_path):
    shutil.copytree(sets / "pet_photos/png", tmp_path / "pet_photos/png")
    (file,) = (tmp_path / "pet_photos/png/1.2.0").glob("*test*-00000-of*")
    read = source(tmp_path, splits={"test": "test"})
    content = bytearray(file.read_bytes())
    content[12:40] = bytes(28)
    file.write_bytes(content)
    with pytest.raises(OSError, match="not a readable record"):
        read.read(0)
    with pytest.raises(InputError, match=r"-00000-of-\d+: record 0: not a readable record .*prepare the set again"):
        read.truth(0)
    assert read.read(6)["bytes"].startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def folders(encode, tmp_path_factory) -> Path:
    """Images as `tfds.folder_dataset.ImageFolder` wants them."""
    root = tmp_path_factory.mktemp("image_folder")
    for number, split_name in enumerate(("train", "train", "train", "valid", "test")):
        for name in ("ants", "bees"):
            file = root / split_name / name / f"{number}{name}.{'jpg' if number % 2 else 'png'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(2 * number + (name == "ants"), "JPEG" if number % 2 else "PNG"))
    return root


def test_image_folder_is_read_as_tfds_reads_it(folders):
    read, builder = source(folders, "image_folder"), tfds.folder_dataset.ImageFolder(str(folders))
    assert read.class_names == builder.info.features["label"].names == ["ants", "bees"]
    for name, own in (("train", "train"), ("validation", "valid"), ("test", "test")):
        expected = list(builder.as_dataset(split=own).as_numpy_iterator())
        assert len(read.splits[name]) == len(expected)
        for at, example in zip(read.splits[name], expected, strict=True):
            assert (tf.io.decode_image(read.read(at)["bytes"], 3).numpy() == example["image"]).all()
            assert read.truth(at)["label"] == example["label"]
            assert read.where(at) == example["image/filename"].decode() and read.stamp(at)


def test_image_folder_does_not_take_a_run_among_its_splits_for_a_class(folders, encode, tmp_path):
    root = shutil.copytree(folders, tmp_path / "data")
    for file in (
        "runs/tiny/recipe.yaml",
        "runs/tiny/state.json",
        "train/@eaDir/a.png",
        "train/ants/runs/x/recipe.yaml",
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    (root / "runs/tiny/training_samples.png").write_bytes(encode(99, "PNG"))
    read = source(root, "image_folder")
    assert read.class_names == ["ants", "bees"] and len(read) == 10
    assert [int(read.truth(at)["label"]) for at in read.splits["test"]] == [
        int("bees" in read.where(at)) for at in read.splits["test"]
    ]


def test_image_folder_can_be_sliced(folders):
    read = source(folders, "image_folder", splits={"train": "train[:50%]", "validation": "train[50%:]"})
    whole = source(folders, "image_folder", splits={"train": "train"})
    assert [read.read(at) for at in range(6)] == [whole.read(at) for at in range(6)]
    assert read.keys == [f"train/{at:05d}" for at in range(6)] and given(read, "validation") == [3, 4, 5]


def test_image_folder_needs_its_folder():
    with pytest.raises(InputError, match=r"data\.name=image_folder: data\.data_dir is missing"):
        Tfds(TfdsOptions(source="tfds", name="image_folder"), LABEL)


def test_in_a_recipe(sets, tmp_path):
    (tmp_path / "r.yaml").write_text(
        "task: classification\n"
        f"data: {{source: tfds, name: pet_photos/png, data_dir: {sets}, splits: {{train: train}}}}\n"
        "model: {name: lenet}\n"
    )
    found, task = load_recipe(tmp_path / "r.yaml").open()
    assert isinstance(found, Tfds) and task.class_names == ("cat", "dog", "owl")
    assert find_source("tfds") is Tfds
    with pytest.raises(InputError, match=r"unknown key 'data\.splits\.dev': known: test, train, validation"):
        load_recipe(tmp_path / "r.yaml", ["data.splits={dev: train}"])


def test_the_input_pipeline_reads_it_from_threads(sets):
    data = f"data={{source: tfds, name: pet_photos/png, data_dir: {sets}}}"
    found, task = load_recipe("digits", [data]).open()
    positions = np.arange(30)
    read = reader(task, found, positions, memory=0)
    samples = tf.data.Dataset.from_tensor_slices(positions).map(read, num_parallel_calls=4)
    for at, sample in enumerate(samples.as_numpy_iterator()):
        assert sample["key"].decode() == found.keys[at] and sample["label"] == found.truth(at)["label"]
        assert (sample["image"] == tf.io.decode_image(found.read(at)["bytes"]).numpy()).all()


def test_sets_that_tfds_ships_can_be_prepared(tmp_path):
    """It asks where the set's code stands, which takes a package that it does not say it needs."""
    assert tfds.builder("mnist", data_dir=tmp_path).code_path.exists()
