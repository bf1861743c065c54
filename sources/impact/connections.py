"""The sockets of a client, so that a thread that waits for an answer can be told that nobody wants it any more."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any
from weakref import WeakSet

import httpx

_OPENED = ("connect_tcp.complete", "start_tls.complete")


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
