"""From object numbers to classes, against a walk over the pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from saccade.pipelines.data.formats.mask_encoding import classes_of


def around(objects: np.ndarray, row: int, column: int) -> set[int]:
    """The numbers of a pixel and of its eight neighbours, without OpenCV."""
    return {int(each) for each in objects[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].ravel()}


@given(arrays(np.uint16, (7, 9), elements=st.sampled_from([0, 0, 1, 2, 700, 65535])))
def test_ways_of_objects_pixel_by_pixel(objects):
    foreground, separated, boundary = (classes_of(objects, way) for way in ("foreground", "separated", "boundary"))
    assert foreground.dtype == separated.dtype == boundary.dtype == np.uint8
    for (row, column), number in np.ndenumerate(objects):
        neighbours = around(objects, row, column)
        assert foreground[row, column] == (number > 0)
        assert separated[row, column] == (number > 0 and not any(0 < each < number for each in neighbours))
        assert boundary[row, column] == (0 if number == 0 else 1 if neighbours == {number} else 2)


def test_a_line_one_pixel_wide_parts_what_touches():
    objects = np.zeros((5, 8), np.uint16)
    objects[1:4, 1:4], objects[1:4, 4:7] = 1, 2
    assert classes_of(objects, "separated")[2].tolist() == [0, 1, 1, 1, 0, 1, 1, 0]
    assert classes_of(objects, "boundary")[2].tolist() == [0, 2, 1, 2, 2, 1, 2, 0]
