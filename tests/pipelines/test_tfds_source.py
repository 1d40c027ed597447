"""Sets of TensorFlow Datasets: the same samples as `tfds.load` gives, undecoded and at random."""

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from saccade.models.errors import InputError, JobError
from saccade.models.task import Truth
from saccade.pipelines.checking.splits import split
from saccade.pipelines.recipe import load_recipe
from saccade.pipelines.sources import find_source
from saccade.pipelines.sources.tfds import Tfds, TfdsOptions

LABEL = {"label": Truth("int32")}
LABELS = {"labels": Truth("float32", (0,))}
IN_ORDER = tfds.ReadConfig(interleave_cycle_length=1)  # tfds.load mixes shards unless told so
TAGS = ["wild", "small"]


def pixels(seed: int) -> np.ndarray:
    """A smooth picture of its own for each seed."""
    grid = np.linspace(0, 1, 10 + seed % 3)[:, None, None] * np.linspace(0, 1, 9)[None, :, None]
    return np.uint8(grid * np.random.default_rng(seed).integers(50, 256, 3))


class PetPhotos(tfds.core.GeneratorBasedBuilder):
    """23 + 7 + 5 pictures as PNG or JPEG, with a class, any number of tags, and a number; "spare" has no class."""

    VERSION = tfds.core.Version("1.2.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="png"), tfds.core.BuilderConfig(name="jpeg")]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "picture": tfds.features.Image(encoding_format=self.builder_config.name),
            "kind": tfds.features.ClassLabel(names=["cat", "dog", "owl"]),
            "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=TAGS)),
            "weight": tfds.features.Scalar(np.float32),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        return {
            "train": self._generate_examples(23, 0),
            "test": self._generate_examples(7, 100),
            "spare": self._spare(),
        }

    def _generate_examples(self, count: int, first: int):
        for seed in range(first, first + count):
            tags = TAGS[: seed % 3]
            yield seed, {"picture": pixels(seed), "kind": seed % 3, "tags": tags, "weight": seed / 2}

    def _spare(self):
        for seed in range(500, 505):
            yield seed, {"picture": pixels(seed), "kind": -1, "tags": [], "weight": 0.0}


class TwoViews(tfds.core.GeneratorBasedBuilder):
    """Features that leave a choice, one that cannot be read, and splits of which none is to train on."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "left": tfds.features.Image(),
            "right": tfds.features.Image(),
            "depth": tfds.features.Image(shape=(None, None, 1), dtype=np.float32),
            "size": tfds.features.Scalar(np.int64),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        return {"day": self._generate_examples(), "night": self._generate_examples()}

    def _generate_examples(self):
        depth = np.zeros((4, 4, 1), np.float32)
        yield 0, {"left": pixels(0), "right": pixels(1), "depth": depth, "size": 1}


class Sounds(tfds.core.GeneratorBasedBuilder):
    """No picture; and what prepares it fails in the config that says so."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="good"), tfds.core.BuilderConfig(name="broken")]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"tone": tfds.features.Scalar(np.int64), "label": tfds.features.ClassLabel(names=["low", "high"])}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        if self.builder_config.name == "broken":
            raise OSError("the server does not answer\nat all")
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"tone": 1, "label": 0}


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """Sets that TFDS prepared, three shards a split where there is something to slice."""
    folder = tmp_path_factory.mktemp("tfds")
    three = tfds.download.DownloadConfig(num_shards=3)
    for name in ("pet_photos/png", "pet_photos/jpeg"):
        tfds.builder(name, data_dir=folder).download_and_prepare(download_config=three)
    for name in ("two_views", "sounds/good"):
        tfds.builder(name, data_dir=folder).download_and_prepare()
    return folder


def source(folder: Path, name: str = "pet_photos/png", truth=LABEL, **options) -> Tfds:
    return Tfds(TfdsOptions(source="tfds", name=name, data_dir=str(folder), **options), truth)


def refused(folder: Path, *arguments, error=InputError, **options) -> str:
    with pytest.raises(error) as caught:
        source(folder, *arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "ROOT")


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
        assert (tf.io.decode_image(read.read(at), 3).numpy() == example["picture"]).all()
        assert read.truth(at)["label"] == example["kind"]


def test_pictures_are_those_that_were_stored(sets):
    examples = tfds.load(
        "pet_photos/jpeg",
        split="test",
        data_dir=sets,
        decoders={"picture": tfds.decode.SkipDecoding()},
        read_config=IN_ORDER,
    )
    read = source(sets, "pet_photos/jpeg", splits={"test": "test"})
    assert [read.read(at) for at in range(7)] == [each["picture"] for each in examples.as_numpy_iterator()]
    assert read.read(0).startswith(b"\xff\xd8\xff")


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
        assert (tf.io.decode_image(read.read(at), 3).numpy() == example["picture"]).all()
        assert read.truth(at)["label"] == example["kind"]


def test_several_labels(sets):
    read = source(sets, truth=LABELS, splits={"test": "test"})
    assert read.class_names == TAGS
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
    assert read.read(6).startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Pictures as `tfds.folder_dataset.ImageFolder` wants them."""
    root = tmp_path_factory.mktemp("image_folder")
    for number, split_name in enumerate(("train", "train", "train", "valid", "test")):
        for name in ("ants", "bees"):
            file = root / split_name / name / f"{number}{name}.{'jpg' if number % 2 else 'png'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            encode = tf.io.encode_jpeg if number % 2 else tf.io.encode_png
            file.write_bytes(encode(pixels(2 * number + (name == "ants"))).numpy())
    return root


def test_image_folder_is_read_as_tfds_reads_it(folders):
    read, builder = source(folders, "image_folder"), tfds.folder_dataset.ImageFolder(str(folders))
    assert read.class_names == builder.info.features["label"].names == ["ants", "bees"]
    for name, own in (("train", "train"), ("validation", "valid"), ("test", "test")):
        expected = list(builder.as_dataset(split=own).as_numpy_iterator())
        assert len(read.splits[name]) == len(expected)
        for at, example in zip(read.splits[name], expected, strict=True):
            assert (tf.io.decode_image(read.read(at), 3).numpy() == example["image"]).all()
            assert read.truth(at)["label"] == example["label"]
            assert read.where(at) == example["image/filename"].decode() and read.stamp(at)


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
        "'tfds build mnist --data_dir=ROOT'"
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
        "two_views/1.0.0 has no split 'train', but day (1), night (1): choose by data.splits={train: ..., test: ...}"
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
    assert refused(sets, image="kind") == "data.image=kind: it is ClassLabel, not an image, which picture would be"
    assert "has no feature that is a class label, but" in refused(sets, "two_views", image="left")


def test_features_to_choose_from(sets):
    assert refused(sets, "two_views", truth=None) == (
        "two_views/1.0.0: depth, left, right are each an image: choose by data.image"
    )
    assert "floating point" in refused(sets, "two_views", truth=None, image="depth")
    read = source(sets, "two_views", truth=None, image="right", splits={"train": "day"})
    assert (tf.io.decode_image(read.read(0)).numpy() == pixels(1)).all()


def test_a_sample_without_a_label(sets):
    read = source(sets, splits={"train": "train", "test": "spare"})
    with pytest.raises(InputError, match="^spare/00000 has no label"):
        read.truth(given(read, "test")[0])


def test_truth_it_cannot_bring(sets):
    with pytest.raises(InputError, match=r"^data\.source=tfds brings label, labels, and the task wants 'age'"):
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
