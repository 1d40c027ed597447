"""The dataset formats that can be read: one module each, found by name."""

from ....models.naming import find_class
from ..source import Source

SOURCES = {
    "digits": ".digits:Digits",
    "digit_scenes": ".digits:DigitScenes",
    "folder": ".folder:Folder",
    "masks": ".masks:Masks",
    "csv": ".csv_table:Csv",
    "tfds": ".tfds:Tfds",
    "coco": ".coco:Coco",
    "voc": ".voc:Voc",
    "yolo": ".yolo:Yolo",
    "box_table": ".box_table:BoxTable",
    "boxes": ".box_folder:BoxFolder",
}
"""Names for `data.source`; a source of your own is `package.module:Name`."""


def find_source(name: str) -> type[Source]:
    """The class behind `data.source`, whose `Options` types the recipe's `data` section.

    Raises:
        InputError: unknown name; or a module or class of the user's own that is no source.
    """
    return find_class(name, SOURCES, __name__, "source", Source)
