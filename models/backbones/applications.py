"""Backbones of `keras.applications`, with the preprocessing of their family inside."""

from collections.abc import Callable

import keras
import numpy as np

from .backbone import Backbone, Shape, require_size

MINIMUM = 32
"""Pixels a side, below which keras.applications refuses each of these networks."""


def mobilenet_v2(shape: Shape, options: object = None) -> Backbone:
    """MobileNetV2, width 1.0 (Sandler et al. 2018): 2.3 M weights, 1280 features, levels of stride 2 to 32."""
    family = keras.applications.mobilenet_v2
    net = _network(keras.applications.MobileNetV2, family.preprocess_input, shape, "mobilenet_v2")
    last = ["block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "out_relu"]
    return _backbone(net, dict(zip((2, 4, 8, 16, 32), last, strict=True)), keras.applications.MobileNetV2)


def resnet50(shape: Shape, options: object = None) -> Backbone:
    """ResNet-50 (He et al. 2016, table 1): 23.6 M weights, 2048 features, levels of stride 2 to 32."""
    net = _network(keras.applications.ResNet50, keras.applications.resnet.preprocess_input, shape, "resnet50")
    last = ["conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"]
    return _backbone(net, dict(zip((2, 4, 8, 16, 32), last, strict=True)), keras.applications.ResNet50)


def efficientnet_b0(shape: Shape, options: object = None) -> Backbone:
    """EfficientNet-B0 (Tan and Le 2019, table 1): 4.0 M weights, 1280 features, levels of stride 2 to 32.

    Keras builds it differently with ImageNet weights (one more scaling) and without: its file holds ImageNet's standard
    deviation where the layer expects the variance (tensorflow issue 49930). Here the layer always holds mean and
    variance, which gives the same numbers, (pixel / 255 - mean) / deviation, whatever the network starts from.
    """
    family = keras.applications.efficientnet
    net = _network(keras.applications.EfficientNetB0, family.preprocess_input, shape, "efficientnet_b0")
    (normalization,) = (layer for layer in net.layers if isinstance(layer, keras.layers.Normalization))
    mean, deviation = np.array([0.485, 0.456, 0.406], "float32"), np.array([0.229, 0.224, 0.225], "float32")
    normalization.set_weights([mean, deviation**2, np.zeros((), "int32")])
    normalization.finalize_state()
    last = ["block2a_expand_activation", "block3a_expand_activation", "block4a_expand_activation"]
    last += ["block6a_expand_activation", "top_activation"]
    return _backbone(net, dict(zip((2, 4, 8, 16, 32), last, strict=True)), keras.applications.EfficientNetB0)


def _network(build: Callable, preprocess: Callable, shape: Shape, name: str) -> keras.Model:
    """One flat graph of preprocessing and network, so that the network's own weight files fit it."""
    require_size(shape, MINIMUM, name)
    image = keras.Input(shape, name="image")
    net = build(include_top=False, weights=None, input_tensor=preprocess(image), input_shape=shape)
    return keras.Model(image, net.outputs[0], name=name)


def _backbone(net: keras.Model, layers: dict[int, str], build: Callable) -> Backbone:
    levels = {stride: net.get_layer(layer).output for stride, layer in layers.items()}
    return Backbone(net, levels, lambda: build(include_top=False, weights="imagenet", input_shape=(224, 224, 3)))
