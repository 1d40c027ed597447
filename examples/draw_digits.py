"""A seed in, an image out, by two networks that are trained against each other: the shape of a GAN.

The model says which variables belong together (`optimizer_groups`), the loop makes an optimizer for each group, and
`train_step` lets them take turns. Checkpoints, averaged weights and rates in the log know of both.
"""

import hashlib

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from saccade.models.contract import SERVING, Evaluation, Input, Inspected, ModelOptions, Task, Value
from saccade.models.errors import InputError
from saccade.models.inputs.image import ImageInput, ImageOptions
from saccade.models.options import Options

SIZE, NOISE = 8, 16


class SeedInput(Input):
    """Raw value: `seed`, a whole number. Training reads images; a sample's request is the seed of its key."""

    Options = Options

    @property
    def signatures(self):
        return {SERVING: {"seed": tf.TensorSpec([None], tf.int64)}}

    def __call__(self, seed):
        noise = tf.map_fn(
            lambda each: tf.random.stateless_normal([NOISE], tf.stack([each, 0])), seed, fn_output_signature=tf.float32
        )
        return noise, {"seed": seed}  # [n, 16]

    def load(self, sample):
        return ImageInput(ImageOptions(size=SIZE)).load(sample)

    def fit(self, sample):
        return ImageInput(ImageOptions(size=SIZE)).fit(sample)

    def request(self, sample):
        return {"seed": int.from_bytes(hashlib.blake2b(sample["key"].encode(), digest_size=4).digest(), "big")}

    def encode(self, item):
        try:
            return {"seed": int(item["seed"] if isinstance(item, dict) else item)}
        except (TypeError, ValueError):
            raise InputError(f"'{item}' is no seed: a whole number is") from None

    def find(self, places):
        return [(place, lambda place=place: self.encode(place)) for place in places]

    def inspect(self, raw, where=""):
        return Inspected()

    def show(self, raw):
        return np.full((SIZE, SIZE, 3), raw["seed"] % 256, np.uint8)


class Gan(keras.Model):
    """A generator, and a discriminator that tells its images from real ones (Goodfellow et al. 2014)."""

    def __init__(self, width):
        super().__init__()
        dense = keras.layers.Dense
        self.generator = keras.Sequential(
            [
                keras.Input([NOISE]),
                dense(width, "relu"),
                dense(SIZE * SIZE, "sigmoid"),
                keras.layers.Reshape([SIZE, SIZE]),
            ]
        )
        self.discriminator = keras.Sequential(
            [keras.Input([SIZE, SIZE]), keras.layers.Flatten(), dense(width, "leaky_relu"), dense(1)]
        )
        self.seeds = keras.random.SeedGenerator(0)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in ("loss", "discriminator_loss")}
        self.built = True

    @property
    def metrics(self):
        return list(self.trackers.values())

    def call(self, noise, training=False):
        return self.generator(noise, training=training)  # [n, 8, 8], 0..1

    def optimizer_groups(self):
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: network.trainable_variables for name, network in networks.items()}

    def set_optimizers(self, optimizers):
        self.optimizers = optimizers

    def train_step(self, data):
        (real,) = data
        noise = keras.random.normal([tf.shape(real)[0], NOISE], seed=self.seeds)
        score = keras.losses.BinaryCrossentropy(from_logits=True)
        with tf.GradientTape(persistent=True) as tape:
            drawn = self.generator(noise, training=True)
            said_of_drawn, said_of_real = (self.discriminator(each, training=True) for each in (drawn, real))
            losses = {
                "discriminator": score(tf.ones_like(said_of_real), said_of_real)
                + score(tf.zeros_like(said_of_drawn), said_of_drawn),
                "generator": score(tf.ones_like(said_of_drawn), said_of_drawn),
            }
        for name, variables in self.optimizer_groups().items():
            self.optimizers[name].apply_gradients(zip(tape.gradient(losses[name], variables), variables, strict=True))
        self.trackers["loss"].update_state(losses["generator"])
        self.trackers["discriminator_loss"].update_state(losses["discriminator"])
        return {name: tracker.result() for name, tracker in self.trackers.items()}


class Variety(Evaluation):
    """How far images differ from each other: a generator that draws one image for every seed has collapsed."""

    needs = ("pixels",)

    def __init__(self):
        self._images = []

    def update(self, truth, results, key, raw):
        self._images.append(np.asarray(results["pixels"], np.float32))

    def values(self, intervals=True):
        images = np.stack(self._images)
        return {"variety": Value(float(images.std(0).mean())), "brightness": Value(float(images.mean()))}


class Section(ModelOptions):
    name: str = "gan"
    width: int = 32


class DrawDigits(Task):
    """Small images like those of a folder."""

    Input = SeedInput
    models = {"gan": "draw_digits:Gan"}
    ModelOptions = Section
    monitor = "variety"
    signatures = {"serving_default": ("image_bytes",), "pixels": ("pixels",)}
    truth = {}

    def model(self):
        return Gan(self.model_options.width)

    def targets(self, batch):
        return (batch["image"][..., 0] / 255,)

    def results(self, outputs, geometry, settings):
        pixels = tf.cast(tf.round(255 * outputs), tf.uint8)  # [n, 8, 8]
        return {
            "image_bytes": tf.map_fn(tf.io.encode_png, pixels[..., None], fn_output_signature=tf.string),
            "pixels": pixels,
        }

    def evaluation(self, settings):
        return Variety()

    def line(self, results):
        return {"bytes": len(bytes(results["image_bytes"]))}

    def draw(self, shown, results, truth=None):
        if not results:
            return shown
        drawn = tf.io.decode_png(results["image_bytes"], 3).numpy()
        return np.asarray(Image.fromarray(drawn).resize((64, 64), Image.Resampling.NEAREST))
