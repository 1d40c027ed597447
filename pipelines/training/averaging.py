"""A moving average of the weights beside those that are trained (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops


class Averaging(keras.optimizers.Optimizer):
    """An optimizer that averages the weights after each update.

    Keras' own `use_ema` is not taken: it overwrites the weights at the end of `fit`, which is the end of every epoch
    that was gone on with; with accumulation it averages at steps that update nothing; and what swaps its averages in
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
