"""Training rate of `saccade train` against plain hand-written Keras code for the same work.

Both sides read encoded pictures, decode, resize, shuffle, batch and fit the same network with the same optimizer, in
one process, alternately; printed is the median of images per second of each, and the ratio. Run it with
`python benchmarks/train_rate.py [digits] [flowers]`; flowers needs SACCADE_DATA.
"""

import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from saccade.augment import Augmenter  # noqa: E402
from saccade.pipelines.order import Order  # noqa: E402
from saccade.pipelines.reading import reader  # noqa: E402
from saccade.pipelines.recipe import load_recipe  # noqa: E402
from saccade.pipelines.training_data import training_batches  # noqa: E402

ROUNDS = 5
DATA = Path(os.environ.get("SACCADE_DATA", "../shared/data"))


def saccade_batches(recipe, source, task, positions):
    order = Order(positions, seed=0)
    read = reader(source, positions, task.truth, recipe.train.memory * 2**20)
    steps = -(-len(positions) // recipe.train.batch)
    batches = training_batches(task, order, read, Augmenter(recipe.augment), recipe.train.batch, seed=0)
    return batches.apply(tf.data.experimental.assert_cardinality(steps)), order


def plain_batches(recipe, source, task, positions):
    """What a person would write by hand for the same files."""
    size, classes = task.input.shape[:2], len(task.class_names)
    encoded = tf.constant([source.read(int(position)) for position in positions])
    labels = tf.constant([int(source.truth(int(position))["label"]) for position in positions])

    def load(data, label):
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.image.resize(image, size, antialias=True), tf.one_hot(label, classes)

    dataset = tf.data.Dataset.from_tensor_slices((encoded, labels)).shuffle(len(positions))
    return dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(recipe.train.batch).prefetch(tf.data.AUTOTUNE)


def compare(name, *overrides, limit):
    recipe = load_recipe(name, ["augment=[]", "input.fit=stretch", *overrides])
    source, task = recipe.open()
    positions = np.random.default_rng(0).permutation(len(source))[:limit]
    model = task.model()
    model.compile(optimizer=keras.optimizers.SGD(1e-3, momentum=0.9))
    ours, order = saccade_batches(recipe, source, task, positions)
    sides = {"saccade": ours, "plain Keras": plain_batches(recipe, source, task, positions)}
    rates = {side: [] for side in sides}
    for round_ in range(ROUNDS + 1):  # the first warms up
        for side, batches in sides.items():
            order.start(round_)
            began = time.perf_counter()
            model.fit(batches, epochs=1, verbose=0, shuffle=False)
            if round_:
                rates[side].append(len(positions) / (time.perf_counter() - began))
    medians = {side: statistics.median(each) for side, each in rates.items()}
    told = ", ".join(f"{side} {rate:.0f} images/s" for side, rate in medians.items())
    print(f"{name}: {told}, ratio {medians['saccade'] / medians['plain Keras']:.3f}", flush=True)


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["digits", "flowers"]
    if "digits" in wanted:
        compare("digits", "train.batch=32", limit=1797)
    if "flowers" in wanted and (DATA / "classification/flowers5_128px").is_dir():
        photos = f"data.path={(DATA / 'classification/flowers5_128px').resolve()}"
        compare("photos", photos, "model={name: mobilenet_v2}", "input.size=96", "train.batch=32", limit=640)
