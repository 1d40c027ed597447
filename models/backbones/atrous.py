"""The last stage of a backbone at stride 16, by atrous convolution (Chen et al. 2018, "DeepLab v3+", section 3.1)."""

import keras

from .backbone import Backbone

STRIDE = 16


def atrous(backbone: Backbone) -> Backbone:
    """The same network, whose last stage works at stride 16 in place of 32: it strides no more, and dilates instead.

    Weights keep their names, order, shapes and meaning: at every second row and column the new map has the very
    numbers of the old one, and those between are, borders aside, what the old one would say of an image moved by 16
    pixels. That is so where a stage is made of convolutions, pooling, normalisation and sums, with convolutions that
    stride first (`Family.atrous`); not where it looks at the whole map, as squeeze and excitation does.

    Args:
        backbone: with levels 16 and 32.

    Returns:
        Untrained; its coarsest level is 16, the output.
    """
    image = backbone.net.inputs[0]
    finer = {id(layer) for layer in keras.Model(image, backbone.levels[STRIDE]).layers}
    net = keras.models.clone_model(
        backbone.net, clone_function=lambda layer: _same(layer) if id(layer) in finer else _dilated(layer)
    )
    names = {stride: level._keras_history.operation.name for stride, level in backbone.levels.items()}
    levels = {stride: net.get_layer(name).output for stride, name in names.items() if stride < STRIDE}
    return Backbone(net, levels | {STRIDE: net.outputs[0]}, backbone.imagenet, backbone.note)


def _same(layer: keras.Operation) -> keras.Operation:
    return type(layer).from_config(layer.get_config())


def _dilated(layer: keras.Operation) -> keras.Operation:
    config = layer.get_config()
    if "strides" in config and max(config["strides"]) > 1:
        config |= {"strides": (1, 1), "padding": "same"}
    elif "kernel_size" in config and max(config["kernel_size"]) > 1:
        config |= {"dilation_rate": (2, 2), "padding": "same"}
    elif isinstance(layer, keras.layers.ZeroPadding2D):
        config["padding"] = (0, 0)  # "same" pads in its place, evenly
    return type(layer).from_config(config)
