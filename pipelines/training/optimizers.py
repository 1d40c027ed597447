"""Optimizers and learning-rate schedules, from the recipe to Keras."""

from __future__ import annotations

import math

import keras

from ..train_options import Adam, Constant, Cosine, Sgd, Step


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


def make_optimizer(
    options: Adam | Sgd, schedule: Constant, epochs: int, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """The optimizer of one phase; weight decay leaves out biases and normalisation.

    Args:
        options: the recipe's `optimizer`.
        schedule: the recipe's `schedule`; its lengths are in epochs.
        epochs: the length of the phase.
        steps_per_epoch: steps in one epoch.
    """
    settings = options.model_dump(exclude={"name", "learning_rate", "weight_decay"})
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}
    optimizer = kinds[options.name](
        learning_rate=make_schedule(schedule, options.learning_rate, epochs, steps_per_epoch),
        weight_decay=options.weight_decay or None,
        **settings,
    )
    if options.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def make_schedule(options: Constant, rate: float, epochs: int, steps_per_epoch: int):
    """The learning rate, constant or as a Keras schedule over steps."""
    schedules = keras.optimizers.schedules
    warmup = math.ceil(options.warmup * steps_per_epoch)
    if isinstance(options, Cosine):
        schedule = schedules.CosineDecay(rate, max(1, epochs * steps_per_epoch), alpha=options.final)
    elif isinstance(options, Step):
        boundaries = [epoch * steps_per_epoch for epoch in options.at]
        rates = [rate * options.factor**i for i in range(len(boundaries) + 1)]
        schedule = schedules.PiecewiseConstantDecay([boundary - 1 for boundary in boundaries], rates)
    elif warmup:
        schedule = schedules.PiecewiseConstantDecay([0], [rate, rate])
    else:
        return rate
    return Warmup(schedule, warmup) if warmup else schedule
