"""A small HTTP server for one bundle, with TF Serving's REST contract, from the standard library."""

import errno
import logging
import signal
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from types import FrameType
from typing import Self

import numpy as np

from ..models.errors import InputError
from .bundle import Bundle
from .endpoints import Answer, Endpoints, failure

log = logging.getLogger("saccade")

MAX_BYTES = 64 * 2**20
"""The largest request body, in bytes, unless told otherwise."""
_PATIENCE = 30  # seconds that a silent client may hold a thread


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
        self._http = _listen(host, port, max_bytes)
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


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for the requests in flight
    request_queue_size = 128
    endpoints: Endpoints

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, max_bytes: int):
        self.address_family = family
        self.max_bytes = max_bytes
        self.idle: set[socket.socket] = set()  # connections that have not sent a request yet
        self.stopping = False
        super().__init__(address, _Handler, bind_and_activate=False)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own asks DNS for the host's name, which may take seconds
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("connection of %s broke", client_address, exc_info=True)  # its client went away

    def hang_up_idle(self) -> None:
        """Ends the connections that have asked nothing, as a browser opens them: a stop need not wait for those."""
        self.stopping = True
        for each in list(self.idle):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RD)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "saccade", ""
    timeout = _PATIENCE
    server: _HTTPServer

    def setup(self) -> None:
        super().setup()
        self.server.idle.add(self.connection)
        if self.server.stopping:
            self.server.hang_up_idle()

    def finish(self) -> None:
        self.server.idle.discard(self.connection)
        super().finish()

    def parse_request(self) -> bool:
        self.server.idle.discard(self.connection)
        return super().parse_request()

    def _handle(self) -> None:
        length = self.headers.get("Content-Length", "0" if self.command != "POST" else "")
        if not length.isdecimal():
            self._send(failure(411, "the request needs a Content-Length header"))
        elif int(length) > self.server.max_bytes:
            limit = self.server.max_bytes / 2**20
            self._send(failure(413, f"the body has {int(length)} bytes; this server takes at most {limit:g} MiB"))
            self._drain(int(length))
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._send(self.server.endpoints.answer(self.command, self.path, body))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _handle  # noqa: N815  http.server's names

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "X-Saccade-Fingerprint": self.server.endpoints.bundle.fingerprint,
            "Connection": "close",  # no idle connection holds up a stop
        }
        for name, value in (headers | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _drain(self, length: int) -> None:
        """Reads a refused body away, so that a client that still sends it gets to read the answer."""
        left = min(length, 4 * self.server.max_bytes)
        while left > 0 and (part := self.rfile.read(min(left, 2**16))):
            left -= len(part)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Errors of HTTP itself, such as a broken request line, in the same form as all others."""
        self.command = self.command or "GET"
        self._send(failure(405 if code == 501 else code, message or self.responses[code][0]))

    def log_message(self, format: str, *args: object) -> None:
        log.debug("%s " + format, self.address_string(), *args)


def _listen(host: str, port: int, max_bytes: int) -> _HTTPServer:
    """A server that has its port and does not listen yet."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server = _HTTPServer((host, port), family, max_bytes)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot serve at host '{host}', port {port}: {error}") from None
    try:
        server.server_bind()
    except (OSError, OverflowError) as error:
        server.server_close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            told = f"port {port} is in use at {host}: stop what uses it, give another port, or 0 for a free one"
        elif isinstance(error, OSError) and error.errno == errno.EACCES:
            told = f"port {port} is not allowed to you (below 1024): give another, such as 8501"
        else:
            told = f"cannot serve at host '{host}', port {port}: {error}"
        raise InputError(told) from None
    return server
