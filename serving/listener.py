"""HTTP between the sockets and the endpoints: threads, limits, and an orderly end."""

import array
import errno
import logging
import socket
import struct
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from ..models.errors import InputError
from .endpoints import Answer, Endpoints, failure

log = logging.getLogger("saccade")

_PATIENCE = 30  # seconds that a silent client may hold a thread
_SO_ATTACH_FILTER = 26
_GRACE = 1  # seconds in which a client that has connected before a stop may still send its request


class Listener(ThreadingHTTPServer):
    """Accepts connections, a thread each.

    Attributes:
        endpoints: what is answered; to be set before it listens.
    """

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

    def finish(self) -> None:
        """Answers all that has been accepted, the connections included that the system has accepted for this process,
        and takes no other; to be called when `serve_forever` has ended."""
        _refuse_new(self.socket)
        self.socket.setblocking(False)
        while True:
            try:
                connection, address = self.get_request()
            except OSError:  # no further one
                break
            try:
                self.process_request(connection, address)
            except Exception:
                self.handle_error(connection, address)
                self.shutdown_request(connection)
        self.socket.close()
        end = time.monotonic() + _GRACE
        while self.idle and time.monotonic() < end:
            time.sleep(0.02)
        self.hang_up_idle()
        self.server_close()

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
    server: Listener

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


def _refuse_new(listening: socket.socket) -> None:
    """Lets no further connection begin, so that none comes between the last that is accepted and the end: the system
    would reset it. Where this is not possible, only that moment is left.

    Linux drops what a filter on the socket drops (Documentation/networking/filter.rst): packets with TCP's flag SYN,
    bit 1 of byte 13. Connections that have begun come to their end within milliseconds.
    """
    if sys.platform != "linux":
        return
    load_flags, if_syn, drop, keep = (0x30, 0, 0, 13), (0x45, 0, 1, 2), (0x06, 0, 0, 0), (0x06, 0, 0, 2**32 - 1)
    code = array.array("B", b"".join(struct.pack("HBBI", *each) for each in (load_flags, if_syn, drop, keep)))
    with suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 4, code.buffer_info()[0]))
        time.sleep(0.05)


def listen(host: str, port: int, max_bytes: int) -> Listener:
    """Takes a port, and does not listen at it yet; raises InputError where it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server = Listener((host, port), family, max_bytes)
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
