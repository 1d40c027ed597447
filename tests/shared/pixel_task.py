"""Segmentation by one small convolution, for tests that need a real task with an answer for each pixel."""

import io
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from saccade.models.contract import Evaluation, Value
from saccade.models.predictor import WEIGHTS, Predictor
from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions
from saccade.models.segmentation.task import Segmentation

NAMES = ("background", "red", "green")


class Agreement(Evaluation):
    """The share of pixels that are right; it reads nothing but the mask."""

    needs = ("mask", "size")

    def __init__(self):
        self.right = []

    def update(self, truth, results, key, raw):
        assert results["mask"].shape == truth["mask"].shape == tuple(results["size"])
        self.right.append(results["mask"] == truth["mask"])

    def values(self, intervals=True):
        return {"accuracy": Value(float(np.mean(np.concatenate([each.ravel() for each in self.right]))))}


class Pixels(Segmentation):
    """What of it the network and its evaluation need not be: inputs, results, signatures are segmentation's own."""

    models = {"convolution": "pixel_task:convolution"}

    def model(self):
        return convolution(len(self.class_names), self.input.shape)

    def evaluation(self, settings):
        return Agreement()

    def line(self, results):
        ids, counts = np.unique(results["mask"], return_counts=True)
        return {"pixels": {self.class_names[i]: n for i, n in zip(ids, counts, strict=True)}, "size": results["size"]}

    def files(self, results):
        stream = io.BytesIO()
        Image.fromarray(results["mask"]).save(stream, "PNG")
        return {".mask.png": stream.getvalue()}

    def draw(self, image, results, truth=None):
        return image


class DriftingPng(Pixels):
    """One signature depends on something that is not in the graph: how often Python has run it."""

    times = 0

    def results(self, outputs, geometry, settings):
        self.times += 1
        results = super().results(outputs, geometry, settings)
        return results | {"mask_png_bytes": tf.strings.join([results["mask_png_bytes"], str(self.times)])}


class OneSize(Pixels.Input):
    """It claims that all images are padded to one size, so that they are answered together."""

    def extent(self, geometry):
        return tf.zeros_like(geometry["size"])


class Overall(Pixels):
    """Of every pixel it says something else where there is more around the image."""

    def model(self):
        image = keras.Input(self.input.shape)
        x = convolution(len(self.class_names), self.input.shape)(image)
        return keras.Model(image, x + 4 * keras.layers.GlobalAveragePooling2D(keepdims=True)(x))


class Mingling(Overall):
    """Its answers depend on how large the other images of a batch are."""

    Input = OneSize


class Refusing(Pixels):
    """Files that it cannot make of some results."""

    def files(self, results):
        from saccade.models.errors import InputError

        if results["mask"].shape[0] > 20:
            raise InputError("more rows than this format holds")
        return super().files(results)


def convolution(classes, shape, size=3, seed=1):
    """Random weights over colours from -1 to 1: what a pixel is depends on `size` x `size` pixels around it."""
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(1 / 127.5, -1),
            keras.layers.Conv2D(
                classes, size, padding="same", kernel_initializer=keras.initializers.RandomNormal(0, 1, seed)
            ),
        ]
    )


def make(kind=Pixels, names=NAMES, **input_options):
    """A task with small strides unless told."""
    options = SegmentationOptions(name="convolution")
    return kind(names, options, SegmentationInput(**({"stride": 8} | input_options)))


def smooth(height, width, seed=0):
    """Blobs of colour, uint8 `[height, width, 3]`."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def whole(predictor, image):
    """What one pass over the whole image gives, probabilities included."""
    return predictor.predict([image], results=["mask", "size", "probabilities"])[0]


def png(height, width, seed=0):
    """Noise as an encoded image."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def write_run(folder, kind=Pixels, sizes=((12, 20), (24, 9), (17, 17))):
    """A run as `train` leaves it, with random weights; the truth of its proof samples is what the network says."""
    (folder / "proof").mkdir(parents=True)
    task = make(kind)
    predictor = Predictor(task, task.model())
    predictor.describe(folder, f"pixel_task:{kind.__name__}", [str(Path(__file__).parent)])
    predictor.model.save_weights(folder / WEIGHTS)
    lines = []
    for number, size in enumerate(sizes):
        (folder / "proof" / f"{number}.png").write_bytes(png(*size, number))
        truth = {"mask": predictor.predict([png(*size, number)])[0]["mask"].tolist()}
        raw = {"bytes": {"file": f"{number}.png"}}
        lines.append(json.dumps({"key": f"test/{number}.png", "raw": raw, "truth": truth}) + "\n")
    (folder / "proof" / "samples.jsonl").write_text("".join(lines))
    return folder
