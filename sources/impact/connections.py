"""How a client connects, and its sockets: a thread that waits for an answer can be told that nobody wants it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any
from weakref import WeakSet

import httpx

from sources.impact.settings import IN_FLIGHT_MAX, IR_VERSION, Settings

_OPENED = ("connect_tcp.complete", "start_tls.complete")


def http_client(settings: Settings, timeout: httpx.Timeout, *, keepalive: int = IN_FLIGHT_MAX) -> httpx.Client:
    """What speaks HTTP to the account's API, follows nothing, and keeps so many idle connections."""
    loopback = httpx.URL(settings.base_url).scheme == "http"  # settings allow plain http for loopback alone
    return httpx.Client(
        base_url=settings.base_url,
        auth=httpx.BasicAuth(settings.account_sid, settings.auth_token),
        headers={"Accept": "application/json", "IR-Version": IR_VERSION, "User-Agent": "impact-sync"},
        timeout=timeout,
        limits=httpx.Limits(max_connections=IN_FLIGHT_MAX, max_keepalive_connections=keepalive),
        follow_redirects=False,
        trust_env=not loopback,  # a proxy has no business with credentials meant for this machine
    )


class Connections:
    """Ends reads that are under way, which closing a client does not. `watch` is the trace function of requests."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._ended = False
        self._lock = threading.Lock()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Take note of a socket when it was opened."""
        if event.endswith(_OPENED):  # through a proxy they have another prefix
            opened = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(opened)
            if self._ended:
                self.end()

    def end(self) -> None:
        """Shut down every connection, now and later: whoever reads from one gets an error at once."""
        self._ended = True
        with self._lock:
            for opened in list(self._sockets):
                with contextlib.suppress(OSError):  # closed meanwhile, or handed over to TLS
                    opened.shutdown(socket.SHUT_RDWR)


def drop(response: httpx.Response) -> None:
    """Have the connection of an answer not used again: what comes on it next may be the rest of this one."""
    with contextlib.suppress(OSError):
        response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
