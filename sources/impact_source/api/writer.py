"""Changes leave once: one request, one attempt, and an error that says whether it can have taken effect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Self

import httpx

from ..errors import NotSent, OutcomeUnknown
from . import protocol
from .changes import FORM, Queued, Request, read_queued
from .client import Answer, Client, Patience, segment
from .transfer import fetch
from .transport import Connections, http_client

_BODY_MAX = 1 << 20
"""Bytes: an answer to a change is a few lines."""
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The errors that cannot come after a byte of a change was sent. Whatever else goes wrong, it may have left."""


class Writer:
    """Sends changes within the budget of `client`, which reads everything else. Close it, or use it as a context.

    Each change goes over a connection of its own: one that was kept may be dead, and whether a change was lost with it
    nobody could tell.
    """

    def __init__(self, client: Client, *, patience: Patience = Patience()) -> None:  # noqa: B008 - it is immutable
        self._client, self._patience = client, patience
        settings = client.settings
        self._connections = Connections()
        self._http = http_client(settings, patience.timeout, self._connections, keepalive=0)
        self._path = f"/Advertisers/{segment(settings.account_sid)}/Actions"

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, change: Request, *, before: Callable[[], None] = lambda: None) -> Answer[Queued]:
        """Send a change, once. `before` is called when nothing is left to do but to send it: what it raises stops that.

        Raises `BudgetSpent` before `before`; `NotSent` if it never left this machine; `OutcomeUnknown` if it may
        have taken effect; and what says that it was turned away: see `read_queued`.
        """
        with self._client.settings.masked.errors():
            self._client.budget.take()
            return self._send_once(change, before)

    def _send_once(self, change: Request, before: Callable[[], None]) -> Answer[Queued]:
        limits, refused = protocol.Limits(), False
        body = change.form.encode()
        request = self._http.build_request(change.method, self._path, content=body, headers={"Content-Type": FORM})
        try:
            before()
            began = time.monotonic()
            response, answer = self._fetch(request)
            limits, refused = protocol.read_limits(response.headers), response.status_code == 429  # noqa: PLR2004
        finally:
            self._client.budget.hear(limits, refused=refused)
        if response.status_code == protocol.HTTP_OK:
            self._client.clock.hear(protocol.read_date(response.headers))
        arrived = time.monotonic()
        queued = read_queued(response.status_code, response.headers, answer)
        return Answer(queued, self._client.clock.now(), arrived, seconds=arrived - began)

    def _fetch(self, request: httpx.Request) -> tuple[httpx.Response, bytearray]:
        """The answer to a change, with its body. Raises `NotSent`, or `OutcomeUnknown` for all that is not certain."""
        try:
            return fetch(self._http, request, self._connections, seconds=self._patience.whole, most=_BODY_MAX)
        except _NOT_SENT as error:
            raise NotSent(self._no_answer(error)) from None
        except Exception as error:  # noqa: BLE001 - an error that nobody thought of may come after it left, too
            raise OutcomeUnknown(self._no_answer(error)) from None

    def _no_answer(self, error: Exception) -> str:
        return f"{self._http.base_url.host} gives no answer ({type(error).__name__}: {error})"
