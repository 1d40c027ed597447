"""Classification: one label, or several labels, for a whole image."""

MODELS = {
    "lenet": ".lenet:lenet",
    "resnet20": ".resnet20:resnet20",
    "mobilenet_v2": "..backbones.applications:mobilenet_v2",
    "resnet50": "..backbones.applications:resnet50",
    "efficientnet_b0": "..backbones.applications:efficientnet_b0",
}
"""The networks for `model.name`; a user's own is `package.module:Name` (see `model.build`)."""
