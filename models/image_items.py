"""Images as a person gives them in Python: one or several; paths, bytes, arrays, PIL images. Free of TensorFlow."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError

_KINDS = "give a path, encoded bytes, a uint8 array or a PIL image, or a list of them"
_BYTES = bytes | bytearray | memoryview


def as_items(images: Any) -> list[Any]:
    """What was given, as a list: one image alone is a list of one, an array `[n, height, width, 3]` one of n.

    Raises:
        InputError: something that is neither an image nor several.
    """
    if isinstance(images, str | os.PathLike | _BYTES) or _is_pil(images):
        return [images]
    if (dimensions := getattr(images, "ndim", None)) is not None:  # of NumPy, of TensorFlow
        return [images] if dimensions in (0, 2, 3) else list(images)
    if isinstance(images, Mapping) or not isinstance(images, Iterable):
        raise InputError(f"{type(images).__name__}: {_KINDS}")
    return list(images)


def to_bytes(image: Any) -> bytes:
    """Encoded bytes of an image: a path is read, bytes pass through, arrays and PIL images are encoded as PNG.

    Raises:
        InputError: a file that cannot be read, or something that is no image.
    """
    if isinstance(image, _BYTES):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise InputError(f"{image}: cannot be read ({error.strerror})") from None
        except ValueError as error:  # a zero byte in the name
            raise InputError(f"{str(image)!r}: no name of a file ({error})") from None
    if not _is_pil(image):
        image = _from_array(image)

    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)  # PNG keeps the pixels; where they belong is known here
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):  # PNG has no others, such as CMYK
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=b"")
    return buffer.getvalue()


def _is_pil(image: Any) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}" == "PIL.Image.Image" for each in type(image).__mro__)


def _from_array(image: Any) -> Any:
    """The PIL image of a uint8 array."""
    if not hasattr(image, "__array__"):
        raise InputError(f"{type(image).__name__}: {_KINDS}")

    import numpy as np
    from PIL import Image

    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise InputError(
            f"an array of {array.dtype}: pictures are uint8 RGB [height, width, 3] or grey [height, width]"
        )
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if not array.size or array.ndim not in (2, 3) or array.ndim == 3 and array.shape[-1] not in (3, 4):
        raise InputError(
            f"an array of shape {array.shape}: an image is RGB [height, width, 3] or grey [height, width], several are "
            "[n, height, width, 3] or a list"
        )
    return Image.fromarray(array)
