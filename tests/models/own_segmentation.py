"""A user's own backbone and own networks, which are small and quickly built, for the tests of segmentation."""

import keras
from keras import layers

from saccade.models.backbones.backbone import Backbone
from saccade.models.segmentation.layers import EncoderDecoder


def backbone(shape, options):
    """Five convolutions that halve the image; levels at strides 2 to 32."""
    return _backbone(shape, [2, 4, 8, 16, 32])


def backbone_without_4(shape, options):
    return _backbone(shape, [2, 8, 16, 32])


def no_backbone(shape, options):
    return keras.Sequential([layers.Conv2D(3, 3)])


def plain(shape, options, classes):
    """A network of no names and no levels."""
    return keras.Sequential([layers.Rescaling(1 / 255), layers.Conv2D(6, 3, padding="same"), layers.Conv2D(classes, 1)])


def with_levels(shape, options, classes):
    encoder = _backbone(shape, [2])
    doubled = layers.Conv2DTranspose(classes, 2, strides=2, dtype="float32")(encoder.levels[2])
    return EncoderDecoder(encoder, doubled, "own", stride=2)


def halved(shape, options, classes):
    return keras.Sequential([layers.Conv2D(classes, 3, strides=2, padding="same")])


def one_too_many(shape, options, classes):
    return keras.Sequential([layers.Conv2D(classes + 1, 1)])


def short(shape, options, classes):
    return keras.Sequential([layers.Conv2D(classes, 1, dtype="float16")])


def two(shape, options, classes):
    image = keras.Input(shape)
    scores = layers.Conv2D(classes, 1)(image)
    return keras.Model(image, [scores, scores])


def number(shape, options, classes):
    return classes


def _backbone(shape, strides):
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    levels = {}
    for stride in (2, 4, 8, 16, 32)[: 5 if len(strides) > 1 else 1]:
        x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name=f"own{stride}_conv")(x)
        x = layers.BatchNormalization(name=f"own{stride}_norm")(x)
        levels[stride] = x = layers.ReLU(name=f"own{stride}_relu")(x)
    return Backbone(keras.Model(image, x, name="own_backbone"), {stride: levels[stride] for stride in strides})
