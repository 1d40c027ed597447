"""Ctrl-C and SIGTERM: the first ends a job at its next boundary with everything saved, the second ends it at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from types import FrameType

log = logging.getLogger("saccade")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 2.0
"""Seconds that are left for cleaning up after the second signal, before the process ends all the same."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; what was done so far is saved.

    Attributes:
        number: the signal. A process that ends for it has the exit code 128 + number.
    """

    def __init__(self, number: int = signal.SIGINT):
        super().__init__()
        self.number = number


@dataclass
class _State:
    """What all jobs of the process share: signals go to the process.

    Attributes:
        listening: whether the handlers are in place.
        number: the first signal that came.
        deferred: how many blocks are open that end at their own boundaries.
        cleaning: how many blocks are open that nothing may interrupt.
    """

    listening: bool = False
    number: int | None = None
    deferred: int = 0
    cleaning: int = 0


_state = _State()


@contextmanager
def stoppable(whole_process: bool = False) -> Iterator[None]:
    """While this lasts, Ctrl-C and SIGTERM raise `Interrupted` in the main thread: at once, or at the next boundary of
    a `deferred` block. In another thread, and inside another such block, it changes nothing.

    Args:
        whole_process: the second signal ends the process, whatever it is in, after `GRACE` seconds at the latest.
    """
    if _state.listening or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    _state.listening, _state.number = True, None
    try:
        with _second_ends() if whole_process else nullcontext():
            yield
    finally:
        _state.listening = False
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def deferred() -> Iterator[None]:
    """A block in which the first signal waits for the next `stop_point`, at the latest for the end of the block."""
    _state.deferred += 1
    try:
        yield
    finally:
        _state.deferred -= 1
    stop_point()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A block of milliseconds, as cleaning up is, that comes to its end before a signal counts."""
    before, _state.cleaning = _state.number, _state.cleaning + 1
    try:
        yield
    finally:
        _state.cleaning -= 1
    if before is None:
        stop_point()


def stop_wanted() -> bool:
    """Whether a signal came; the job ends at its next boundary."""
    return _state.listening and _state.number is not None


def stop_point() -> None:
    """A boundary at which a job may end.

    Raises:
        Interrupted: a signal came.
    """
    if stop_wanted():
        raise Interrupted(_state.number)


def _on_signal(number: int, frame: FrameType | None) -> None:
    first, _state.number = _state.number is None, _state.number or number
    if _state.cleaning:
        return
    if _state.deferred and first:
        with suppress(RuntimeError):  # the signal came amid another line of the log
            log.info("stopping after this step ... (once more: at once)")
        return
    raise Interrupted(_state.number)


@contextmanager
def _second_ends() -> Iterator[None]:
    """Ends the process after the second signal from a thread of its own, as the main thread may be in a long call of
    the graph, where no handler of Python's runs."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    done = threading.Event()

    def watch() -> None:
        asked = 0
        while came := os.read(reader, 1):
            asked += came[0] in SIGNALS
            if asked > 1 and not done.wait(GRACE):
                os.write(2, b"saccade: stopped at once\n")
                os._exit(128 + came[0])

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="saccade-signals", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(before)
        os.close(writer)
        watcher.join()
        os.close(reader)
