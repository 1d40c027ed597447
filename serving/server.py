"""A small HTTP server for one bundle, with TF Serving's REST contract, from the standard library."""

import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Self

import numpy as np

from .bundle import Bundle
from .endpoints import Endpoints
from .listener import listen

log = logging.getLogger("saccade")

MAX_BYTES = 64 * 2**20
"""The largest request body, in bytes, unless told otherwise."""


class Server:
    """Serves one bundle from a thread of its own: `with Server(bundle, port=0) as server: server.url`.

    Attributes:
        url: its address, such as `http://127.0.0.1:8501`.
        endpoints: what it answers.
    """

    def __init__(self, bundle: Bundle, host: str = "127.0.0.1", port: int = 8501, max_bytes: int = MAX_BYTES):
        """Takes the port, but does not answer yet.

        Args:
            bundle: what is served.
            host: the address to listen at; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in.
            port: 0 takes a free one.
            max_bytes: the largest request body; a larger one is refused with status 413.

        Raises:
            InputError: the port is in use or not allowed, or there is no such host.
        """
        self._http = listen(host, port, max_bytes)
        shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)
        self.url = f"http://{shown}:{self._http.server_port}"
        self.bundle = bundle
        self.endpoints = self._http.endpoints = Endpoints(bundle, self.url)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), name="saccade-server")

    def start(self) -> None:
        """Loads the model, runs it once on a proof sample so that no user waits for that, and begins to answer.

        Raises:
            InputError: the bundle cannot be loaded.
        """
        try:
            self.bundle.run({"bytes": np.array([self.bundle.samples[0].bytes], object)})
            self._http.server_activate()
        except BaseException:
            self._http.server_close()
            raise
        self._thread.start()
        log.info("serving %s version %s at %s", self.bundle.name, self.bundle.version, self.url)
        log.info("try: %s", self.endpoints.curl)

    def stop(self) -> None:
        """Takes no further request, waits for those in flight, and gives the port back."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.hang_up_idle()
        self._http.server_close()

    def wait(self) -> None:
        """Returns when SIGINT (Ctrl-C) or SIGTERM asks to stop; call it in the main thread, and `stop` after it."""
        asked_to_stop = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            asked_to_stop.set()

        former = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            asked_to_stop.wait()
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)  # a second Ctrl-C does not wait for what is in flight
        log.info("stopping: requests in flight are finished first")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def serve(bundle: Bundle | Path | str, host: str = "127.0.0.1", port: int = 8501) -> None:
    """Serves a bundle until SIGINT (Ctrl-C) or SIGTERM; requests in flight are finished. Call it in the main thread.

    Args:
        bundle: a bundle or its folder.
        host: the address to listen at.
        port: 0 takes a free one; it is logged.

    Raises:
        InputError: not a bundle, or a port or host that cannot be had.
    """
    with Server(bundle if isinstance(bundle, Bundle) else Bundle(bundle), host, port) as server:
        server.wait()
