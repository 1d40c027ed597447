"""Optimizers and schedules against hand-computed values."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from saccade.pipelines.train_options import Adam, AdamW, Constant, Cosine, Sgd, Step
from saccade.pipelines.training.optimizers import make_optimizer, make_schedule


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


@pytest.mark.parametrize("options", [Constant(warmup=2), Step(at=[3], warmup=2), Cosine(warmup=2)])
def test_warmup_rises_linearly(options):
    plain = make_schedule(options.model_copy(update={"warmup": 0.0}), 1.0, epochs=5, steps_per_epoch=5)
    level = plain if callable(plain) else (lambda step: plain)
    schedule = make_schedule(options, 1.0, epochs=5, steps_per_epoch=5)
    for step in range(12):
        assert float(schedule(step)) == pytest.approx(float(level(step)) * min(1, (step + 1) / 10), rel=1e-5)


@pytest.mark.parametrize("options", [Sgd(weight_decay=0.1), AdamW(weight_decay=0.1), Adam(weight_decay=0.1)])
def test_weight_decay_leaves_biases_and_normalisation_out(options):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.layers[0].bias.assign([1.0, 1.0, 1.0])
    optimizer = make_optimizer(options, Constant(), epochs=1, steps_per_epoch=1)
    optimizer.build(model.trainable_variables)
    before = [convert_to_numpy(each).copy() for each in model.trainable_variables]
    optimizer.apply([np.zeros_like(each) for each in before], model.trainable_variables)
    kernel, *others = (convert_to_numpy(each) for each in model.trainable_variables)
    np.testing.assert_allclose(kernel, before[0] * (1 - 0.1 * options.learning_rate), rtol=1e-5)
    for new, old in zip(others, before[1:], strict=True):
        np.testing.assert_array_equal(new, old)


def test_settings_arrive():
    optimizer = make_optimizer(Sgd(learning_rate=0.5, momentum=0.7, nesterov=False), Constant(), 1, 1)
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, float(optimizer.learning_rate)) == (0.7, False, 0.5)
    assert isinstance(make_optimizer(AdamW(), Constant(), 1, 1), keras.optimizers.AdamW)
