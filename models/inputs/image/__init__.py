"""One image as input. Free of TensorFlow at import."""

from .image_input import IMAGES, ImageInput
from .options import ImageOptions, Pixels

__all__ = ["IMAGES", "ImageInput", "ImageOptions", "Pixels"]
