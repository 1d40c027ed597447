"""Training steps of saccade's U-Net against plain hand-written Keras code for the same network.

Both sides fit the same batches of noise with the same loss and optimizer, in one process and alternately. The plain
side is the paper's network with batch norm, its loss `SparseCategoricalCrossentropy` and its metric
`SparseCategoricalAccuracy`. Printed is the median of images per second on each side, and the ratio of the medians.

    python benchmarks/unet_rate.py
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

from saccade.models.segmentation.options import SegmentationInput, SegmentationOptions  # noqa: E402
from saccade.models.segmentation.task import Segmentation  # noqa: E402

ROUNDS, STEPS, BATCH, SIDE, WIDTH, CLASSES = 31, 2, 8, 128, 16, 2  # short rounds: machines have slow spells


def plain_unet():
    """What a person would write by hand."""

    def twice(x, width):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        return x

    image = keras.Input((None, None, 3))
    x, skips = layers.Rescaling(1 / 127.5, offset=-1)(image), []
    for level in range(4):
        skips.append(twice(x, WIDTH * 2**level))
        x = layers.MaxPooling2D()(skips[-1])
    x = twice(x, WIDTH * 16)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(WIDTH * 2**level, 2, strides=2)(x)
        x = twice(layers.Concatenate()([skips[level], x]), WIDTH * 2**level)
    model = keras.Model(image, layers.Conv2D(CLASSES, 1)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model


def main():
    ours = Segmentation(("background", "cell"), SegmentationOptions(width=WIDTH), SegmentationInput()).model()
    ours.compile(optimizer=keras.optimizers.Adam())
    sides = {"saccade": ours, "plain Keras": plain_unet()}
    parameters = {side: model.count_params() for side, model in sides.items()}
    assert len(set(parameters.values())) == 1, parameters
    noise = np.random.default_rng(0)
    x = noise.integers(0, 256, (BATCH, SIDE, SIDE, 3)).astype(np.float32)
    y = noise.integers(0, CLASSES, (BATCH, SIDE, SIDE)).astype(np.int32)
    batches = tf.data.Dataset.from_tensors((x, y)).repeat(STEPS)
    rates = {side: [] for side in sides}
    for number in range(ROUNDS + 1):  # the first warms up
        for side, model in sides.items():
            began = time.perf_counter()
            model.fit(batches, verbose=0, shuffle=False)
            if number:
                rates[side].append(STEPS * BATCH / (time.perf_counter() - began))
    medians = {side: statistics.median(each) for side, each in rates.items()}
    told = ", ".join(f"{side} {rate:.1f} images/s" for side, rate in medians.items())
    print(f"U-Net of width {WIDTH}, {SIDE} px: {told}, ratio {medians['saccade'] / medians['plain Keras']:.2f}")


if __name__ == "__main__":
    main()
