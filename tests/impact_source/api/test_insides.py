"""Internals of libraries that we rely on: each test says what breaks if one is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
import pytest
from impact_source.api.connections import Connections
from impact_source.api.transport import build_http_client
from impact_source.settings import Settings
from typing_extensions import override


class Counting(Connections):
    """Counts the connections that it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[tuple[str, int]] = []

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.opened.append((host, port))
        return super().connect_tcp(host, port, timeout, local_address, socket_options)


@pytest.mark.parametrize("proxied", [False, True])
def test_httpx_connects_through_our_own_backend(monkeypatch: pytest.MonkeyPatch, proxied: bool) -> None:  # noqa: FBT001
    """No backend can be passed to httpx, so `build_http_client` sets `_pool._network_backend` of its transport.

    If this fails, httpx or httpcore has renamed one of the two. Then no request has a deadline (a peer that drips is
    listened to for ever), and Ctrl-C waits for answers. In that case write a transport on httpcore's own connection
    pool.
    """
    url = "http://127.0.0.1:9"  # where nothing listens
    if proxied:
        monkeypatch.setenv("HTTPS_PROXY", url)
        url = "https://api.invalid"
    connections = Counting()
    with (
        build_http_client(Settings("sid", "token", base_url=url), httpx.Timeout(5), connections) as http,
        pytest.raises(httpx.ConnectError),
    ):
        http.get("/")
    assert connections.opened == [("127.0.0.1", 9)]
