"""How long a client listens to whom it reached.

A time-out of httpx counts from one piece of an answer to the next: a peer that sends a byte now and then is listened to
for ever, be it within the head of an answer, in front of it, behind it, or at the proxy. Here each request has one
deadline, from the connection to the last byte, and every read and write is held to it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakSet

import httpcore
import httpx
from typing_extensions import override


class Connections(httpcore.NetworkBackend):
    """Opens connections, holds those who use them to their deadline, and can end them all.

    Closing a client ends no read that is under way; `end` does. Safe between threads.
    """

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._ended = False
        self._lock = threading.Lock()
        self._request = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All that this thread does with connections meanwhile takes no more than so many seconds."""
        self._request.until, self._request.seconds = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            del self._request.until

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
        """A time-out that does not outlast the deadline. Raises `late` when that has passed."""
        until: float | None = getattr(self._request, "until", None)
        if until is None:
            return timeout
        if (seconds := until - time.monotonic()) <= 0:
            msg = f"no complete answer after {self._request.seconds:g} s"
            raise late(msg)
        return seconds if timeout is None else min(timeout, seconds)

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        timeout = self.left(timeout, httpcore.ConnectTimeout)
        return self.keep(self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    def keep(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        """Hold a connection that was opened to the deadlines."""
        with self._lock:
            self._sockets.add(stream.get_extra_info("socket"))
        if self._ended:
            self.end()
        return _Held(stream, self)

    def end(self) -> None:
        """Shut down every connection, now and later: whoever reads from one gets an error at once."""
        self._ended = True
        with self._lock:
            for opened in list(self._sockets):
                _shut(opened)


class _Held(httpcore.NetworkStream):
    """A connection whose reads and writes end with the deadline of whoever uses it."""

    def __init__(self, stream: httpcore.NetworkStream, connections: Connections) -> None:
        self._stream, self._connections = stream, connections

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._stream.read(max_bytes, self._connections.left(timeout, httpcore.ReadTimeout))
        except httpcore.ReadTimeout:
            self._connections.left(timeout, httpcore.ReadTimeout)  # says so if it is the deadline that has passed
            raise

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._connections.left(timeout, httpcore.WriteTimeout))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = self._connections.left(timeout, httpcore.ConnectTimeout)
        # Python bounds a handshake as a whole, but httpcore's own, of TLS within TLS, by each piece of it.
        watchdog = threading.Timer(timeout or 0, _shut, [self._stream.get_extra_info("socket")])
        watchdog.daemon = True
        if timeout is not None:
            watchdog.start()
        try:
            return self._connections.keep(self._stream.start_tls(ssl_context, server_hostname, timeout))
        finally:
            watchdog.cancel()

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed meanwhile, or handed over to TLS
        opened.shutdown(socket.SHUT_RDWR)


def drop(response: httpx.Response) -> None:
    """Have the connection of an answer not used again: what comes on it next may be the rest of this one."""
    with contextlib.suppress(OSError):
        response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
