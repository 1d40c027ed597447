"""Segmentation: a class for every pixel of a picture."""

from ..backbones.network import Network

NETWORKS = {
    "unet": Network(".unet:unet"),
    "fcn8s": Network(".fcn:fcn8s"),
    "fcn16s": Network(".fcn:fcn16s"),
    "fcn32s": Network(".fcn:fcn32s"),
    "segnet": Network(".segnet:segnet"),
    "deeplab_v3plus": Network(".deeplab_v3plus:deeplab_v3plus"),
}
"""What is known of the networks for `model.name`."""

MODELS = {name: network.target for name, network in NETWORKS.items()}
"""The networks for `model.name`; a user's own is `package.module:Name` (see `model.build`)."""
