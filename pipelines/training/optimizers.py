"""Optimizers, from the recipe to Keras: averaged weights, learning rates by stage, schedules, groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
from keras import ops

from ...models.errors import InputError, nearest
from ..recipe.optimizer_options import AnyOptimizer, Constant, Cosine, Exponential, Polynomial, Step


class Averaging(keras.optimizers.Optimizer):
    """An optimizer that averages the weights after each update.

    Keras' own `use_ema` is not taken: it overwrites the weights at the end of `fit`, which is the end of every epoch
    that was resumed; with accumulation it averages at steps that update nothing; and what swaps its averages in
    adds and subtracts, so that training does not go on with the very same weights.

    Attributes:
        ema: the momentum, 0..1; None for no average. To be set before `build`.
    """

    ema: float | None = None

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._averages = []
        for variable in variables if self.ema is not None else []:
            average = self.add_variable_from_reference(variable, name="average")
            average.assign(variable)
            self._averages.append(average)

    def apply(self, grads, trainable_variables=None) -> None:
        before = self.iterations + 0  # its value: `iterations` may be the variable itself
        super().apply(grads, trainable_variables)
        if self.ema is None:
            return
        # In a short training the start would weigh on the average: the momentum rises (tf.train's `num_updates`).
        updates = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema, (1.0 + updates) / (10.0 + updates))
        updated = ops.cast(self.iterations > before, "float32")  # accumulation: most steps update nothing
        for average, variable in zip(self._averages, self._trainable_variables, strict=True):
            share = ops.cast((1.0 - momentum) * updated, average.dtype)
            average.assign_add(share * (variable - average))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While this lasts the weights are the averaged ones; then they are what they were, bit for bit.

        What is not trained, such as the statistics of batch norm, stays as it is: that of the plain weights.
        """
        pairs = list(zip(self._trainable_variables, self._averages, strict=True)) if self.ema is not None else []
        plain = [ops.convert_to_numpy(variable).copy() for variable, _ in pairs]
        for variable, average in pairs:
            variable.assign(average)
        try:
            yield
        finally:
            for (variable, _), value in zip(pairs, plain, strict=True):
                variable.assign(value)


class Staged(keras.optimizers.Optimizer):
    """An optimizer that multiplies the learning rate of each variable by a factor, that of weight decay too.

    The rate, not the gradient, since Adam's updates do not depend on the gradient's scale. Keras' `MultiOptimizer` is
    not taken: it clips each group by a norm of its own, and has no learning rate to show.

    Attributes:
        factors: one for each variable that `build` is given; none where all are 1. To be set before `build`.
    """

    factors: Sequence[float] = ()

    def update_step(self, gradient, variable, learning_rate) -> None:
        super().update_step(gradient, variable, learning_rate * self._factor(variable))

    def _apply_weight_decay(self, variables) -> None:
        if not self.weight_decay:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = ops.cast(self.learning_rate * self.weight_decay * self._factor(variable), variable.dtype)
                self.assign_sub(variable, variable * rate)

    def _factor(self, variable: Any) -> float:
        return self.factors[self._get_variable_index(variable)] if self.factors else 1.0


def check_stages(stages: Mapping[int, float], model: keras.Model, where: str) -> None:
    """Refuses stages that a model has not.

    Args:
        stages: stride to factor, as the recipe has it.
        model: the whole model.
        where: the recipe's key, for the message.

    Raises:
        InputError: the model has no stages, or none of that stride.
    """
    if not stages:
        return
    if not hasattr(model, "stages"):
        raise InputError(f"the model {type(model).__name__} offers no stages: leave them out", where=where)
    known = [stride for stride in model.stages() if isinstance(stride, int)]
    for stride in stages:
        if stride not in known:
            levels = ", ".join(map(str, known)) or "no levels"
            raise InputError(f"no level of stride {stride}: this model has {levels}", where=where)


def stage_factors(stages: Mapping[int, float], model: keras.Model) -> list[float]:
    """The factor of the learning rate of each trainable variable of a model, in their order; see `check_stages`."""
    if not stages:
        return []
    factors: dict[int, float] = {}
    for stride, variables in model.stages().items():
        above = [each for each in stages if isinstance(stride, int) and each >= stride]
        factors |= {id(variable): stages[min(above)] if above else 1.0 for variable in variables}
    return [factors.get(id(variable), 1.0) for variable in model.trainable_variables]


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
            raise InputError(
                f"train.optimizer.groups: no group '{name}' of variables: {known}", field="train.optimizer.groups"
            )
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
