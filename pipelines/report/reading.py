"""What the curves of a training say, in words: whether it under- or overfits, and what to try.

The gap between training and validation tells how much of what was learnt holds only for the training samples; the slope
of the last epochs tells whether more of them would help (Goodfellow, Bengio, Courville: Deep Learning, 2016, sections
5.2 and 11.3). Both count only where they exceed the noise of the curves themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...models.contract import Value
from .trend import Trend, trend

SHORTEST = 5
"""Epochs below which nothing is said."""
SMALL_GAP = 0.03
"""A gap that is nobody's concern in figures from 0 to 1; in others `SMALL_SHARE` of the figure."""
SMALL_SHARE = 0.15
LOW = 0.8
"""A training figure from 0 to 1 that stays below this is called low."""


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
    figures: Mapping[str, Value],
    monitor: str,
    softened: Sequence[str] = (),
) -> Reading:
    """Reads the epochs of one phase.

    Args:
        history: one mapping an epoch, as the run has it: "loss" and other figures of training, "val_*" of validation.
        figures: the validation figures of the evaluation; their directions and intervals are used.
        monitor: the figure that chose the best weights.
        softened: what makes training harder than validation (augmentation, dropout), for the words.
    """
    if len(history) < SHORTEST:
        return Reading("too short to say", (f"The curves say something from {SHORTEST} epochs on.",))
    loss = trend(_series(history, "loss", -1))
    sign = 1 if _direction(figures, monitor) else -1
    watched = trend(_series(history, f"val_{monitor}", sign))
    if not math.isfinite(watched.end):
        return Reading("too short to say", (f"Validation {_plain(monitor)} was a number in fewer than 3 epochs.",))
    if loss.is_falling and (loss.lost > 0.25 or watched.has_lost):
        risen = f"The training loss rises: from {-loss.best:.4g} at its best to {-loss.end:.4g}."
        return Reading("diverging", (risen, "Lower the learning rate, or clip the gradients."))
    gap = _gap(history, figures, monitor)
    reasons = [*([gap.in_words(softened)] if gap else []), _course(monitor, watched, sign)]
    if watched.is_noisy:
        reasons.append(
            f"Validation {_plain(monitor)} jumps by about {watched.noise:.2g} from epoch to epoch: read small "
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
    """One figure on training and on validation, at the end of the curves.

    Attributes:
        name: the figure.
        training, validation: its mean over the last epochs.
        width: by how much training is better, in the figure's unit.
        bearable: a width that is small, or may be chance.
        is_share: whether it lies between 0 and 1, and more is better.
    """

    name: str
    training: float
    validation: float
    width: float
    bearable: float
    is_share: bool

    @property
    def is_wide(self) -> bool:
        return self.width > self.bearable

    @property
    def is_low(self) -> bool:
        """Whether training itself stays low, which is known only of shares."""
        return self.is_share and self.training < LOW

    def in_words(self, softened: Sequence[str]) -> str:
        both = f"{_plain(self.name)} {self.training:.4g} in training and {self.validation:.4g} on validation"
        extent = "a gap that matters" if self.is_wide else "a small gap" if self.width > 0 else "no gap"
        text = f"At the end, {both}: {extent}."
        if softened:
            made = " and ".join(softened)
            text += f" The training figure is pessimistic, because {made} made those pictures harder"
            text += ": the true gap is wider." if self.width > 0 else "."
        return text


def _gap(history: Sequence[Mapping[str, float]], figures: Mapping[str, Value], monitor: str) -> Gap | None:
    """The gap of the monitored figure, or of another that both sides have."""
    names = [name for name in (monitor, *figures) if name in history[-1] and f"val_{name}" in history[-1]]
    if not names:
        return None
    name, higher = names[0], _direction(figures, names[0])
    sign = 1 if higher else -1
    training, validation = (trend(_series(history, each, sign)) for each in (name, f"val_{name}"))
    if not (math.isfinite(training.end) and math.isfinite(validation.end)):
        return None
    both = _series(history, name, 1) + _series(history, f"val_{name}", 1)
    is_share = higher and all(0 <= value <= 1 for value in both if math.isfinite(value))
    small = SMALL_GAP if is_share else SMALL_SHARE * abs(validation.end)
    bearable = max(small, _sampling_error(figures.get(name)), 2 * validation.noise)
    width = training.end - validation.end
    return Gap(name, sign * training.end, sign * validation.end, width, bearable, is_share)


def _course(monitor: str, watched: Trend, sign: int) -> str:
    name, end, best = _plain(monitor), sign * watched.end, sign * watched.best
    if watched.is_rising:
        return f"Validation {name} still improved in the last {watched.window} epochs, to about {end:.4g}."
    if watched.has_lost:
        then = f"{best:.4g} at its best, about {end:.4g} now"
        return f"Validation {name} has become worse while the training loss did not: {then}."
    return f"Validation {name} stays at about {end:.4g} in the last {watched.window} epochs."


def _series(history: Sequence[Mapping[str, float]], name: str, sign: int) -> list[float]:
    return [sign * float(line.get(name, math.nan)) for line in history]


def _direction(figures: Mapping[str, Value], name: str) -> bool:
    return figures[name].higher_is_better if name in figures else True


def _sampling_error(value: Value | None) -> float:
    """Half of the 95 % interval: what another validation split of that size might have said."""
    return 0.0 if value is None or value.low is None or value.high is None else float(value.high - value.low) / 2


def _plain(name: str) -> str:
    return name.replace("_", " ")
