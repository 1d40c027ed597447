"""Truth whose shape varies from sample to sample: checked before a job, kept or read again, and only what trains."""

import gc
import io
from pathlib import Path

import numpy as np
import pixel_task
import pytest
import tensorflow as tf
from PIL import Image

from saccade.models.classification.options import ClassificationOptions
from saccade.models.classification.task import Classification
from saccade.models.contract import Truth
from saccade.models.errors import InputError
from saccade.models.inputs.image.options import ImageOptions
from saccade.pipelines.data.data import Data, prepare_data
from saccade.pipelines.data.source import DataOptions, ImageSource
from saccade.pipelines.feeding import reading
from saccade.pipelines.feeding.reading import Column, reader

SIZES = [(8, 12), (10, 6), (7, 7), (9, 11), (12, 5), (6, 6)]


class Masked(pixel_task.Pixels):
    """Asks for a mask, which training reads, and for a table, which the evaluation alone reads."""

    @property
    def truth(self):
        return {"mask": Truth("uint8", (None, None), moves="mask"), "table": Truth("int32", (None,), trains=False)}

    def adapt(self, truths):
        """It needs nothing of them."""

    def check(self, size, truth):
        if truth["mask"].shape != size:
            raise InputError(
                f"mask {truth['mask'].shape[0]} x {truth['mask'].shape[1]}, its image {size[0]} x {size[1]}"
            )
        if truth["mask"].max() >= len(self.class_names):
            raise InputError(f"value {truth['mask'].max()} is no class")


