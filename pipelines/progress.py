"""What a person sees while a training goes on."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Mapping

from tqdm import tqdm

log = logging.getLogger("saccade")


def bar(name: str, unit: str, total: int, items: Iterable | None = None, done: int = 0, shown: bool = True) -> tqdm:
    """A progress bar on stderr that appears after two seconds; where nobody watches it moves every ten.

    Args:
        name: what goes on.
        unit: of what there are `total`.
        total: how many there will be.
        items: iterating over the bar iterates over these.
        done: how many are done already.
        shown: False for no bar at all.
    """
    interval = 0.2 if sys.stderr.isatty() else 10
    return tqdm(
        items,
        desc=name,
        total=total,
        initial=done,
        unit=" " + unit,
        delay=2,
        mininterval=interval,
        leave=False,
        disable=not shown,
    )


class EpochProgress:
    """A bar within each epoch, and one line at its end: metrics, rate and time left."""

    def __init__(self, steps: int, batch: int, last_epoch: int):
        self._steps, self._batch, self._last_epoch = steps, batch, last_epoch
        self._bar: tqdm | None = None
        self._durations: list[float] = []

    def begin(self, epoch: int, done: int) -> None:
        """Begins an epoch (from 0) of which `done` steps were done in an earlier session."""
        self._began, self._fitted = time.monotonic(), None
        self._done = done
        self._bar = bar(f"epoch {epoch + 1}/{self._last_epoch}", "steps", self._steps, done=done)

    def step(self, logs: Mapping[str, float]) -> None:
        self._bar.update()
        if self._bar.n % 10 == 0:
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in logs.items()}, refresh=False)

    def fitted(self) -> None:
        """The epoch's last step is done; validation follows."""
        self._fitted = time.monotonic()
        self._bar.set_description_str("validation", refresh=sys.stderr.isatty())

    def rate(self) -> float:
        """Samples a second, in training, validation not counted."""
        end = self._fitted or time.monotonic()
        return (self._bar.n - self._done) * self._batch / max(1e-9, end - self._began)

    def seconds(self) -> float:
        """How long this epoch has taken so far, since it was last resumed; validation counts."""
        return time.monotonic() - self._began

    def end(self, epoch: int, logs: Mapping[str, float], best: bool) -> None:
        """Ends an epoch with its line."""
        self._bar.close()
        pace = ""
        if rate := self.rate():  # an epoch that a resumed run only validates has none
            self._durations.append(self.seconds())
            left = (self._last_epoch - epoch - 1) * sum(self._durations[-5:]) / len(self._durations[-5:])
            pace = f"  ({rate:.0f} samples/s, {span(left)} left)"
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        log.info("epoch %d/%d  %s%s%s", epoch + 1, self._last_epoch, metrics, "  best" if best else "", pace)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def span(seconds: float) -> str:
    """A stretch of time in the units that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
