"""DeepLab v3+ (Chen et al. 2018)."""

import keras
from keras import layers

from ..backbones.atrous import STRIDE, atrous
from ..backbones.backbone import Shape
from ..backbones.families import NETWORKS, family_of
from .layers import BilinearUpsampling, EncoderDecoder, build_encoder, convolution, require_multiple, scores
from .options import SegmentationOptions

WIDTH = 256
RATES = (6, 12, 18)  # at stride 16


def deeplab_v3plus(shape: Shape, options: SegmentationOptions, classes: int) -> EncoderDecoder:
    """What a backbone sees, looked at in several widths at once, then sharpened by its level of stride 4.

    The encoder ends at stride 16: the last stage of the backbone is dilated (`atrous.atrous`) in the families where
    that leaves the meaning of its weights exactly as it is. Of the others the map of stride 32 is taken as it is, with
    half the rates, which then reach as far in the image. Convolutions of 3 x 3 are separable, as in the paper.

    Args:
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section.
        classes: how many.

    Raises:
        InputError: sides that the coarsest stride does not divide, no backbone, or one that does not suit it.
    """
    require_multiple(shape, 32, "deeplab_v3plus")
    encoder = build_encoder(shape, options, [4, 16, 32])
    if options.backbone in NETWORKS and family_of(options.backbone).atrous:
        encoder = atrous(encoder)
    coarsest = max(encoder.levels)
    x = _pyramid(encoder.levels[coarsest], [rate * STRIDE // coarsest for rate in RATES])
    x = BilinearUpsampling(coarsest // 4, "aspp_up")(x)
    fine = convolution(encoder.levels[4], 48, "decoder_level4", kernel=1)
    x = layers.Concatenate(name="decoder_skip")([fine, x])
    for i in (1, 2):
        x = _separable(x, f"decoder_{i}")
    x = BilinearUpsampling(4, "up4", dtype="float32")(scores(x, classes, options))
    return EncoderDecoder(encoder, x, "deeplab_v3plus", 32)


def _pyramid(x: keras.KerasTensor, rates: list[int]) -> keras.KerasTensor:
    """Atrous spatial pyramid pooling: 1 x 1, three rates and the whole image, projected to 256 channels.

    The paper spreads the image's one vector over the map and projects all five together. A 1 x 1 convolution of
    several maps is the sum of its parts, and that of a spread vector is its spread product: so the vector is projected
    on its own and added, the same function for a map of any size.
    """
    branches = [convolution(x, WIDTH, "aspp_1", kernel=1)]
    branches += [_separable(x, f"aspp_{rate}", rate) for rate in rates]
    x = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_pool")(x)
    whole = layers.Conv2D(WIDTH, 1, use_bias=False, name="aspp_image_project")(
        convolution(x, WIDTH, "aspp_image", kernel=1)
    )
    x = layers.Concatenate(name="aspp_concat")(branches)
    x = layers.Conv2D(WIDTH, 1, use_bias=False, kernel_initializer="he_normal", name="aspp_project_conv")(x)
    x = layers.Add(name="aspp_sum")([x, whole])
    x = layers.BatchNormalization(name="aspp_project_norm")(x)
    return layers.ReLU(name="aspp_project_relu")(x)


def _separable(x: keras.KerasTensor, name: str, rate: int = 1) -> keras.KerasTensor:
    """Depthwise 3 x 3 and pointwise convolution, each with batch norm and ReLU."""
    x = layers.DepthwiseConv2D(3, padding="same", dilation_rate=rate, use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return convolution(x, WIDTH, f"{name}_pointwise", kernel=1)
