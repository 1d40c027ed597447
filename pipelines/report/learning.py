"""What the learning curves of a training say, in words: whether it under- or overfits, and what to try.

The gap between training and validation tells how much of what was learnt holds only for the training samples; the slope
of the last epochs tells whether more of them would help (Goodfellow, Bengio, Courville: Deep Learning, 2016, sections
5.2 and 11.3). Both count only where they exceed the noise of the curves themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.contract import Value

MIN_EPOCHS = 5
"""Epochs below which nothing is said."""
MAX_SMALL_GAP = 0.03
"""A gap that is nobody's concern in metrics from 0 to 1; in others `MAX_SMALL_FRACTION` of the metric."""
MAX_SMALL_FRACTION = 0.15
LOW = 0.8
"""A training metric from 0 to 1 that stays below this is called low."""
MIN_CHANGE = 0.02
"""A change over the last epochs that is smaller than this fraction of the whole curve's span is none."""
LEVEL_EPOCHS = 5
"""Epochs whose mean is a level: fewer are luck."""
SURE = 3.0
"""Standard errors from which on a slope is not chance; few epochs give few degrees of freedom, hence more than two."""


@dataclass(frozen=True)
class Reading:
    """What a training's curves say.

    Attributes:
        verdict: a word or two: "too short to say", "diverging", "overfitting", "still improving", "underfitting",
            "noisy" or "settled".
        sentences: the reasons, with their numbers, and what to try.
    """

    verdict: str
    sentences: tuple[str, ...]


def read_curves(
    history: Sequence[Mapping[str, float]],
    metrics: Mapping[str, Value],
    monitor: str,
    softened: Sequence[str] = (),
) -> Reading:
    """Reads the epochs of one phase.

    Args:
        history: one mapping an epoch, as the run has it: "loss" and other metrics of training, "val_*" of validation.
        metrics: the validation metrics of the evaluation; their directions and intervals are used.
        monitor: the metric that chose the best weights.
        softened: what makes training harder than validation (augmentation, dropout), for the words.
    """
    if len(history) < MIN_EPOCHS:
        return Reading("too short to say", (f"The curves say something from {MIN_EPOCHS} epochs on.",))
    loss = trend(_series(history, "loss", -1))
    sign = 1 if _direction(metrics, monitor) else -1
    watched = trend(_series(history, f"val_{monitor}", sign))
    if not math.isfinite(watched.end):
        return Reading("too short to say", (f"Validation {in_words(monitor)} was a number in fewer than 3 epochs.",))
    if loss.is_falling and (loss.lost > 0.25 or watched.has_lost):
        risen = f"The training loss rises: from {-loss.best:.4g} at its best to {-loss.end:.4g}."
        return Reading("diverging", (risen, "Lower the learning rate, or clip the gradients."))
    gap = _gap(history, metrics, monitor)
    reasons = [*([gap.sentence(softened)] if gap else []), _course(monitor, watched, sign)]
    if watched.is_noisy:
        reasons.append(
            f"Validation {in_words(monitor)} jumps by about {watched.noise:.2g} from epoch to epoch: read small "
            "differences with care."
        )
    verdict, advice = _verdict(watched, gap, softened)
    return Reading(verdict, tuple([*reasons, advice]))


def _verdict(watched: Trend, gap: Gap | None, softened: Sequence[str]) -> tuple[str, str]:
    if watched.has_lost or (gap is not None and gap.is_wide):
        stop = ", or early stopping" if watched.has_lost else ""
        more = "stronger" if softened else "some"
        return "overfitting", (f"Try more data, {more} augmentation or dropout, weight decay, a smaller model{stop}.")
    if watched.is_rising:
        return "still improving", "More epochs are likely to help."
    if gap is not None and gap.is_low:
        less = f"; less {' and '.join(softened)}" if softened else ""
        return "underfitting", (
            f"It does not fit even what it is trained on: try a larger model, more epochs, another learning rate{less}."
        )
    if watched.is_noisy:
        return "noisy", "Try a learning rate that ends lower (schedule: cosine), or more validation samples."
    return "settled", "More epochs of the same are unlikely to help."


@dataclass(frozen=True)
class Gap:
    """One metric on training and on validation, at the end of the curves.

    Attributes:
        name: the metric.
        training, validation: its mean over the last epochs.
        width: by how much training is better, in the metric's unit.
        bearable: a width that is small, or may be chance.
        is_fraction: whether it lies between 0 and 1, and more is better.
    """

    name: str
    training: float
    validation: float
    width: float
    bearable: float
    is_fraction: bool

    @property
    def is_wide(self) -> bool:
        return self.width > self.bearable

    @property
    def is_low(self) -> bool:
        """Whether training itself stays low, which is known only of fractions."""
        return self.is_fraction and self.training < LOW

    def sentence(self, softened: Sequence[str]) -> str:
        both = f"{in_words(self.name)} {self.training:.4g} in training and {self.validation:.4g} on validation"
        extent = "a gap that matters" if self.is_wide else "a small gap" if self.width > 0 else "no gap"
        text = f"At the end, {both}: {extent}."
        if softened:
            made = " and ".join(softened)
            text += f" The training metric is pessimistic, because {made} made the training images harder"
            text += ": the true gap is wider." if self.width > 0 else "."
        return text


