"""A result as files that other programs read; free of TensorFlow."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from ..errors import InputError
from .colors import palette
from .options import SegmentationOptions

MOST_OBJECTS = 65535  # that 16 bits number


def files(
    class_names: Sequence[str], results: Mapping[str, np.ndarray], options: SegmentationOptions
) -> dict[str, bytes]:
    """The mask as a PNG in the size of the picture, and with `model.instances` the objects as another.

    `.mask.png` has a palette, so a viewer shows colours; Pillow reads the class ids, `numpy.asarray(Image.open(path))`,
    where OpenCV and TensorFlow would turn them into colours (`mask_png_bytes` is the same mask without a palette).
    `.instances.png` is grey with 16 bits, 0 for no object and 1, 2, ... for each; Pillow reads it likewise, OpenCV with
    `cv2.IMREAD_UNCHANGED`.

    Raises:
        InputError: more objects than 16 bits number.
    """
    mask = Image.fromarray(np.asarray(results["mask"], np.uint8))
    mask.putpalette(palette().tobytes())
    written = {".mask.png": _png(mask)}
    if options.instances == "none":
        return written
    from .instances import objects

    found = objects(results["mask"], class_names, options)
    if found.max(initial=0) > MOST_OBJECTS:
        raise InputError(
            f"{found.max()} objects are more than a PNG of 16 bits can number ({MOST_OBJECTS}): raise "
            "model.instance_pixels"
        )
    return written | {".instances.png": _png(Image.fromarray(found.astype(np.uint16)))}


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
