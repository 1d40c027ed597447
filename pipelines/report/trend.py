"""Which way a curve goes at its end, and how much it jumps about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_CHANGE = 0.02
"""A change over the last epochs that is smaller than this share of the whole curve's span is none."""
LEVEL = 5
"""Epochs whose mean is a level: fewer are luck."""
SURE = 3.0
"""Standard errors from which on a slope is not chance; few epochs give few degrees of freedom, hence more than two."""


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
        """How far its end lies below its best, as a share of its span."""
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
    width = min(LEVEL, len(known))
    last = known[-max(LEVEL, len(known) // 3) :]
    at = np.arange(len(last)) - (len(last) - 1) / 2
    slope = float(at @ last / (at @ at))
    noise = float(np.sqrt(np.sum((last - last.mean() - slope * at) ** 2) / (len(last) - 2)))
    change, span = slope * (len(last) - 1), float(np.ptp(known))
    counts = abs(change) > LEAST_CHANGE * span and abs(slope) > SURE * noise / math.sqrt(at @ at) and span > 0
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
