"""Classification: one label, or several labels, for a whole image."""

from ..backbones import families
from ..backbones.network import Network

NETWORKS = {
    "lenet": Network(".networks:lenet", 136_036, 8, (2, 4)),
    "resnet20": Network(".networks:resnet20", 270_448, 4, (1, 2, 4)),
    "resnet32": Network(".networks:resnet32", 465_776, 4, (1, 2, 4)),
    "resnet44": Network(".networks:resnet44", 661_104, 4, (1, 2, 4)),
    "resnet56": Network(".networks:resnet56", 856_432, 4, (1, 2, 4)),
    **families.NETWORKS,
}
"""What is known of the networks for `model.name`."""

MODELS = {name: network.target for name, network in NETWORKS.items()}
"""The networks for `model.name`; a user's own is `package.module:Name` (see `model.build`)."""
