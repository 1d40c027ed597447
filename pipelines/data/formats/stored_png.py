"""PNG whose bytes depend on the picture alone."""

import io

import numpy as np


def stored_png(picture: np.ndarray) -> bytes:
    """A picture as PNG that is stored, not deflated: the same bytes with every zlib.

    Args:
        picture: uint8, `[height, width]` grey or `[height, width, 3]` RGB.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "png", compress_level=0)
    return stream.getvalue()
