"""Networks for small images: LeNet, and the ResNets of 20 to 56 layers."""

from functools import partial

import keras
from keras import layers, ops

from ..backbones.backbone import Backbone, Shape, require_one_size, require_size


def lenet(shape: Shape, options: object = None) -> Backbone:
    """Two convolutions with subsampling and two dense layers, to 84 features; levels of stride 2 and 4.

    Kept from the paper: 5 x 5 filters, 6 and 16 maps, subsampling by 2, 120 and 84 units, inputs around zero. Today's
    in place of 1998's: RGB, "same" padding (any size from 8 x 8), every map sees every map before it (not table I),
    ReLU for the scaled tanh, plain max pooling for trained averages, softmax in place of radial basis functions.

    Raises:
        InputError: the input is too small, or has no fixed size, which the dense layers need.
    """
    require_size(shape, 8, "lenet")
    require_one_size(shape, "lenet has dense layers and needs one size")
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    levels = {}
    for stride, filters, c, s in ((2, 6, "c1", "s2"), (4, 16, "c3", "s4")):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu", name=c)(x)
        levels[stride] = x = layers.MaxPooling2D(2, padding="same", name=s)(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="relu", name="c5")(x)
    x = layers.Dense(84, activation="relu", name="f6")(x)
    return Backbone(keras.Model(image, x, name="lenet"), levels)


def cifar_resnet(blocks: int, shape: Shape, options: object = None) -> Backbone:
    """Three stages of 16, 32 and 64 maps: 0.27 M to 0.86 M weights, 64 features, levels of stride 1, 2 and 4.

    As in the paper: a 3 x 3 convolution first, shortcuts without weights (option A), He initialisation, no bias before
    batch norm. Pixels are scaled to -1..1 in place of subtracting the data set's mean image.

    Args:
        blocks: residual blocks a stage, n in the paper; 6 n + 2 layers with weights, the classifier's counted.
        shape: (height, width, 3) of the input, None where it follows the image.
        options: the recipe's `model` section, of which nothing is used.

    Raises:
        InputError: the input is smaller than 4 x 4.
    """
    name = f"resnet{6 * blocks + 2}"
    require_size(shape, 4, name)
    image = keras.Input(shape, name="image")
    x = _conv(layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image), 16, 1, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    levels = {}
    for stride, filters in ((1, 16), (2, 32), (4, 64)):
        for block in range(blocks):
            x = _block(x, filters, 2 if stride > 1 and block == 0 else 1, f"stride{stride}_block{block + 1}")
        levels[stride] = x
    return Backbone(keras.Model(image, x, name=name), levels)


resnet20, resnet32, resnet44, resnet56 = (partial(cifar_resnet, blocks) for blocks in (3, 5, 7, 9))


def _block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    residual = layers.ReLU(name=f"{name}_1_relu")(_conv(x, filters, stride, f"{name}_1"))
    residual = _conv(residual, filters, 1, f"{name}_2")
    if stride > 1:  # option A: every second pixel, and zeros for the maps that are new
        x = ops.pad(x[:, ::stride, ::stride], [[0, 0], [0, 0], [0, 0], [0, filters - x.shape[-1]]])
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, residual]))


def _conv(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, 3, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)
