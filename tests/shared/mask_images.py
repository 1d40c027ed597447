"""Small masks in every kind of image, encoded as files are."""

import io

import numpy as np
from PIL import Image

RED, GREEN, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 0), (255, 255, 255)


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **save) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **save)
    return stream.getvalue()


def grey(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """4 x 8 pixels that begin with these values; the others are 0."""
    pixels = np.zeros(32, dtype)
    pixels[: len(values)] = values
    return pixels.reshape(4, 8)


def rgb(*colors: tuple[int, int, int]) -> np.ndarray:
    pixels = np.zeros((32, 3), np.uint8)
    pixels[: len(colors)] = colors
    return pixels.reshape(4, 8, 3)


def palette(indices: np.ndarray, *colors: tuple[int, int, int]) -> Image.Image:
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    colors += ((9, 9, 99),) * (256 - len(colors))  # all of 8 bits, so that Pillow writes no fewer
    image.putpalette([channel for color in colors for channel in color])
    return image