class Painted(ImageSource):
    """Images with a mask and a table each, in files; it remembers what was read."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.class_names = pixel_task.NAMES
        self.keys = [str(number) for number in range(len(SIZES))]
        self.groups = self.keys
        self.splits = {"train": [0, 1, 2], "validation": [3], "test": [4, 5]}
        self.read_truth: list[int] = []

    def truth(self, position):
        self.read_truth.append(position)
        try:
            mask = np.load(self.folder / f"{position}.npy")
        except ValueError:
            raise InputError("its mask is no array") from None
        return {"mask": mask, "table": np.arange(position, dtype=np.int32)}

    def encoded(self, position):
        return (self.folder / f"{position}.png").read_bytes()

    def where(self, position):
        return str(self.folder / f"{position}.png")

    def stamp(self, position):
        stats = [(self.folder / f"{position}{kind}").stat() for kind in (".png", ".npy")]
        return " ".join(f"{each.st_size} {each.st_mtime_ns}" for each in stats)


@pytest.fixture
def source(tmp_path, monkeypatch) -> Painted:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, size in enumerate(SIZES):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{number}.png")
        np.save(tmp_path / f"{number}.npy", random.integers(0, 3, size, np.uint8))
    return Painted(tmp_path)


def checked(
    source: Painted, max_bad: float | int = 0.5, names=pixel_task.NAMES, memory: int = 2**20
) -> tuple[Data, Painted]:
    """A check by a source that has read nothing yet."""
    fresh = Painted(source.folder)
    data = prepare_data(fresh, pixel_task.make(Masked, names), DataOptions(source="own", max_bad=max_bad), 2**20)
    return data, fresh


def test_good_truth_passes(source):
    data, fresh = checked(source, max_bad=0)
    assert not data.findings.bad and sorted(fresh.read_truth) == list(range(6))


def test_samples_with_wrong_truth_are_set_aside_by_name(source):
    np.save(source.folder / "1.npy", np.zeros((6, 10), np.uint8))
    np.save(source.folder / "5.npy", np.full((6, 6), 7, np.uint8))
    (source.folder / "2.npy").write_bytes(b"no array, and not a pickle either")
    data, _ = checked(source)
    assert data.quarantine() == [
        {"key": "1", "where": f"{source.folder}/1.png", "reason": "mask 6 x 10, its image 10 x 6"},
        {"key": "2", "where": f"{source.folder}/2.png", "reason": "its mask is no array"},
        {"key": "5", "where": f"{source.folder}/5.png", "reason": "value 7 is no class"},
    ]
    assert {name: each.tolist() for name, each in data.splits.items()} == {"train": [0], "validation": [3], "test": [4]}
    with pytest.raises(InputError, match=r"^3 of 6 .*max_bad bears 2: .*1.png: mask 6 x 10, its image 10 x 6;") as told:
        checked(source, max_bad=2)
    assert "\n" not in str(told.value)


def test_truth_that_cannot_be_read_is_told(source):
    (source.folder / "4.npy").unlink()
    (source.folder / "4.npy").mkdir()
    data, _ = checked(source)
    assert data.findings.bad == {4: f"its truth: {source.folder}/4.npy: Is a directory"}


def test_changed_truth_changes_the_fingerprint(source):
    before = checked(source)[0].fingerprint
    mask = np.load(source.folder / "0.npy")
    np.save(source.folder / "0.npy", (mask + 1) % 3)
    changed = checked(source)[0].fingerprint
    np.save(source.folder / "0.npy", mask)
    assert changed != before == checked(source)[0].fingerprint


def test_what_was_checked_is_not_read_again_unless_its_truth_changed(source):
    before = checked(source)[0].fingerprint
    data, fresh = checked(source)
    assert fresh.read_truth == [] and data.fingerprint == before
    np.save(source.folder / "3.npy", np.zeros(SIZES[3], np.uint8))
    assert checked(source)[1].read_truth == [3]


def test_findings_are_not_used_for_other_classes(source):
    checked(source)
    with pytest.raises(InputError, match="^none of the 3 samples in train can be used, first .*: value 2 is no class"):
        checked(source, names=("background", "red"), max_bad=1.0)


@pytest.mark.parametrize("memory", [2**20, 0], ids=["in memory", "from the source"])
@pytest.mark.parametrize("keep_loaded", [False, True])
def test_varying_truth_is_the_same_from_memory_and_from_the_source(source, memory, keep_loaded):
    positions = [5, 0, 3]
    read = reader(pixel_task.make(Masked), source, positions, memory, keep_loaded)
    source.read_truth.clear()
    samples = tf.data.Dataset.from_tensor_slices(np.array(positions, np.int64)).map(read)
    assert samples.element_spec["mask"] == tf.TensorSpec([None, None], tf.uint8)
    assert samples.element_spec.keys() == {"key", "image", "mask"}  # the table does not train
    for position, sample in zip(positions, samples, strict=True):
        assert sample["key"] == source.keys[position]
        np.testing.assert_array_equal(sample["mask"], np.load(source.folder / f"{position}.npy"))
        with Image.open(source.folder / f"{position}.png") as image:
            np.testing.assert_array_equal(sample["image"], np.asarray(image))
    assert source.read_truth == ([] if memory else positions)


class Plain(ImageSource):
    """Images of one colour, of given sizes: a few bytes each, however large they are."""

    def __init__(self, sizes):
        self.class_names = ("a", "b")
        self.keys = [str(number) for number in range(len(sizes))]
        self.groups, self.splits = self.keys, {}
        self.images = {size: self.encode(size) for size in set(sizes)}
        self.sizes = sizes

    @staticmethod
    def encode(size):
        stream = io.BytesIO()
        Image.new("RGB", size, (size[0] % 256, size[1] % 256, 9)).save(stream, "PNG")
        return stream.getvalue()

    def truth(self, position):
        return {"label": position % 2}

    def encoded(self, position):
        return self.images[self.sizes[position]]


def decoding(sizes, memory, monkeypatch) -> int:
    """How many batches of images are decoded ahead, to be kept."""
    source, shown = Plain(sizes), []
    task = Classification(source.class_names, ClassificationOptions(name="lenet"), ImageOptions(size=32))

    def counted(name, unit, total, items):
        for each in items:
            shown.append(name)
            yield each

    monkeypatch.setattr(reading, "bar", counted)
    read = reader(task, source, np.arange(len(sizes)), memory, keep_loaded=True)
    gc.collect()
    for position in {0, len(sizes) // 2, len(sizes) - 1}:
        sample = read(tf.constant(position, tf.int64))
        width, height = sizes[position]
        assert sample["image"].shape == (height, width, 3) and sample["key"] == str(position)
        assert (sample["image"].numpy() == (width % 256, height % 256, 9)).all() and sample["label"] == position % 2
    return len(shown)


def test_what_takes_more_than_two_gigabytes_is_not_kept(monkeypatch):
    """3,818 images of 500 x 375 are 2,147,625,000 bytes, one more than an int32 holds by 1,352."""
    assert 3818 * 500 * 375 * 3 > 2**31
    assert decoding([(500, 375)] * 3818, 2**24, monkeypatch) == 0


def test_images_are_kept_up_to_the_memory_that_is_given(monkeypatch):
    assert decoding([(20, 10)] * 70, 2**17, monkeypatch) == 3
    assert decoding([(20, 10)] * 70, 2**15, monkeypatch) == 0
    assert decoding([(20, 10), *[(200, 100)] * 99], 2**21, monkeypatch) == 2  # the first says little of the others


def test_a_column_is_filled_in_parts():
    for dtype, shape, values in (
        (tf.string, (), [b"a", b"bc", b""]),
        (tf.float32, (2,), [[1, 2], [3, 4], [5, 6]]),
        (tf.bool, (), [True, False, True]),
    ):
        column = Column(3, dtype, shape)
        column.fill(1, values[1:])
        column.fill(0, values[:1])
        assert column[tf.constant([2, 0, 1])].numpy().tolist() == [values[2], values[0], values[1]]
        assert column[1].numpy().tolist() == values[1] if dtype != tf.string else column[1] == values[1]
