"""Two images and a number in, an image out, and nothing to learn: the shape of style transfer.

A sample is a mapping of three raw values. There is no truth, and the recipe says `epochs: 0`: `saccade train` checks
the data, writes the weights that the model begins with, and leaves a run like any other.
"""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from saccade.models.contract import SERVING, Case, Evaluation, Input, Inspected, ModelOptions, Task, Value
from saccade.models.inputs.image import ImageInput, ImageOptions
from saccade.models.inputs.image.files import find_images, to_bytes
from saccade.pipelines.data.formats.folder import Folder


class Pairs(Folder):
    """A folder of images, each as content with the next one as style."""

    def read(self, position):
        return {
            "content": self.encoded(position),
            "style": self.encoded((position + 1) % len(self)),
            "strength": np.float32(0.5),
        }


class PairOptions(ImageOptions):
    """The recipe's `input` section: both images are seen in one size."""

    size: int = 32
    fit: str = "stretch"


class PairInput(Input):
    """Raw values: `content` and `style`, encoded images, and `strength`, 0..1."""

    Options = PairOptions

    def __init__(self, options, learned=None, truth=None):
        super().__init__(options, learned, truth or {})
        self._image = ImageInput(options)

    @property
    def signatures(self):
        image = self._image.signatures[SERVING]["bytes"]
        return {SERVING: {"content": image, "style": image, "strength": tf.TensorSpec([None], tf.float32)}}

    def __call__(self, content, style, strength):
        inside = tf.debugging.assert_equal(
            tf.reduce_all((strength >= 0) & (strength <= 1)), True, "strength lies between 0 and 1"
        )
        with tf.control_dependencies([inside] if inside is not None else []):
            contents, geometry = self._image(bytes=content)  # [n, 32, 32, 3]
            styles, _ = self._image(bytes=style)
        return {"content": contents, "style": styles, "strength": strength}, geometry

    def encode(self, item):
        images = {name: to_bytes(item[name]) for name in ("content", "style")}
        return images | {"strength": np.float32(item.get("strength", 0.5))}

    def find(self, places):
        """The last place is the style, the others are contents."""
        *contents, style = find_images(places)
        return [(name, lambda name=name: self.encode({"content": name, "style": style})) for name in contents]

    def inspect(self, raw, where=""):
        self._image.inspect({"bytes": raw["style"]})
        found = self._image.inspect({"bytes": raw["content"]}, where)
        return Inspected(found.size, note=found.note)

    def cost(self, raw):
        return self._image.cost({"bytes": raw["content"]})

    def show(self, raw):
        sides = [self._image.show({"bytes": raw[name]}) for name in ("content", "style")]
        return np.hstack([np.asarray(Image.fromarray(each).resize((64, 64))) for each in sides])


class Blend(keras.Model):
    """The mean colour of the style moves into the content, as far as `strength` says."""

    def __init__(self):
        super().__init__()
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, inputs, training=False):
        content, style = inputs["content"], inputs["style"]
        shift = keras.ops.mean(style, (1, 2), keepdims=True) - keras.ops.mean(content, (1, 2), keepdims=True)
        return content + self.gain * inputs["strength"][:, None, None, None] * shift  # [n, 32, 32, 3]


class Distances(Evaluation):
    """How far the colours of results are from content and style, in grey values."""

    def __init__(self):
        self._rows = []

    def update(self, truth, results, key, raw):
        values, image = raw(), _decoded(bytes(results["image_bytes"]))
        content, style = (_decoded(values[name]).mean((0, 1)) for name in ("content", "style"))
        mean = image.mean((0, 1))
        self._rows.append((key, np.abs(mean - content).mean(), np.abs(mean - style).mean()))

    def values(self, intervals=True):
        _, content, style = zip(*self._rows, strict=True)
        return {
            "style_distance": Value(float(np.mean(style)), higher_is_better=False),
            "content_distance": Value(float(np.mean(content)), higher_is_better=False),
        }

    def worst(self, n):
        cases = [Case(key, float(style), f"{style:.1f} from its style") for key, _, style in self._rows]
        return sorted(cases, key=lambda case: -case.badness)[:n]


class Options(ModelOptions):
    """The recipe's `model` section."""

    name: str = "blend"


class BlendImages(Task):
    """An image in the colours of another."""

    Input = PairInput
    models = {"blend": "blend_images:Blend"}
    ModelOptions = Options
    monitor = "style_distance"
    truth = {}

    def model(self):
        model = Blend()
        model({"content": tf.zeros([1, 8, 8, 3]), "style": tf.zeros([1, 8, 8, 3]), "strength": tf.zeros([1])})
        return model

    def targets(self, batch):
        raise NotImplementedError("there is nothing to train")

    def results(self, outputs, geometry, settings):
        def encoded(row):
            image, size = row
            native = tf.image.resize(image[tf.newaxis], size)[0]  # back to the content's own size
            return tf.io.encode_png(tf.cast(tf.clip_by_value(tf.round(native), 0, 255), tf.uint8))

        pngs = tf.map_fn(encoded, (outputs, geometry["size"]), fn_output_signature=tf.string)
        return {"image_bytes": pngs, "size": geometry["size"]}

    def evaluation(self, settings):
        return Distances()

    def line(self, results):
        return {"size": results["size"]}

    def draw(self, shown, results, truth=None):
        if results is None:
            return shown
        result = Image.open(io.BytesIO(bytes(results["image_bytes"]))).resize((64, 64))
        return np.hstack([np.asarray(Image.fromarray(shown).resize((128, 64))), np.asarray(result)])


def _decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)
