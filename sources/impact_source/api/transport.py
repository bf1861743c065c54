"""How a client connects: through which proxy, trusting whom, and how long it listens to whom it reached.

A time-out of httpx counts from one piece of an answer to the next: a peer that sends a byte now and then is listened to
for ever, be it within the head of an answer, in front of it, behind it, or at the proxy. Here each request has one
deadline, from the connection to the last byte, and every read and write is held to it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import httpcore
import httpx
from typing_extensions import override

from ..errors import ConfigurationError
from ..settings import IN_FLIGHT_MAX, IR_VERSION, Settings


def http_client(
    settings: Settings, timeout: httpx.Timeout, connections: Connections, *, keepalive: int = IN_FLIGHT_MAX
) -> httpx.Client:
    """What speaks HTTP to the account's API, follows nothing, and keeps so many idle connections.

    Raises `ConfigurationError` that names the variable of the environment which cannot be used.
    """
    base = httpx.URL(settings.base_url)
    loopback = base.scheme == "http"  # settings allow plain http for loopback alone
    limits = httpx.Limits(max_connections=IN_FLIGHT_MAX, max_keepalive_connections=keepalive)
    # A proxy has no business with credentials meant for this machine.
    transport = _transport(None if loopback else _proxy(base), limits, trust_env=not loopback)
    transport._pool._network_backend = connections  # noqa: SLF001 - httpcore takes it as an argument, httpx hands on none
    return httpx.Client(
        base_url=settings.base_url,
        auth=httpx.BasicAuth(settings.account_sid, settings.auth_token),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",  # what `transfer` unpacks
            "IR-Version": IR_VERSION,
            "User-Agent": "impact-sync",
        },
        timeout=timeout,
        transport=transport,
        follow_redirects=False,
        trust_env=False,
    )


def _transport(proxy: httpx.Proxy | None, limits: httpx.Limits, *, trust_env: bool) -> httpx.HTTPTransport:
    if trust_env:
        _check_certificates()
    try:
        return httpx.HTTPTransport(proxy=proxy, limits=limits, trust_env=trust_env)
    except ImportError:
        msg = (
            "the environment names a SOCKS proxy (ALL_PROXY or HTTPS_PROXY), for which a package is missing: "
            "pip install socksio, or unset the variable for this command"
        )
        raise ConfigurationError(msg) from None
    except OSError as error:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        msg = f"{name} names no certificates that can be read ({error}): correct it, or unset it"
        raise ConfigurationError(msg) from None


def _check_certificates() -> None:
    """Raise where the environment names certificates that are not there: OpenSSL says nothing, and trusts nobody."""
    for name, there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        if (path := os.environ.get(name)) and not there(Path(path)):
            msg = f"{name} is {path!r}, which does not exist: correct it, or unset it"
            raise ConfigurationError(msg)


def _proxy(base: httpx.URL) -> httpx.Proxy | None:
    """The proxy that the environment names for our one origin; httpx would stumble over an IPv6 range in NO_PROXY."""
    found = getproxies()
    name = next((name for name in (base.scheme, "all") if found.get(name)), None)
    if name is None or proxy_bypass(base.host):
        return None
    address = found[name] if "://" in found[name] else f"http://{found[name]}"
    try:
        return httpx.Proxy(address)
    except (httpx.InvalidURL, ValueError):
        msg = f"{name.upper()}_PROXY is not the address of a proxy: correct it, or unset it for this command"
        raise ConfigurationError(msg) from None


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
        """All that this thread does with connections meanwhile takes so many seconds at the most."""
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
            msg = f"the answer is not there after {self._request.seconds:g} s"
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
        """Take note of a connection that was opened."""
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
