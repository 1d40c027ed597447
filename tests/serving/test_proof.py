import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.models.contract import array_difference
from saccade.serving import clean_process
from saccade.serving.clean_process import read_tensors, write_tensors


@pytest.mark.parametrize(
    "left, right, expected",
    [
        (np.array([1.0, 2.0]), np.array([1.0, 2.5]), 0.2),  # relative above 1: 0.5 / 2.5
        (np.array([0.25]), np.array([0.5]), 0.25),  # absolute below 1
        (np.array([np.nan, np.inf, -np.inf]), np.array([np.nan, np.inf, -np.inf]), 0),
        (np.array([np.nan]), np.array([1.0]), np.inf),
        (np.array([np.inf]), np.array([-np.inf]), np.inf),
        (np.array([1.0]), np.array([np.inf]), np.inf),
        (np.array([1, 2]), np.array([1, 2]), 0),
        (np.array([2**60]), np.array([2**60 + 1]), 1),  # equal as float64
        (np.array([b"cat"], object), np.array([b"cat"], object), 0),
        (np.array([b"cat"], object), np.array([b"dog"], object), 1),
        (b"one", b"longer", 1),
        (b"zero\0", b"zero", 1),
        ("text", "text", 0),
        (np.array([True]), np.array([False]), 1),
        (np.zeros(2), np.zeros(3), np.inf),
        (np.zeros(2), np.zeros(2, np.float32), np.inf),
        (np.zeros((0, 4)), np.zeros((0, 4)), 0),
    ],
)
def test_differences_by_hand(left, right, expected):
    assert array_difference(left, right) == pytest.approx(expected)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_tensors_come_back_from_a_file_as_they_were(tmp_path_factory, strings):
    groups = {
        ("case a", "serving_default"): {
            "bytes": np.array([*strings, b"ends in null\0\0"], object),
            "grid": np.array([[b"a", b"\0"], [b"", b"\xff|"]], object),
            "numbers": np.array([[1.5, np.nan]], np.float32),
        },
        ("case b", "images"): {"images": np.zeros((1, 0, 2, 3), np.uint8)},
    }
    file = tmp_path_factory.getbasetemp() / "tensors.npz"
    write_tensors(file, groups)
    back = read_tensors(file)
    assert back.keys() == groups.keys()
    for group, named in groups.items():
        for name, value in named.items():
            assert back[group][name].dtype == value.dtype
            np.testing.assert_array_equal(back[group][name], value)


def test_the_clean_process_knows_tensorflow_and_numpy_alone():
    module = ast.parse(Path(clean_process.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} == {"sys", "numpy", "tensorflow"}
