"""An image of any size in, a variable number of boxes out: the shape of detection.

Boxes move with their image through augmentation and fitting, because the truth says so (`moves`); results are padded,
and `lengths` says to what; suppression is part of the graph; a setting, the score threshold, is chosen on validation.
"""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from saccade.models.contract import Case, Evaluation, ModelOptions, Task, Truth, Value
from saccade.models.inputs.image import ImageInput, ImageOptions
from saccade.pipelines.data.source import DataOptions, ImageSource

STRIDE, MOST = 4, 20


class DrawnOptions(DataOptions):
    count: int = 120
    """How many images there are."""


class Drawn(ImageSource):
    """Bright squares on dark noise, drawn from the position alone."""

    Options = DrawnOptions

    def __init__(self, options, truth):
        self.class_names = ["square"]
        self.keys = [f"image {number}" for number in range(options.count)]
        self.splits, self.groups = {}, self.keys

    def encoded(self, position):
        stream = io.BytesIO()
        Image.fromarray(self._drawn(position)[0]).save(stream, "PNG")
        return stream.getvalue()

    def truth(self, position):
        boxes = self._drawn(position)[1]
        return {"boxes": boxes, "classes": np.zeros(len(boxes), np.int32)}

    def _drawn(self, position):
        random = np.random.default_rng(position)
        height, width = random.integers(8, 17, 2) * 4
        image = random.integers(0, 60, (height, width, 3), np.uint8)
        boxes = []
        for _ in range(random.integers(1, 4)):
            top, left = random.integers(0, height - 12), random.integers(0, width - 12)
            if all(abs(left - x) > 14 or abs(top - y) > 14 for x, y, _, _ in boxes):
                image[top : top + 12, left : left + 12] = 220
                boxes.append((left, top, left + 12, top + 12))
        return image, np.array(boxes, np.float32)


class AnySize(ImageOptions):
    """The recipe's `input` section: images as they are."""

    size: int | None = None
    fit: str = "pad"
    stride: int = STRIDE


class AnyImage(ImageInput):
    Options = AnySize


class Centres(keras.Model):
    """A score for every 4 x 4 pixels: whether the middle of a square lies there."""

    def __init__(self, width):
        image = keras.Input([None, None, 3])
        x = keras.layers.Rescaling(1 / 127.5, -1)(image)
        for factor in (1, 2):
            x = keras.layers.Conv2D(factor * width, 5, strides=2, padding="same", activation="relu")(x)
        x = keras.layers.Conv2D(2 * width, 3, padding="same", activation="relu")(x)
        super().__init__(image, keras.layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(-3))(x)[..., 0])

    def compile(self, optimizer="adam", loss=None, **others):
        super().compile(optimizer, loss or keras.losses.BinaryFocalCrossentropy(from_logits=True), **others)


class Matches(Evaluation):
    """Precision and recall of boxes that overlap a true one by half."""

    needs = ("boxes", "scores", "count")

    def __init__(self, threshold):
        self._threshold, self._rows = threshold, []

    def update(self, truth, results, key, raw):
        hits = (_iou(results["boxes"], truth["boxes"]) >= 0.5).any(1) if len(truth["boxes"]) else np.zeros(0, bool)
        self._rows.append((key, np.asarray(results["scores"]), hits, len(truth["boxes"])))

    def values(self, intervals=True):
        return {"f1": Value(self._f1(self._threshold))}

    def _f1(self, threshold):
        kept = [(hits[scores >= threshold], there) for _, scores, hits, there in self._rows]
        right = sum(min(int(hits.sum()), there) for hits, there in kept)
        return 2 * right / max(1, sum(len(hits) + there for hits, there in kept))

    def worst(self, n):
        cases = [
            Case(key, abs(int(hits.sum()) - there), f"{int(hits.sum())} of {there}")
            for key, _, hits, there in self._rows
        ]
        return sorted(cases, key=lambda case: -case.badness)[:n]

    def choose_settings(self):
        return {"threshold": max(np.linspace(0.05, 0.9, 18).tolist(), key=self._f1)}


class Options(ModelOptions):
    """The recipe's `model` section."""

    name: str = "centres"
    width: int = 8


class FindSquares(Task):
    """Boxes of 12 x 12 pixels."""

    Input = AnyImage
    models = {"centres": "find_squares:Centres"}
    ModelOptions = Options
    monitor = "f1"
    settings = {"threshold": 0.3}
    lengths = {"boxes": "count", "scores": "count"}
    truth = {
        "boxes": Truth("float32", (None, 4), moves="boxes", pad=-1),
        "classes": Truth("int32", (None,), moves="box_field", role="class_ids", pad=-1),
    }

    def model(self):
        return Centres(self.model_options.width)

    def targets(self, batch):
        height, width = tf.unstack(tf.shape(batch["image"])[1:3] // STRIDE)
        middles = tf.cast((batch["boxes"][..., :2] + batch["boxes"][..., 2:]) / 2 / STRIDE, tf.int32)  # [n, k, (x, y)]
        there = tf.cast(batch["classes"] >= 0, tf.float32)  # 0 for what fills the batch
        rows, columns = tf.one_hot(middles[..., 1], height), tf.one_hot(middles[..., 0], width)
        return batch["image"], tf.minimum(tf.einsum("nk,nky,nkx->nyx", there, rows, columns), 1.0)

    def results(self, outputs, geometry, settings):
        scores = tf.sigmoid(outputs)  # [n, h, w]
        peaks = tf.where(scores == tf.nn.max_pool2d(scores[..., None], 3, 1, "SAME")[..., 0], scores, 0.0)
        cells = tf.shape(scores)[1:]
        flat = tf.reshape(peaks, [tf.shape(scores)[0], -1])
        best, places = tf.math.top_k(flat, tf.minimum(MOST, tf.shape(flat)[1]))  # the largest of its neighbours only
        x, y = (tf.cast(each, tf.float32) * STRIDE + STRIDE / 2 for each in (places % cells[1], places // cells[1]))
        boxes = self.input.boxes_to_original(tf.stack([x - 6, y - 6, x + 6, y + 6], -1), geometry)
        count = tf.reduce_sum(tf.cast(best >= 0.05, tf.int32), 1)
        return {
            "boxes": boxes,
            "scores": best,
            "count": count,
            "above": tf.reduce_sum(tf.cast(best >= settings["threshold"], tf.int32), 1),
        }

    def evaluation(self, settings):
        return Matches(settings["threshold"])

    def difference(self, left, right):
        if len(left["boxes"]) != len(right["boxes"]):
            return np.inf
        return float(np.abs(np.sort(left["scores"]) - np.sort(right["scores"])).max(initial=0))

    def summary(self, values):
        return f"{len(values['boxes'])} boxes"

    def draw(self, shown, results, truth=None):
        image = Image.fromarray(shown.copy())
        pen = ImageDraw.Draw(image)
        for boxes, colour in (
            ((truth or {}).get("boxes", ()), "lime"),
            ((results or {}).get("boxes", ())[: int((results or {}).get("above", 0))], "red"),
        ):
            for box in boxes:
                x_min, y_min, x_max, y_max = map(float, box)
                pen.rectangle([x_min, y_min, max(x_min, x_max - 1), max(y_min, y_max - 1)], outline=colour)
        return np.asarray(image.resize((2 * image.width, 2 * image.height)))


def _iou(left, right):
    low, high = np.maximum(left[:, None, :2], right[None, :, :2]), np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    return shared / (288 - shared)
