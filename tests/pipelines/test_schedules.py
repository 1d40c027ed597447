"""Learning-rate schedules against hand-computed values."""

import numpy as np
import pytest

from saccade.pipelines.recipe.optimizer_options import Constant, Cosine, Exponential, Polynomial, Step
from saccade.pipelines.training.optimizers import make_schedule


def rates(schedule, steps) -> list[float]:
    return [float(schedule(step)) for step in steps]


def test_constant_is_a_number():
    assert make_schedule(Constant(), 0.1, epochs=3, steps_per_epoch=10) == 0.1


def test_step_drops_at_the_beginning_of_the_epochs_named():
    schedule = make_schedule(Step(at=[1, 3], factor=0.1), 1.0, epochs=5, steps_per_epoch=10)
    np.testing.assert_allclose(rates(schedule, [0, 9, 10, 29, 30, 49]), [1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-5)


def test_cosine_is_half_a_cosine():
    schedule = make_schedule(Cosine(final=0.2), 2.0, epochs=4, steps_per_epoch=10)
    steps = np.array([0, 10, 20, 40])
    expected = 2.0 * ((1 - 0.2) * 0.5 * (1 + np.cos(np.pi * steps / 40)) + 0.2)
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-5)


def test_exponential_falls_by_its_factor_an_epoch():
    schedule = make_schedule(Exponential(factor=0.5), 2.0, epochs=4, steps_per_epoch=10)
    np.testing.assert_allclose(rates(schedule, [0, 5, 10, 30]), [2, 2 * 0.5**0.5, 1, 0.25], rtol=1e-5)


def test_polynomial_falls_to_its_end_with_the_phase():
    straight = make_schedule(Polynomial(final=0.5), 2.0, epochs=4, steps_per_epoch=10)
    np.testing.assert_allclose(rates(straight, [0, 20, 40, 50]), [2, 1.5, 1, 1], rtol=1e-5)
    curved = make_schedule(Polynomial(power=2), 2.0, epochs=4, steps_per_epoch=10)
    np.testing.assert_allclose(rates(curved, [0, 10, 20, 40]), [2, 2 * 0.75**2, 0.5, 0], rtol=1e-5)


ALL = (Constant(warmup=2), Step(at=[3], warmup=2), Exponential(warmup=2), Cosine(warmup=2), Polynomial(warmup=2))


@pytest.mark.parametrize("options", ALL, ids=lambda options: options.name)
def test_warmup_rises_linearly(options):
    plain = make_schedule(options.model_copy(update={"warmup": 0.0}), 1.0, epochs=5, steps_per_epoch=5)
    level = plain if callable(plain) else (lambda step: plain)
    schedule = make_schedule(options, 1.0, epochs=5, steps_per_epoch=5)
    for step in range(12):
        assert float(schedule(step)) == pytest.approx(float(level(step)) * min(1, (step + 1) / 10), rel=1e-5)
