"""A small HTTP server for one bundle, with TF Serving's REST contract, from the standard library."""

import logging
import select
import signal
import socket
import threading
from types import FrameType
from typing import Self

from .bundle import Bundle
from .endpoints import DEFAULT_LIMITS, Endpoints, Limits
from .listener import listen

log = logging.getLogger("saccade")


class Server:
    """Serves one bundle from a thread of its own: `with Server(bundle, port=0) as server: server.url`.

    Attributes:
        url: its address, such as `http://127.0.0.1:8501`.
        endpoints: what it answers.
    """

    def __init__(self, bundle: Bundle, host: str = "127.0.0.1", port: int = 8501, limits: Limits = DEFAULT_LIMITS):
        """Takes the port, but does not answer yet.

        Args:
            bundle: what is served.
            host: the address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in.
            port: 0 takes a free one.
            limits: of one request.

        Raises:
            InputError: the port is in use or not allowed, or there is no such host.
        """
        self._http = listen(host, port, limits.bytes)
        shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)
        self.url = f"http://{shown}:{self._http.server_port}"
        self.bundle = bundle
        self.endpoints = self._http.endpoints = Endpoints(bundle, self.url, limits)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), name="saccade-server")

    def start(self) -> None:
        """Loads the model, runs it once on a proof sample so that no user waits for that, and begins to answer.

        Raises:
            InputError: the bundle cannot be loaded.
        """
        self._load()
        self._listen()

    def stop(self) -> None:
        """Takes no further request, answers those that have come, and gives the port back."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
            self._http.finish()
        else:
            self._http.server_close()

    def run(self) -> int:
        """Serves until SIGINT (Ctrl-C) or SIGTERM, and answers what has come by then; a second signal ends the process
        at once. Call it in the main thread.

        Returns:
            The number of the signal.

        Raises:
            InputError: the bundle cannot be loaded.
        """
        self._load()
        with _Signals() as signals:
            self._listen()
            number = signals.wait()
            log.info("stopping: requests that have come are answered first")
            self.stop()
        return number

    def _load(self) -> None:
        try:
            self.bundle.warm_up()
        except BaseException:
            self._http.server_close()
            raise

    def _listen(self) -> None:
        try:
            self._http.server_activate()
        except BaseException:
            self._http.server_close()
            raise
        self._thread.start()
        log.info("serving %s version %s at %s", self.bundle.name, self.bundle.version, self.url)
        log.info("try: %s", self.endpoints.curl)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _Signals:
    """SIGINT and SIGTERM while it is entered: the first is waited for, the second has its usual effect again.

    The system gives a signal to any thread, and Python runs its handler in the main one when that comes by: a main
    thread that waits for a lock does not. So it waits for a socket that Python's own part of the handler, which runs at
    once and anywhere, writes to.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self) -> Self:
        self._came: int | None = None
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._former_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._former = {each: signal.signal(each, self._note) for each in self._NUMBERS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_fd)
        self._wake.close()
        self._woken.close()

    def wait(self) -> int:
        """The number of the first signal, when it has come."""
        while self._came is None:
            if select.select([self._woken], [], [], 1.0)[0]:
                self._woken.recv(64)
        return self._came

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        for each in self._NUMBERS:
            signal.signal(each, signal.SIG_DFL)
