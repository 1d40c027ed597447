"""A task of your own in one file: one number per image, learned from a column of a CSV file.

The recipe beside this file names the class below as `image_regression:ImageRegression`; nothing else is needed for
`saccade train`, `evaluate`, `predict`, `export` and `serve` to work with it.
"""

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from saccade.models.contract import Case, Evaluation, ModelOptions, Task, Truth, Value
from saccade.models.inputs.image import ImageInput


class Regressor(keras.Model):
    """A small convolutional network with one output, and its loss as its own default."""

    def __init__(self, shape: tuple[int, int, int], width: int):
        inputs = keras.Input(shape)
        x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)  # [n, h, w, 3], -1 to 1
        for factor in (1, 2, 4):
            x = keras.layers.Conv2D(factor * width, 3, strides=2, padding="same", activation="relu")(x)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(4 * width, activation="relu")(x)
        super().__init__(inputs, keras.layers.Dense(1, name="value")(x))  # [n, 1]

    def compile(self, optimizer="adam", loss="mse", metrics=("mae",), **settings):
        super().compile(optimizer=optimizer, loss=loss, metrics=list(metrics), **settings)


class Options(ModelOptions):
    """The `model` section of the recipe."""

    name: str = "small"
    width: int = 16


class Errors(Evaluation):
    """Mean absolute error, and the fraction of the variance that is explained (R squared)."""

    def __init__(self):
        self._rows: list[tuple[str, float, float]] = []

    def update(self, truth, results, key, raw):
        self._rows.append((key, float(truth["value"]), float(results["value"])))

    def values(self, intervals=True):
        _, truth, said = zip(*self._rows, strict=True)
        truth, said = np.array(truth), np.array(said)
        errors = np.abs(truth - said)
        low = high = None
        if intervals:
            means = np.random.default_rng(0).choice(errors, (1000, len(errors))).mean(1)
            low, high = np.quantile(means, (0.025, 0.975))
        explained = 1 - np.sum((truth - said) ** 2) / np.sum((truth - truth.mean()) ** 2)
        return {
            "mean_absolute_error": Value(float(errors.mean()), low, high, higher_is_better=False),
            "r_squared": Value(float(explained)),
        }

    def worst(self, n):
        cases = [Case(key, abs(truth - said), f"said {said:.3g}, is {truth:.3g}") for key, truth, said in self._rows]
        return sorted(cases, key=lambda case: -case.badness)[:n]


class ImageRegression(Task):
    """One number per image."""

    Input = ImageInput
    models = {"small": "image_regression:Regressor"}
    ModelOptions = Options
    monitor = "mean_absolute_error"

    @property
    def truth(self):
        return {"value": Truth("float32")}

    def model(self):
        return Regressor(self.input.shape, self.model_options.width)

    def targets(self, batch):
        return batch["image"], batch["value"][:, tf.newaxis]

    def results(self, outputs, geometry, settings):
        return {"value": outputs[:, 0]}

    def evaluation(self, settings):
        return Errors()

    def draw(self, image, results, truth=None):
        drawn = Image.new("RGB", (max(160, image.shape[1]), image.shape[0] + 16), "white")
        drawn.paste(Image.fromarray(image))
        words = [f"said {float(results['value']):.3g}"] if results else []
        words += [f"is {float(truth['value']):.3g}"] if truth else []
        ImageDraw.Draw(drawn).text((2, image.shape[0] + 2), ", ".join(words), fill="black")
        return np.asarray(drawn)
