"""LeNet-5 (LeCun et al. 1998, section II.B), adapted, for small pictures such as digits."""

import keras
from keras import layers

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
