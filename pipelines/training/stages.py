"""Learning rates by stage of the model (Howard and Ruder 2018, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from ...models.errors import InputError


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
        raise InputError(f"{where}: the model {type(model).__name__} offers no stages: leave them out")
    known = [stride for stride in model.stages() if isinstance(stride, int)]
    for stride in stages:
        if stride not in known:
            levels = ", ".join(map(str, known)) or "no levels"
            raise InputError(f"{where}: no level of stride {stride}: this model has {levels}")


def stage_factors(stages: Mapping[int, float], model: keras.Model) -> list[float]:
    """The factor of the learning rate of each trainable variable of a model, in their order; see `check_stages`."""
    if not stages:
        return []
    factors: dict[int, float] = {}
    for stride, variables in model.stages().items():
        above = [each for each in stages if isinstance(stride, int) and each >= stride]
        factors |= {id(variable): stages[min(above)] if above else 1.0 for variable in variables}
    return [factors.get(id(variable), 1.0) for variable in model.trainable_variables]
