"""Small grey digits enlarged to strokes that look written."""

import numpy as np

_INK = 0.45  # the edge of the strokes: lower, and holes close; higher, and strokes break


def strokes(digit: np.ndarray, side: float, angle: float) -> np.ndarray:
    """A digit, turned and enlarged by cubic splines, with an edge about one pixel wide.

    Args:
        digit: how much of each pixel is ink, float `[8, 8]` in 0..1.
        side: of the whole field of 8 x 8, in pixels.
        angle: in degrees, counter-clockwise.

    Returns:
        How much of each pixel is ink, float `[height, width]` in 0..1; no more rows and columns than have some.
    """
    from scipy.ndimage import affine_transform

    field = np.zeros((14, 14))
    field[3:-3, 3:-3] = digit  # what the splines see beside it is empty
    step = 8 / side
    sine, cosine = step * np.sin(np.deg2rad(angle)), step * np.cos(np.deg2rad(angle))
    turn = np.array([[cosine, sine], [-sine, cosine]])  # from rows and columns of the result to those of the field
    length = int(np.ceil(1.5 * side))  # 1.5 > sqrt(2): the whole field at any angle
    offset = (len(field) - 1) / 2 - turn @ np.full(2, (length - 1) / 2)
    smooth = affine_transform(field, turn, offset, (length, length), order=3)
    ink = np.clip((smooth - _INK) / (0.7 * step) + 0.5, 0, 1)  # across an edge it rises by about 0.7 a field's pixel
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
