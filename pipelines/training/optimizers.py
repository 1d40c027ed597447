"""Optimizers, from the recipe to Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import keras
from keras import ops

from ...models.errors import InputError, nearest
from ..options.optimizer_options import AnyOptimizer
from ..options.schedule_options import Constant
from .averaging import Averaging
from .schedules import make_schedule
from .stages import Staged, stage_factors


@dataclass(frozen=True)
class Optimizers:
    """The optimizers of one phase, each of a group of the model's variables; the one of a model without groups is "".

    Attributes:
        groups: as the training uses them; Keras may wrap one, to scale the loss of float16.
        averaging: the same without what wraps them.
    """

    groups: Mapping[str, keras.optimizers.Optimizer]
    averaging: Sequence[Averaging]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While this lasts the weights are the averaged ones; see `Averaging.averaged`."""
        with ExitStack() as stack:
            for each in self.averaging:
                stack.enter_context(each.averaged())
            yield

    def variables(self) -> dict[str, keras.Variable]:
        """Every variable of every optimizer, by a name that is the same in the next process."""
        return {
            f"optimizer/{group}/{number}" if group else f"optimizer/{number}": variable
            for group, optimizer in self.groups.items()
            for number, variable in enumerate(optimizer.variables)
        }

    def learning_rates(self) -> dict[str, float]:
        """The present learning rate of each, by how the log calls it."""
        return {
            f"learning_rate/{group}" if group else "learning_rate": float(ops.convert_to_numpy(each.learning_rate))
            for group, each in self.groups.items()
        }


def compile_model(
    model: keras.Model, options: AnyOptimizer, schedule: Constant, epochs: int, steps: int, jit: bool
) -> Optimizers:
    """Gives a model its optimizer, or one for each of its groups, and builds them.

    Args:
        model: what is trained.
        options: the recipe's `optimizer`.
        schedule: the recipe's `schedule`.
        epochs: the length of the phase.
        steps: in one epoch.
        jit: whether XLA compiles the step.

    Raises:
        InputError: groups that the model does not have.
    """
    groups = model.optimizer_groups() if hasattr(model, "optimizer_groups") else {}
    for name in options.groups:
        if name not in groups:
            known = nearest(name, groups) if groups else f"{type(model).__name__} has none: leave them out"
            raise InputError(f"train.optimizer.groups: no group '{name}' of variables: {known}")
    if not groups:
        optimizer = make_optimizer(options, schedule, epochs, steps, stage_factors(options.stages, model))
        model.compile(optimizer=optimizer, jit_compile=jit)
        optimizer.build(model.trainable_variables)  # before what wraps it, under which a Nadam would leave out one
        model.optimizer.build(model.trainable_variables)
        return Optimizers({"": model.optimizer}, [optimizer])
    made = {}
    for name, variables in groups.items():
        made[name] = make_optimizer(options.groups.get(name, options), schedule, epochs, steps)
        made[name].build(variables)
    model.compile(jit_compile=jit)
    model.set_optimizers(MappingProxyType(made))  # Keras would save a dict's optimizers among the weights
    return Optimizers(made, list(made.values()))


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
