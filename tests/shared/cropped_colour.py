"""A task of a user's own whose images are prepared in Python before the graph: cropped to what is not black."""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from saccade.models.contract import SERVING, Evaluation, Task, Truth, Value
from saccade.models.inputs.image import ImageInput

PREPARED = []
"""How many images each call of `prepare` had."""


class Cropped(ImageInput):
    """Raw values are images of any kind; the graph gets PNG of the part that is not black."""

    prepare_version = "1"

    def prepare(self, raws):
        PREPARED.append(len(raws))
        return [self.cropped(raw["bytes"]) for raw in raws]

    def cropped(self, data):
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        there = pixels.max(axis=2) > 0
        if not there.any():
            return "nothing but black"
        rows, columns = (np.flatnonzero(there.any(axis)) for axis in (1, 0))
        part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        stream = io.BytesIO()
        Image.fromarray(part).save(stream, "PNG")
        return {"bytes": stream.getvalue()}


class Scored(Evaluation):
    """The share that is right, and the mean score of what is wrong: it falls as long as there is something to learn."""

    needs = ("scores", "label")

    def __init__(self):
        self.right, self.wrong = [], []

    def update(self, truth, results, key, raw):
        self.right.append(int(results["label"]) == int(truth["label"]))
        self.wrong.append(1 - float(results["scores"][int(truth["label"])]))

    def values(self, intervals=True):
        wrong = Value(float(np.mean(self.wrong)), higher_is_better=False)
        return {"accuracy": Value(float(np.mean(self.right))), "wrong": wrong}


class CroppedColour(Task):
    """The colour of what is in the image, and how large that is: height and width in pixels."""

    Input = Cropped
    models = {"mean": "cropped_colour:Network"}
    monitor = "wrong"
    signatures = {SERVING: ("label", "class_name", "size"), "scores": ("scores", "label")}

    @property
    def truth(self):
        return {"label": Truth("int32", role="class_ids")}

    def model(self):
        return Network(len(self.class_names), self.input.shape)

    def targets(self, batch):
        return batch["image"], batch["label"]

    def results(self, outputs, geometry, settings):
        label = tf.argmax(outputs, -1, tf.int32)
        name = tf.gather(tf.constant(self.class_names), label)
        return {"label": label, "class_name": name, "size": geometry["size"], "scores": tf.nn.softmax(outputs)}

    def evaluation(self, settings):
        return Scored()

    def draw(self, shown, results, truth=None):
        return shown


class Network(keras.Model):
    """The mean colour, seen by a dense layer."""

    def __init__(self, classes, shape):
        inputs = keras.Input(shape)
        mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
        super().__init__(inputs, keras.layers.Dense(classes)(mean))

    def compile(self, optimizer="adam", loss=None, **settings):
        loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        super().compile(optimizer=optimizer, loss=loss, **settings)


def image(number, kind="PNG"):
    """Encoded bytes of sample `number`: a rectangle, red or blue in turn, somewhere on black."""
    (height, width), random = size(number), np.random.default_rng(number)
    pixels = np.zeros((40, 50, 3), np.uint8)
    top, left = random.integers(0, 40 - height), random.integers(0, 50 - width)
    pixels[top : top + height, left : left + width, 2 * (number % 2)] = random.integers(120, 255, (height, width))
    return encoded(pixels, kind)


def size(number):
    """Height and width of its rectangle."""
    return 8 + number, 30 - number


def black():
    return encoded(np.zeros((40, 50, 3), np.uint8))


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()
