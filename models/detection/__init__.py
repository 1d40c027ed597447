"""Detection: boxes around the objects of an image, each with a class and a score."""

from ..backbones import families
from ..backbones.network import Network

NETWORKS = {
    "retinanet": Network(".retinanet:RetinaNet"),
    "ssd": Network(".ssd:SSD"),
    "faster_rcnn": Network(".faster_rcnn:FasterRCNN"),
    "yolo_grid": Network(".yolo_grid:YoloGrid"),
    "localizer": Network(".localizer:Localizer"),
}
"""What is known of the detectors for `model.name`; the rest depends on their backbone."""

BACKBONES = {name: each.target for name, each in (families.SMALL | families.NETWORKS).items()}
"""Names for `model.backbone`; a user's own is `package.module:Name`, called with `(shape, options)`."""

MODELS = {name: network.target for name, network in NETWORKS.items()}
"""The detectors for `model.name`; a user's own is `package.module:Name` (see `detector.build`)."""
