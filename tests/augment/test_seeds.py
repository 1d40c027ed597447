"""The seed of a sample: fixed numbers, so that a run can be repeated on any machine."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.augment import stable_seed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 0, ""), 944055716),
        ((7, 3, "cats/ü.jpg"), 1785587340),
        ((-1, 2, "a\udcff"), 3591382771),  # a file name that is not UTF-8, as os.fsdecode gives it
    ],
)
def test_is_the_same_number_for_ever(arguments, expected):
    assert stable_seed(*arguments) == expected


def test_does_not_depend_on_the_process():
    code = "from saccade.augment import stable_seed; print(stable_seed(7, 3, 'cats/\\u00fc.jpg'))"
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(run.stdout) == 1785587340


@given(st.integers(), st.integers(), st.text())
def test_stays_in_range(seed, epoch, key):
    assert 0 <= stable_seed(seed, epoch, key) < 2**32


def test_each_of_the_three_matters():
    seeds = {stable_seed(s, e, k) for s in range(10) for e in range(10) for k in ("a", "b", "1/a", "11")}
    assert len(seeds) == 400


def test_is_spread_evenly():
    seeds = [stable_seed(0, epoch, f"{index}.png") for epoch in range(10) for index in range(1000)]
    for bit in range(32):  # 10000 fair coins: 5 standard deviations are 250
        assert abs(sum(seed >> bit & 1 for seed in seeds) - 5000) < 250
