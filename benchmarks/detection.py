"""Where the time of a detector goes: matching and loss in a training step, decoding and suppression in inference.

Each part is timed alternately with the whole, on the same batch, with random images and ten random objects in each.
Printed is the ratio of the medians.

    python benchmarks/detection.py [retinanet] [ssd] [faster_rcnn]
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from saccade.models.detection.options import DetectionInput, DetectionOptions, DetectionResults  # noqa: E402
from saccade.models.detection.task import Detection  # noqa: E402

ROUNDS, BATCH, SIDE, OBJECTS = 9, 8, 300, 10


def batch():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BATCH, SIDE, SIDE, 3)).astype(np.float32)
    low = random.uniform(0, SIDE * 0.7, (BATCH, OBJECTS, 2))
    boxes = np.concatenate([low, low + random.uniform(10, SIDE * 0.3, (BATCH, OBJECTS, 2))], axis=2).astype(np.float32)
    classes = random.integers(0, 3, (BATCH, OBJECTS)).astype(np.int32)
    return {"image": images, "boxes": boxes, "classes": classes, "crowd": 0 * classes, "difficult": 0 * classes}


def medians(sides):
    """Seconds of each of some functions, called in turn; the first round warms up."""
    seconds = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, work in sides.items():
            began = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in seconds.items()}


def compare(name):
    task = Detection(
        ("a", "b", "c"), DetectionOptions(name=name), DetectionInput(size=SIDE, fit="stretch"), DetectionResults()
    )
    model = task.model()
    model.compile(optimizer=keras.optimizers.SGD(1e-4))
    x, y = task.targets({each: tf.constant(value) for each, value in batch().items()})
    outputs = tf.nest.map_structure(tf.constant, model(x, training=False))
    loss = tf.function(lambda x, y, outputs: model.compute_loss(x, y, outputs), autograph=False)
    infer = tf.function(lambda x: model(x, training=False), autograph=False)
    settings = task.settings
    size = tf.tile([[SIDE, SIDE]], [BATCH, 1])
    geometry = {"size": size, "scale": tf.ones([BATCH, 2]), "offset": tf.zeros([BATCH, 2])}

    @tf.function(autograph=False)
    def answer(x):
        return task.results(task.infer(model, x, settings), geometry, settings)

    found = medians(
        {
            "step": lambda: model.train_on_batch(x, y),
            "loss": lambda: loss(x, y, outputs).numpy(),
            "answer": lambda: answer(x)["count"].numpy(),
            "network": lambda: tf.nest.flatten(infer(x))[0].numpy(),
        }
    )
    behind = 1 - found["network"] / found["answer"]
    print(
        f"{name}: {BATCH / found['step']:.1f} images/s in training, of which matching and loss (forward) take "
        f"{found['loss'] / found['step']:.1%}; {BATCH / found['answer']:.1f} images/s in inference, of which decoding "
        f"and suppression take {behind:.1%}",
        flush=True,
    )


if __name__ == "__main__":
    for each in sys.argv[1:] or ["retinanet", "ssd", "faster_rcnn"]:
        compare(each)
