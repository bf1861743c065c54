"""Bounds how long a client listens to its peer.

A time-out of httpx counts from one piece of an answer to the next: a peer that sends a byte now and then is listened to
for ever, whether within the headers, before or after them, or at the proxy. Here each request has one deadline, from
the connection to the last byte, and every read and write is held to it.
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
    """Opens connections, holds their users to a deadline, and can end them all.

    Closing a client does not end a read that is under way; `end` does. Safe between threads.
    """

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._ended = False
        self._lock = threading.Lock()
        self._request = threading.local()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Within the block, all that this thread does with connections takes no more than so many seconds."""
        self._request.until, self._request.seconds = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            del self._request.until

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
        """A time-out that does not outlast the deadline. Raises `late` if that has passed."""
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
        """Hold an opened connection to the deadlines."""
        with self._lock:
            self._sockets.add(stream.get_extra_info("socket"))
        if self._ended:
            self.end()
        return _Held(stream, self)

    def end(self) -> None:
        """Shut down every connection, now and later: any read from one fails at once."""
        self._ended = True
        with self._lock:
            for opened in list(self._sockets):
                _shut(opened)


class _Held(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of its user."""

    def __init__(self, stream: httpcore.NetworkStream, connections: Connections) -> None:
        self._stream, self._connections = stream, connections

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._stream.read(max_bytes, self._connections.left(timeout, httpcore.ReadTimeout))
        except httpcore.ReadTimeout:
            self._connections.left(timeout, httpcore.ReadTimeout)  # raises its own message if the deadline has passed
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
        # Python bounds the complete handshake; httpcore, for TLS within TLS, only each piece of it.
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
    with contextlib.suppress(OSError):  # already closed, or handed over to TLS
        opened.shutdown(socket.SHUT_RDWR)


def drop(response: httpx.Response) -> None:
    """Keep the connection of an answer from being reused: what comes next on it may be the rest of this answer."""
    with contextlib.suppress(OSError):
        response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
