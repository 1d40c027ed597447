"""Learning-rate schedules, from the recipe to Keras."""

from __future__ import annotations

import math

import keras

from ..options.schedule_options import Constant, Cosine, Exponential, Polynomial, Step


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose first steps rise linearly to it (Goyal et al. 2017, section 2.2)."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, steps: int):
        super().__init__()
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        return self.schedule(step) * keras.ops.minimum(1.0, (step + 1.0) / self.steps)

    def get_config(self) -> dict:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "steps": self.steps}


def make_schedule(options: Constant, rate: float, epochs: int, steps_per_epoch: int):
    """The learning rate, constant or as a Keras schedule over steps.

    Keras asks schedules by steps, not by updates, also where gradients are accumulated: lengths are the same then.
    """
    schedules = keras.optimizers.schedules
    steps = max(1, epochs * steps_per_epoch)
    warmup = math.ceil(options.warmup * steps_per_epoch)
    if isinstance(options, Cosine):
        schedule = schedules.CosineDecay(rate, steps, alpha=options.final)
    elif isinstance(options, Polynomial):
        schedule = schedules.PolynomialDecay(rate, steps, rate * options.final, options.power)
    elif isinstance(options, Exponential):
        schedule = schedules.ExponentialDecay(rate, steps_per_epoch, options.factor)
    elif isinstance(options, Step):
        boundaries = [epoch * steps_per_epoch for epoch in options.at]
        rates = [rate * options.factor**i for i in range(len(boundaries) + 1)]
        schedule = schedules.PiecewiseConstantDecay([boundary - 1 for boundary in boundaries], rates)
    elif warmup:
        schedule = schedules.PiecewiseConstantDecay([0], [rate, rate])
    else:
        return rate
    return Warmup(schedule, warmup) if warmup else schedule
