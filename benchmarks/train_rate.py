"""Training rate of `saccade train` against plain hand-written Keras code for the same work.

Both sides read the same encoded images, decode, augment, resize, shuffle and batch them, and fit the same network
with the same optimizer, in one process and alternately. Printed is the median of images per second on each side, and
the ratio of the medians. Flowers need SACCADE_DATA.

    python benchmarks/train_rate.py [digits] [flowers]
"""

import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from saccade.models.predictor import Predictor  # noqa: E402
from saccade.pipelines.data.data import Data  # noqa: E402
from saccade.pipelines.feeding.batches import make_augmenter  # noqa: E402
from saccade.pipelines.recipe.recipe import load_recipe
from saccade.pipelines.training.phases import Phase, prepare  # noqa: E402

ROUNDS = 7
DATA = Path(os.environ.get("SACCADE_DATA", "../shared/data")).resolve()


def plain_batches(recipe, source, task, positions):
    """What a person would write by hand for the same files."""
    size, classes = task.input.shape[:2], len(task.class_names)
    encoded = tf.constant([source.encoded(int(position)) for position in positions])
    labels = tf.constant([int(source.truth(int(position))["label"]) for position in positions])
    steps = [getattr(albumentations, name)(**arguments) for step in recipe.augment for name, arguments in step.items()]
    augment = albumentations.Compose(steps)

    def load(data, label):
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        if steps:
            image = tf.numpy_function(lambda pixels: augment(image=pixels)["image"], [image], tf.uint8)
            image.set_shape([None, None, 3])
        return tf.image.resize(image, size, antialias=True), tf.one_hot(label, classes)

    dataset = tf.data.Dataset.from_tensor_slices((encoded, labels)).shuffle(len(positions))
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(recipe.train.batch).prefetch(tf.data.AUTOTUNE)


def compare(title, recipe, limit, epochs=1):
    source, task = recipe.open()
    positions = np.sort(np.random.default_rng(0).permutation(len(source))[:limit])
    model = task.model()
    data = Data(source, {"train": positions, "validation": positions[:1]}, findings=None, task=task)
    work = prepare(Phase("all", recipe.train), recipe, Predictor(task, model), data, make_augmenter(recipe, task))
    model.compile(optimizer=keras.optimizers.SGD(1e-3, momentum=0.9))
    ours = work.batches.apply(tf.data.experimental.assert_cardinality(work.steps))
    sides = {"saccade": ours, "plain Keras": plain_batches(recipe, source, task, positions)}
    rates = {side: [] for side in sides}
    for number in range(ROUNDS + 1):  # the first warms up
        for side, batches in sides.items():
            work.order.start(number)
            began = time.perf_counter()
            model.fit(batches, epochs=epochs, verbose=0, shuffle=False)
            if number:
                rates[side].append(epochs * len(positions) / (time.perf_counter() - began))
    medians = {side: statistics.median(each) for side, each in rates.items()}
    told = ", ".join(f"{side} {rate:.0f} images/s" for side, rate in medians.items())
    print(f"{title}: {told}, ratio {medians['saccade'] / medians['plain Keras']:.2f}", flush=True)


def main(wanted):
    affine = "augment=[{Affine: {rotate: [-10, 10], scale: [0.9, 1.1]}}]"
    if "digits" in wanted:
        compare("digits", load_recipe("digits", ["augment=[]"]), 1797, epochs=5)
        compare("digits, augmented", load_recipe("digits", [affine]), 1797, epochs=5)
    flowers = DATA / "classification/flowers5_128px"
    if "flowers" in wanted and flowers.is_dir():
        overrides = [f"data.path={flowers}", "model={name: mobilenet_v2}", "input={size: 96, fit: stretch}"]
        compare("flowers", load_recipe("photos", [*overrides, "augment=[]"]), 640)
        compare("flowers, augmented", load_recipe("photos", [*overrides, affine]), 640)


if __name__ == "__main__":
    main(sys.argv[1:] or ["digits", "flowers"])
