"""The order of training samples: it depends on seed and epoch alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saccade.pipelines.feeding.order import Order, earlier_draws


def one_epoch(order: Order) -> list[int]:
    return [int(draw["position"]) for draw in order.draws().as_numpy_iterator()]


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
    dataset = order.draws()
    for epoch in (0, 4):
        order.start(epoch)
        draws = list(dataset.as_numpy_iterator())
        assert [int(draw["position"]) for draw in draws] == order.epoch().tolist()
        assert {int(draw["epoch"]) for draw in draws} == {epoch} and {int(draw["n"]) for draw in draws} == {0}


@given(st.lists(st.integers(0, 5), max_size=30))
def test_how_often_each_was_drawn_before(drawn):
    assert earlier_draws(np.array(drawn, np.int64)).tolist() == [
        drawn[:at].count(each) for at, each in enumerate(drawn)
    ]


def sampled(generator: np.random.Generator) -> np.ndarray:
    """Twelve indices into five samples: some come several times."""
    return generator.integers(0, 5, 12)


KEYS = [f"{number}.png" for number in range(100)]


def test_a_sampler_may_draw_a_sample_again_and_an_epoch_is_as_long_as_it_says():
    order = Order(np.array([10, 20, 30, 40, 50]), 0, sampled)
    assert len(order) == 12
    draws = list(order.draws().as_numpy_iterator())
    positions = [int(draw["position"]) for draw in draws]
    assert set(positions) <= {10, 20, 30, 40, 50}
    assert [int(draw["n"]) for draw in draws] == [positions[:at].count(each) for at, each in enumerate(positions)]
    order.start(0, 7)
    rest = [(int(draw["position"]), int(draw["n"])) for draw in order.draws().as_numpy_iterator()]
    assert rest == [(int(draw["position"]), int(draw["n"])) for draw in draws[7:]]  # n counts what was skipped


def companions(order: Order, epoch: int, skip: int = 0) -> dict[tuple[int, int], list[int]]:
    order.start(epoch, skip)
    return {
        (int(draw["position"]), int(draw["n"])): draw["companions"].tolist()
        for draw in order.draws().as_numpy_iterator()
    }


def test_companions_come_from_seed_epoch_key_and_n_alone():
    positions = np.array([10, 20, 30, 40, 50])
    order = Order(positions, 0, sampled, companions=3, keys=KEYS)
    whole = companions(order, 2)
    assert all(len(each) == 3 and set(each) <= set(positions.tolist()) for each in whole.values())
    assert len({tuple(each) for each in whole.values()}) > 6  # each draw has its own
    rest = companions(order, 2, skip=4)
    assert rest and all(whole[draw] == each for draw, each in rest.items())
    in_another_order = companions(Order(positions, 0, lambda generator: sampled(generator)[::-1], 3, KEYS), 2)
    assert in_another_order.keys() == whole.keys() and in_another_order == whole
    assert companions(order, 3) != whole
    shared = companions(Order(positions, 1, lambda _: np.arange(5), 3, KEYS), 2)
    assert any(whole[draw] != each for draw, each in shared.items() if draw in whole)
