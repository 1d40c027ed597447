"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s (Long et al. 2015)."""

import keras
import numpy as np
from keras import layers

from ..backbones.applications import build as build_application
from ..backbones.backbone import Shape
from .layers import BilinearUpsampling, EncoderDecoder, build_encoder, convolution, require_multiple, scores
from .options import SegmentationOptions


def fcn32s(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """Scores from stride 32, upsampled at once; see `fcn8s`."""
    return _fcn(shape, options, classes, finest=32)


def fcn16s(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """Scores from strides 32 and 16; see `fcn8s`."""
    return _fcn(shape, options, classes, finest=16)


def fcn8s(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """Scores from strides 32, 16 and 8, summed from coarse to fine.

    As in the paper, scores are doubled by transposed convolutions that begin as bilinear interpolation and are
    trained; the last upsampling, to full size, is bilinear interpolation and fixed; finer scores begin at zero, so that
    a finer network, started from a run of a coarser one (`model.weights`), begins with what that one says.

    Other than there, levels are the backbone's deepest maps of their strides; `backbone: none` is VGG16, as in the
    paper. fc6 and fc7, which hold 119 of the paper's 134 million weights, are one 3 x 3 convolution to a quarter of the
    channels, with batch norm, as in torchvision's FCN.

    Args:
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section.
        classes: how many.

    Raises:
        InputError: sides that 32 does not divide, or a backbone that does not suit it.
    """
    return _fcn(shape, options, classes, finest=8)


def _fcn(shape: Shape, options: SegmentationOptions, classes: int, finest: int) -> EncoderDecoder:
    name = f"fcn{finest}s"
    require_multiple(shape, 32, name)
    if options.backbone == "none":
        encoder = build_application("vgg16", shape)
    else:
        encoder = build_encoder(shape, options, [8, 16, 32])
    deepest = encoder.levels[32]
    x = scores(convolution(deepest, deepest.shape[-1] // 4, "head32"), classes, options, "logits32")
    stride = 32
    while stride > finest:
        x = layers.Conv2DTranspose(
            classes,
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=bilinear,
            name=f"logits{stride}_up",
            dtype="float32",
        )(x)
        stride //= 2
        finer = layers.Conv2D(classes, 1, kernel_initializer="zeros", name=f"logits{stride}", dtype="float32")
        x = layers.Add(name=f"sum{stride}", dtype="float32")([x, finer(encoder.levels[stride])])
    x = BilinearUpsampling(finest, f"up{finest}", dtype="float32")(x)
    return EncoderDecoder(encoder, x, name, 32)


def bilinear(shape: tuple[int, int, int, int], dtype: str | None = None) -> np.ndarray:
    """The kernel of a transposed convolution that interpolates each channel on its own, for a factor of side / 2.

    Args:
        shape: (side, side, channels, channels), side even.
        dtype: of the kernel.
    """
    side = shape[0]
    tent = 1 - np.abs(np.arange(side) - (side - 1) / 2) / (side / 2)
    kernel = np.outer(tent, tent)[:, :, np.newaxis, np.newaxis] * np.eye(shape[2])
    return keras.ops.convert_to_tensor(kernel, dtype)
