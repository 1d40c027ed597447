"""SegNet (Badrinarayanan et al. 2017)."""

import keras
from keras import layers

from ..backbones.backbone import Backbone, Shape
from ..errors import InputError
from .layers import EncoderDecoder, MaxPoolingWithPlaces, MaxUnpooling, convolution, require_multiple, scores
from .options import SegmentationOptions

STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""Channels, as multiples of `width`, and convolutions of each stage: the 13 of VGG16 where the width is 64."""


def segnet(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """Five stages that halve the image and five that double it, putting each value back where its maximum stood.

    The decoder mirrors the encoder convolution by convolution; its last one gives the scores. Batch norm and ReLU stand
    behind all others, as in the paper.

    Args:
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section.
        classes: how many.

    Raises:
        InputError: sides that 32 does not divide, or a backbone.
    """
    if options.backbone != "none":
        raise InputError("model.backbone: segnet has an encoder of its own: leave it none, or take unet or another")
    require_multiple(shape, 32, "segnet")
    image = x = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
    levels, places = {}, []
    for i, (factor, count) in enumerate(STAGES):
        for j in range(count):
            x = convolution(x, factor * options.width, f"encoder{2**i}_{j + 1}")
        levels[2**i] = x
        x, where = MaxPoolingWithPlaces(name=f"encoder{2**i}_pool")(x)
        places.append(where)
    levels[32] = x
    encoder = Backbone(keras.Model(image, x, name="segnet_encoder"), levels)
    for i in reversed(range(len(STAGES))):
        factor, count = STAGES[i]
        x = MaxUnpooling(name=f"decoder{2**i}_unpool")(x, places[i])
        for j in reversed(range(1, count)):
            x = convolution(x, factor * options.width, f"decoder{2**i}_{j + 1}")
        if i:
            x = convolution(x, STAGES[i - 1][0] * options.width, f"decoder{2**i}_1")
    return EncoderDecoder(encoder, scores(x, classes, options, kernel=3), "segnet", 32)
