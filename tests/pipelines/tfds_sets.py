"""Sets of TensorFlow Datasets for the tests of their source."""

import io
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

TAGS = ["wild", "small"]


def pixels(seed: int) -> np.ndarray:
    """A smooth image of its own for each seed."""
    grid = np.linspace(0, 1, 10 + seed % 3)[:, None, None] * np.linspace(0, 1, 9)[None, :, None]
    return np.uint8(grid * np.random.default_rng(seed).integers(50, 256, 3))


class PetPhotos(tfds.core.GeneratorBasedBuilder):
    """23 + 7 + 5 images as PNG or JPEG, with a class, any number of tags, and a number; "spare" has no class."""

    VERSION = tfds.core.Version("1.2.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="png"), tfds.core.BuilderConfig(name="jpeg")]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "photo": tfds.features.Image(encoding_format=self.builder_config.name),
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
            yield seed, {"photo": pixels(seed), "kind": seed % 3, "tags": tags, "weight": seed / 2}

    def _spare(self):
        for seed in range(500, 505):
            yield seed, {"photo": pixels(seed), "kind": -1, "tags": [], "weight": 0.0}


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
    """No image; and what prepares it fails in the config that says so."""

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


def ids(seed: int) -> np.ndarray:
    """Class ids 0, 1, 2 and, in every other, 255, for the image of that seed."""
    mask = np.zeros(pixels(seed).shape[:2], np.uint8)
    mask[2:5, 1:6], mask[6:, 3:], mask[0, : seed % 2] = 1, 2, 255
    return mask


class Fields(tfds.core.GeneratorBasedBuilder):
    """6 images with the same mask in every form; the last mask of "odd" has a number too many."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "map": tfds.features.LabeledImage(labels=["soil", "weed", "crop"]),
            "trimap": tfds.features.Image(shape=(None, None, 1)),
            "tensor": tfds.features.Tensor(shape=(None, None, 1), dtype=np.uint8, encoding="zlib"),
            "flat": tfds.features.Tensor(shape=(None, None), dtype=np.int32, encoding="bytes"),
            "palette": tfds.features.Image(shape=(None, None, 1)),
            "odd": tfds.features.LabeledImage(labels=None, dtype=np.uint16),
            "lossy": tfds.features.Image(shape=(None, None, 1), encoding_format="jpeg"),
            "kind": tfds.features.ClassLabel(names=["low", "high"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for seed in range(6):
            mask = ids(seed)
            file = io.BytesIO()
            palette = Image.fromarray(mask)
            palette.putpalette([200, 0, 0, 0, 200, 0] + [9] * 762)
            palette.save(file, "PNG")
            file.seek(0)
            yield (
                seed,
                {
                    "image": pixels(seed),
                    "map": mask[..., None],
                    "trimap": np.where(mask == 255, 255, mask + 1).astype(np.uint8)[..., None],
                    "tensor": mask[..., None],
                    "flat": np.array([7, 70, 700] + [0] * 252 + [255], np.int32)[mask],
                    "palette": file,
                    "odd": np.where(mask == 2, np.uint16(2 if seed < 5 else 900), mask)[..., None],
                    "lossy": mask[..., None],
                    "kind": seed % 2,
                },
            )


class OneMask(tfds.core.GeneratorBasedBuilder):
    """Two images, each with a map of 1 and 2 whose classes have no names, as oxford_iiit_pet has."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1), use_colormap=True),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for seed in range(2):
            yield seed, {"image": pixels(seed), "segmentation_mask": np.uint8(ids(seed) == 1)[..., None] + 1}


class Things(tfds.core.GeneratorBasedBuilder):
    """Three images of objects, in the fields of TFDS's `voc` and `coco` together; the last has none."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        fields = {
            "bbox": tfds.features.BBoxFeature(),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            "pose": tfds.features.ClassLabel(names=["frontal", "rear"]),
            "is_crowd": np.bool_,
            "is_difficult": np.bool_,
            "area": np.int64,
        }
        features = {
            "image": tfds.features.Image(encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(fields),
            "parts": tfds.features.Sequence({"bbox": tfds.features.BBoxFeature(), "kind": fields["label"]}),
            "labels": tfds.features.Sequence(fields["label"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, download_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        rest = {"pose": 0, "is_crowd": False, "is_difficult": False, "area": 7}
        whole, flat = tfds.features.BBox(0.0, 0.0, 1.0, 1.0), tfds.features.BBox(0.25, 0.5, 0.25, 1.0)
        part = tfds.features.BBox(ymin=0.25, xmin=0.5, ymax=0.75, xmax=1.0)
        objects = [
            [
                rest | {"bbox": part, "label": 1},
                rest | {"bbox": whole, "label": 0, "is_crowd": True},
                rest | {"bbox": whole, "label": 1, "is_difficult": True},
            ],
            [rest | {"bbox": flat, "label": 0}, rest | {"bbox": part, "label": 0}],
            [],
        ]
        for seed, each in enumerate(objects):
            parts = [{"bbox": part, "kind": 1}]
            yield (
                seed,
                {"image": pixels(seed), "image/filename": f"{seed}.jpg", "objects": each, "parts": parts, "labels": []},
            )


def prepare(folder: Path) -> None:
    """Prepares all of them, in three shards a split where there is something to slice."""
    tfds.disable_progress_bar()
    three = tfds.download.DownloadConfig(num_shards=3)
    for name in ("pet_photos/png", "pet_photos/jpeg"):
        tfds.builder(name, data_dir=folder).download_and_prepare(download_config=three)
    for name in ("two_views", "sounds/good", "fields", "one_mask", "things"):
        tfds.builder(name, data_dir=folder).download_and_prepare()
