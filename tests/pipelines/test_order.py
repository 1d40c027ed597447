"""The order of training samples: it depends on seed and epoch alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saccade.pipelines.feeding.order import Order


def one_epoch(order: Order) -> list[int]:
    return [int(position) for position, _ in order.positions().as_numpy_iterator()]


@given(st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=50), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_is_a_permutation_and_can_begin_anywhere(positions, seed, epoch):
    order = Order(positions, seed)
    order.start(epoch)
    whole = order.epoch()
    assert sorted(whole) == sorted(positions)
    for skip in (0, 1, len(positions) - 1):
        order.start(epoch, skip)
        np.testing.assert_array_equal(order.epoch(), whole[skip:])


def test_epochs_and_seeds_differ_and_repeat():
    first, second = Order(np.arange(100), 0), Order(np.arange(100), 0)
    a = one_epoch(first)
    first.start(1)
    b = one_epoch(first)
    assert a != b and sorted(a) == sorted(b)
    assert one_epoch(second) == a
    assert one_epoch(Order(np.arange(100), 1)) != a


def test_one_dataset_gives_the_epoch_that_was_asked_for_each_time_it_is_iterated():
    order = Order(np.arange(10), 3)
    dataset = order.positions()
    for epoch in (0, 4):
        order.start(epoch)
        pairs = list(dataset.as_numpy_iterator())
        assert [int(position) for position, _ in pairs] == order.epoch().tolist()
        assert {int(each) for _, each in pairs} == {epoch}
