"""Sets of TensorFlow Datasets for the tests of their source."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

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


def prepare(folder: Path) -> None:
    """Prepares all of them, in three shards a split where there is something to slice."""
    tfds.disable_progress_bar()
    three = tfds.download.DownloadConfig(num_shards=3)
    for name in ("pet_photos/png", "pet_photos/jpeg"):
        tfds.builder(name, data_dir=folder).download_and_prepare(download_config=three)
    for name in ("two_views", "sounds/good"):
        tfds.builder(name, data_dir=folder).download_and_prepare()
