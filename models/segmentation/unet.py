"""U-Net (Ronneberger et al. 2015), with the paper's encoder or with a backbone's."""

import keras
from keras import layers

from ..backbones.backbone import Backbone, Shape
from .layers import BilinearUpsampling, EncoderDecoder, build_encoder, convolution, require_multiple, scores
from .options import SegmentationOptions

WIDTHS = (256, 128, 64, 32, 16)
"""Channels of the decoder behind a backbone, at strides 16, 8, 4, 2 and 1."""


def unet(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """A decoder that doubles the map again and again, and each time takes in what the encoder had at that size.

    Without a backbone it is the paper's: `depth` halvings, `width` channels at full resolution, doubled at each level.
    Other than in the paper, convolutions are padded, so that the output is as large as the input; batch norm stands
    behind each; dropout is where all networks here have it, before the last layer.

    With a backbone there are five doublings, from stride 32, and skip connections from strides 16, 8, 4 and 2; the
    widths are those of segmentation_models (Iakubovskii 2019). At full resolution backbones have no level: there the
    image itself is taken in, as in fastai's DynamicUnet (Howard and Gugger 2020), so that edges can be as fine as
    its pixels. A level's convolutions there would cost four times what they cost one level below.

    `upsampling: transposed` is the paper's 2 x 2 transposed convolution. `resized` is a 1 x 1 convolution and bilinear
    upsampling, which leaves no checkerboard (Odena et al. 2016); both are linear, so in this order they give what they
    would give in the other, at a quarter of the cost.

    Args:
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section.
        classes: how many.

    Raises:
        InputError: sides that the halvings do not divide, or a backbone that does not suit it.
    """
    if options.backbone == "none":
        stride = 2**options.depth
        require_multiple(shape, stride, f"unet of depth {options.depth}")
        encoder = _paper_encoder(shape, options)
        levels = encoder.levels
        widths = [options.width * 2**i for i in reversed(range(options.depth))]
    else:
        stride, widths = 2 ** len(WIDTHS), WIDTHS
        require_multiple(shape, stride, f"unet on {options.backbone}")
        encoder = build_encoder(shape, options, [2, 4, 8, 16, 32])
        levels = {1: _rescaled(encoder.net.inputs[0]), **encoder.levels}
    level, x = stride, levels[stride]
    for width in widths:
        level //= 2
        x = _doubled(x, width, options.upsampling, f"decoder{level}_up")
        x = layers.Concatenate(name=f"decoder{level}_skip")([levels[level], x])
        x = _twice(x, width, f"decoder{level}")
    return EncoderDecoder(encoder, scores(x, classes, options), "unet", stride)


def _paper_encoder(shape: Shape, options: SegmentationOptions) -> Backbone:
    image = keras.Input(shape, name="image")
    x = _rescaled(image)
    levels = {}
    for i in range(options.depth + 1):
        stride = 2**i
        if i:
            x = layers.MaxPooling2D(name=f"encoder{stride}_pool")(x)
        levels[stride] = x = _twice(x, options.width * stride, f"encoder{stride}")
    return Backbone(keras.Model(image, x, name="unet_encoder"), levels)


def _rescaled(image: keras.KerasTensor) -> keras.KerasTensor:
    """The image in -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(image)


def _twice(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    return convolution(convolution(x, width, f"{name}_1"), width, f"{name}_2")


def _doubled(x: keras.KerasTensor, width: int, upsampling: str, name: str) -> keras.KerasTensor:
    if upsampling == "transposed":
        return layers.Conv2DTranspose(width, 2, strides=2, kernel_initializer="he_normal", name=name)(x)
    x = layers.Conv2D(width, 1, kernel_initializer="he_normal", name=name)(x)
    return BilinearUpsampling(2, f"{name}_resize")(x)
