"""Optimizers, from the recipe to Keras."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ..options.optimizer_options import AnyOptimizer
from ..options.schedule_options import Constant
from .averaging import Averaging
from .schedules import make_schedule
from .stages import Staged

KINDS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "lion": keras.optimizers.Lion,
}


def make_optimizer(
    options: AnyOptimizer, schedule: Constant, epochs: int, steps_per_epoch: int, factors: Sequence[float] = ()
) -> Averaging:
    """The optimizer of one phase; weight decay leaves out biases and normalisation.

    Args:
        options: the recipe's `optimizer`.
        schedule: the recipe's `schedule`; its lengths are in epochs.
        epochs: the length of the phase.
        steps_per_epoch: steps in one epoch.
        factors: of the learning rate, one for each trainable variable; none where all are 1.
    """
    own = options.model_dump(exclude=set(AnyOptimizer.model_fields))
    kind = KINDS[options.name]
    optimizer = type(kind.__name__, (Averaging, Staged, kind), {})(
        learning_rate=make_schedule(schedule, options.learning_rate, epochs, steps_per_epoch),
        weight_decay=options.weight_decay,
        global_clipnorm=options.clip_norm,
        clipvalue=options.clip_value,
        gradient_accumulation_steps=options.accumulate if options.accumulate > 1 else None,
        **own,
    )
    optimizer.ema, optimizer.factors = options.ema, tuple(factors)
    if options.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