def _gap(history: Sequence[Mapping[str, float]], metrics: Mapping[str, Value], monitor: str) -> Gap | None:
    """The gap of the monitored metric, or of another that both sides have."""
    names = [name for name in (monitor, *metrics) if name in history[-1] and f"val_{name}" in history[-1]]
    if not names:
        return None
    name, higher = names[0], _direction(metrics, names[0])
    sign = 1 if higher else -1
    training, validation = (trend(_series(history, each, sign)) for each in (name, f"val_{name}"))
    if not (math.isfinite(training.end) and math.isfinite(validation.end)):
        return None
    both = _series(history, name, 1) + _series(history, f"val_{name}", 1)
    is_fraction = higher and all(0 <= value <= 1 for value in both if math.isfinite(value))
    small = MAX_SMALL_GAP if is_fraction else MAX_SMALL_FRACTION * abs(validation.end)
    bearable = max(small, _sampling_error(metrics.get(name)), 2 * validation.noise)
    width = training.end - validation.end
    return Gap(name, sign * training.end, sign * validation.end, width, bearable, is_fraction)


def _course(monitor: str, watched: Trend, sign: int) -> str:
    name, end, best = in_words(monitor), sign * watched.end, sign * watched.best
    if watched.is_rising:
        return f"Validation {name} still improved in the last {watched.window} epochs, to about {end:.4g}."
    if watched.has_lost:
        then = f"{best:.4g} at its best, about {end:.4g} now"
        return f"Validation {name} has become worse while the training loss did not: {then}."
    return f"Validation {name} stays at about {end:.4g} in the last {watched.window} epochs."


def _series(history: Sequence[Mapping[str, float]], name: str, sign: int) -> list[float]:
    return [sign * float(line.get(name, math.nan)) for line in history]


def _direction(metrics: Mapping[str, Value], name: str) -> bool:
    return metrics[name].higher_is_better if name in metrics else True


def _sampling_error(value: Value | None) -> float:
    """Half of the 95 % interval: what another validation split of that size might have said."""
    return 0.0 if value is None or value.low is None or value.high is None else float(value.high - value.low) / 2


def in_words(name: str) -> str:
    return name.replace("_", " ")


@dataclass(frozen=True)
class Trend:
    """A curve that goes up where it gets better.

    Attributes:
        end: its mean level over the last `window` epochs.
        best: its best value.
        level: the best mean of five epochs that follow one another, which owes less to luck.
        change: what the line through the last epochs gains from their first to their last.
        noise: standard deviation about that line, from epoch to epoch.
        span: between its best and its worst value.
        is_rising, is_falling: whether that line rises or falls by more than chance.
        window: how many epochs are "the last".
    """

    end: float
    best: float
    level: float
    change: float
    noise: float
    span: float
    is_rising: bool
    is_falling: bool
    window: int

    @property
    def lost(self) -> float:
        """How far its end lies below its best, as a fraction of its span."""
        return (self.best - self.end) / self.span if self.span > 0 else 0.0

    @property
    def has_lost(self) -> bool:
        """Whether the end lies below the best level by more than chance."""
        return not self.is_rising and self.level - self.end > max(2 * self.noise, 0.1 * self.span)

    @property
    def is_noisy(self) -> bool:
        """Whether it jumps by much of what it gained, and by much of its level."""
        return self.noise > 0.15 * self.span and self.noise > 0.03 * abs(self.end)


def trend(values: Sequence[float]) -> Trend:
    """Fits a straight line to the last third of a curve, five epochs at least.

    Args:
        values: one an epoch, higher is better; what is not finite is left out.

    Returns:
        The trend; all NaN and neither rising nor falling where fewer than three values are finite.
    """
    known = np.array([value for value in values if math.isfinite(value)], np.float64)
    if len(known) < 3:
        return Trend(*[math.nan] * 5, 0.0, False, False, len(known))
    width = min(LEVEL_EPOCHS, len(known))
    last = known[-max(LEVEL_EPOCHS, len(known) // 3) :]
    at = np.arange(len(last)) - (len(last) - 1) / 2
    slope = float(at @ last / (at @ at))
    noise = float(np.sqrt(np.sum((last - last.mean() - slope * at) ** 2) / (len(last) - 2)))
    change, span = slope * (len(last) - 1), float(np.ptp(known))
    counts = abs(change) > MIN_CHANGE * span and abs(slope) > SURE * noise / math.sqrt(at @ at) and span > 0
    return Trend(
        end=float(last.mean()),
        best=float(known.max()),
        level=float(np.convolve(known, np.full(width, 1 / width), "valid").max()),
        change=change,
        noise=noise,
        span=span,
        is_rising=counts and change > 0,
        is_falling=counts and change < 0,
        window=len(last),
    )
