"""Segmentation: a class for every pixel of an image."""

from ..backbones.network import Network

_VGG16 = (2, 4, 8, 16, 32)  # the levels of its encoder

NETWORKS = {
    "unet": Network(".unet:unet", 31_049_344, 16, (1, 2, 4, 8, 16), 16),
    "fcn8s": Network(".fcn:fcn8s", 15_305_024, 32, _VGG16, 32),
    "fcn16s": Network(".fcn:fcn16s", 15_305_024, 32, _VGG16, 32),
    "fcn32s": Network(".fcn:fcn32s", 15_305_024, 32, _VGG16, 32),
    "segnet": Network(".segnet:segnet", 29_450_944, 32, (1, 2, 4, 8, 16, 32), 32),
    "deeplab_v3plus": Network(".deeplab_v3plus:deeplab_v3plus", minimum=32, multiple=32),
}
"""What is known of the networks for `model.name`, as they are without a backbone and with the default options; the rest
of `deeplab_v3plus` depends on its backbone."""

MODELS = {name: network.target for name, network in NETWORKS.items()}
"""The networks for `model.name`; a user's own is `package.module:Name` (see `model.build`)."""
