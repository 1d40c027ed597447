"""What colours classes and errors have, for people who see colours differently, too; free of TensorFlow."""

import numpy as np

from ..inputs.image.options import IGNORE

_HUES = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""Okabe and Ito (2008), Color Universal Design: told apart with any common colour blindness."""

MISSED, EXCESS, CONFUSED = (255, 255, 255), (255, 40, 80), (140, 110, 255)
"""Of a pixel where the answer is background and truth is not, the other way round, and another class: no
class has these."""


def palette() -> np.ndarray:
    """A colour for each class id, uint8 `[256, 3]`.

    The first class, the background, is black, 255 is grey. The next seven are the palette's, then seven dark and seven
    light ones of the same hues; from the 22nd on they come again.
    """
    hues = np.array(_HUES, np.float64)
    distinct = np.concatenate([hues, hues * 0.55, hues * 0.45 + 255 * 0.55])
    colors = np.zeros((256, 3))
    colors[1:] = distinct[np.arange(255) % len(distinct)]
    colors[IGNORE] = 128
    return np.round(colors).astype(np.uint8)
