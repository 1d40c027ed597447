"""Which epoch's weights are kept, what they fail to keep to, and how long one sample takes."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.contract import Raw, Value
from ...models.errors import InputError, nearest
from ...models.predictor import Predictor, stacked
from ..data.source import Source, request
from ..recipe.train_options import LATENCY, Bound, Select, TrainOptions

SAMPLES = 20
WARM_UP = 3
"""Calls that are not counted: the first ones trace the graph and fill caches."""


def latency_ms(predictor: Predictor, source: Source, positions: np.ndarray) -> float:
    """The median time of one sample in milliseconds: a batch of one, from raw values to results in NumPy.

    Args:
        predictor: the Predictor.
        source: where the samples are.
        positions: a split; samples spread evenly over it are timed once each.
    """
    chosen = positions[np.unique(np.linspace(0, len(positions) - 1, SAMPLES).astype(int))]
    raws = [request(predictor.task, source, int(position)) for position in chosen]
    for raw in [raws[0]] * WARM_UP:
        _time(predictor, raw)
    return statistics.median(_time(predictor, raw) for raw in raws) * 1000


def _time(predictor: Predictor, raw: Raw) -> float:
    began = time.perf_counter()
    (prepared,) = predictor.task.input.prepare([raw])
    for result in predictor(**stacked([prepared], predictor.task.input.signatures)).values():
        result.numpy()
    return time.perf_counter() - began


log = logging.getLogger("saccade")

GLANCE = 32
"""Samples on which an untrained model is asked, before it costs a night, which metrics its evaluation has."""


@dataclass(frozen=True)
class Standing:
    """How good an epoch is: first how little it is past its bounds (0: it keeps to all), then by its metric."""

    value: float
    higher_is_better: bool
    violation: float = 0.0

    def beats(self, value: float | None, violation: float) -> bool:
        """Whether it is better than the best so far, None where there is none yet; what is no number never is."""
        if not math.isfinite(self.value) or value is None:
            return math.isfinite(self.value)
        if self.violation != violation:
            return self.violation < violation
        return self.value > value if self.higher_is_better else self.value < value


@dataclass(frozen=True)
class Failure:
    """A bound that the chosen weights do not keep to.

    Attributes:
        metric, bound: as the recipe has them.
        value: the metric of the chosen weights, None where these samples do not have it.
        closest, closest_epoch: the metric of the epoch that came closest to the bound, for what is measured each epoch.
    """

    metric: str
    bound: str
    value: float | None
    closest: float | None = None
    closest_epoch: int | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.metric} ({self.bound}) cannot be told from these samples"
        closest = "" if self.closest is None else f"; epoch {self.closest_epoch} came closest: {self.closest:.4g}"
        return f"{self.metric} is {self.value:.4g}, not {self.bound}{closest}"


class Selection:
    """The recipe's `train.select` and `train.early_stopping`, in the evaluation's own directions.

    Attributes:
        metric: what is optimised.
        bounds: metric to bound.
    """

    def __init__(self, train: TrainOptions, monitor: str):
        self._select, self._early = train.select, train.early_stopping
        self.metric = train.select.metric or monitor
        self.bounds: dict[str, Bound] = train.select.bounds

    def check(self, metrics: Callable[[int | None], Mapping[str, Value]]) -> None:
        """Refuses what the evaluation of the validation split has not, before the training begins.

        Nothing is asked where the recipe names no metric: what the task optimises by itself is there.

        Args:
            metrics: from how many samples, None for all, to their metrics. All are asked for only if a few do not do:
                a metric of one class may need a rare sample.

        Raises:
            InputError: no such metric, with the nearest; or it is to be taken the wrong way.
        """
        stopping = self._early.monitor if self._early else None
        if self._select == Select() and stopping is None:
            return
        named = [("train.select", self.metric)]
        named += [("train.select.subject_to", name) for name in self.bounds if name != LATENCY]
        named += [("train.early_stopping.monitor", stopping)] if stopping else []
        for samples in (GLANCE, None):
            values = metrics(samples)
            if all(name in values for _, name in named):
                break
        for key, name in named:
            _refuse_unknown(name, values, key)
        self._check_direction(values[self.metric])

    def told(self, values: Mapping[str, Value]) -> list[str]:
        """The metrics to show of an epoch: the evaluation's first two, and what the recipe chooses or stops by."""
        first = [name for name in values if "/" not in name][:2]
        stopping = [self._early.monitor] if self._early and self._early.monitor else []
        return list(dict.fromkeys([*first, self.metric, *(name for name in self.bounds if name in values), *stopping]))

    def standing(self, values: Mapping[str, Value]) -> Standing:
        """How good an epoch is by its metrics.

        Raises:
            InputError: the evaluation has no such metric, or it is to be taken the wrong way.
        """
        _refuse_unknown(self.metric, values, "train.select")
        chosen = values[self.metric]
        self._check_direction(chosen)
        violation = sum(bound.excess(_value(values, name)) for name, bound in self.bounds.items())
        return Standing(chosen.value, chosen.higher_is_better, violation)

    def failures(self, values: Mapping[str, Value], history: Sequence[Mapping[str, float]]) -> list[Failure]:
        """The bounds that the chosen weights do not keep to.

        Args:
            values: their metrics.
            history: the run's, one mapping an epoch.
        """
        unkept = {name: bound for name, bound in self.bounds.items() if bound.excess(_value(values, name)) > 0}
        return [_failure(name, bound, values, history) for name, bound in unkept.items()]

    def is_patience_over(self, values: Mapping[str, Value], history: Sequence[Mapping[str, float]], start: int) -> bool:
        """Whether this phase stops early.

        Args:
            values: the metrics of the epoch that ended; they know which way is better.
            history: the run's, up to that epoch.
            start: how many epochs there were before this phase.

        Raises:
            InputError: the evaluation has no such metric.
        """
        if self._early is None:
            return False
        name = self._early.monitor or self.metric
        _refuse_unknown(name, values, "train.early_stopping.monitor")
        sign = 1.0 if values[name].higher_is_better else -1.0
        best, improved = -math.inf, start
        for line in history:
            value = sign * line.get(f"val_{name}", math.nan)
            if math.isfinite(value) and (best == -math.inf or value - best > self._early.min_delta):
                best, improved = value, line["epoch"]
        waited = history[-1]["epoch"] - max(improved, start)
        if waited >= self._early.patience:
            log.info("%s has not improved for %d epochs: this phase stops here", name, waited)
        return waited >= self._early.patience

    def _check_direction(self, value: Value) -> None:
        if self._select.maximise is not None and not value.higher_is_better:
            raise InputError(f"train.select: {self.metric} is better lower: say minimise", field="train.select")
        if self._select.minimise is not None and value.higher_is_better:
            raise InputError(f"train.select: {self.metric} is better higher: say maximise", field="train.select")


def _value(values: Mapping[str, Value], name: str) -> float:
    """A metric that a dry run's few samples do not have is as bad as can be."""
    return values[name].value if name in values else math.nan


def _failure(name: str, bound: Bound, values: Mapping[str, Value], history: Sequence[Mapping[str, float]]) -> Failure:
    value = values[name].value if name in values else None
    epochs = [(line[f"val_{name}"], line["epoch"]) for line in history if f"val_{name}" in line]
    closest = min(epochs, key=lambda epoch: bound.excess(epoch[0]), default=(None, None))
    return Failure(name, str(bound), value, *closest)


def _refuse_unknown(name: str, values: Mapping[str, Value], key: str) -> None:
    if name not in values:
        hint = " (a class that no validation sample has is left out)" if "/" in name else ""
        raise InputError(f"{key}: the evaluation has no metric '{name}'{hint}: {nearest(name, values)}")
