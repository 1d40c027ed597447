"""A small real task for these tests: which of red, green and blue is strongest in an image."""

import keras
import numpy as np
import tensorflow as tf

from saccade.models.contract import Evaluation, ModelOptions, Task, Truth, Value
from saccade.models.inputs.image import ImageInput


class Accuracy(Evaluation):
    def __init__(self):
        self.right = []

    def update(self, truth, results, key, raw):
        self.right.append(int(results["label"]) == int(truth["label"]))

    def values(self, intervals=True):
        return {"accuracy": Value(float(np.mean(self.right)))}


class Colour(Task):
    """Results: probabilities, label, class name, and the class name once more as binary data."""

    Input = ImageInput
    models = {"mean": "colour_task:mean_model"}
    monitor = "accuracy"
    settings = {"temperature": 0.5}

    @property
    def truth(self):
        return {"label": Truth("int32")}

    def model(self):
        return mean_model(len(self.class_names), self.input.shape)

    def targets(self, batch):
        return batch["image"], batch["label"]

    def results(self, outputs, geometry, settings):
        label = tf.argmax(outputs, -1, tf.int32)
        name = tf.gather(tf.constant(self.class_names), label)
        return {
            "probabilities": tf.nn.softmax(outputs / settings["temperature"]),
            "label": label,
            "class_name": name,
            "raw_bytes": tf.strings.join([name, tf.constant(b"\xff\x00")]),
            "size": geometry["size"],
        }

    def evaluation(self, settings):
        return Accuracy()

    def draw(self, image, results, truth=None):
        return image


class Brightness(Colour):
    """One output only, which TF Serving's format gives without its name."""

    def results(self, outputs, geometry, settings):
        return {"brightness": tf.reduce_mean(outputs, -1)}

    def evaluation(self, settings):
        return Nothing()


class Nothing(Accuracy):
    def update(self, truth, results, key, raw):
        self.right.append(True)


class Drifting(Colour):
    """Its results depend on something that is not in the graph: how often Python has run them."""

    def __init__(self, *options):
        super().__init__(*options)
        self.times = 0

    def results(self, outputs, geometry, settings):
        self.times += 1
        return super().results(outputs * self.times, geometry, settings)


class InPython(Colour):
    """Its results are computed by Python, which a SavedModel does not hold."""

    def results(self, outputs, geometry, settings):
        results = super().results(outputs, geometry, settings)
        shifted = tf.py_function(lambda values: values + 1, [results["probabilities"]], tf.float32)
        return results | {"probabilities": shifted}


def mean_model(classes, shape):
    """Mean colour, seen by a dense layer; batch norm and dropout tell training from serving."""
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(1 / 255),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, kernel_initializer="identity"),
        ]
    )
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def options(**input_options):
    return ModelOptions(name="mean"), Colour.Input.Options(**({"size": 16} | input_options))
