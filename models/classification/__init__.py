"""Classification: one label, or several labels, for a whole image."""

from ..backbones import families

NETWORKS = {
    **families.SMALL,
    **families.NETWORKS,
}
"""What is known of the networks for `model.name`."""

MODELS = {name: network.target for name, network in NETWORKS.items()}
"""The networks for `model.name`; a user's own is `package.module:Name` (see `model.build`)."""
