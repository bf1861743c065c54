"""Changes leave once: one request, one attempt, and an error that says whether it can have taken effect."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

import httpx

from sources.impact import protocol
from sources.impact.client import Answer, Client, Patience
from sources.impact.connections import Connections, http_client
from sources.impact.errors import ImpactError, InvalidAnswer, OutcomeUnknown, Unavailable
from sources.impact.transfer import fetch
from sources.impact.writing import Queued, Write, read_queued

_BODY_MAX = 1 << 20
"""Bytes: an answer to a change is a few lines."""
_LEAVES = "send_request_headers.started"
"""The event from which on the API may have heard of a request."""


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
        self._path = f"/Advertisers/{quote(settings.account_sid, safe='')}/Actions"

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, write: Write, *, before: Callable[[], None] = lambda: None) -> Answer[Queued]:
        """Send a change, once. `before` is called when nothing is left to do but to send it: what it raises stops that.

        Raises `BudgetSpent` before `before`; `Unavailable` if it never left this machine; `OutcomeUnknown` if it may
        have taken effect; and what says that it was turned away: see `read_queued`.
        """
        sid, masked = self._client.settings.account_sid, self._client.settings.masked_sid
        try:
            self._client.budget.take()
            return self._send_once(write, before)
        except ImpactError as error:
            error.args = tuple(str(part).replace(sid, masked) for part in error.args)
            raise

    def _send_once(self, write: Write, before: Callable[[], None]) -> Answer[Queued]:
        left = False

        def watch(event: str, _: dict[str, Any]) -> None:
            nonlocal left
            left = left or event.endswith(_LEAVES)

        limits, refused = protocol.Limits(), False
        request = self._http.build_request(write.method, self._path, data=write.form(), extensions={"trace": watch})
        try:
            before()
            began = time.monotonic()
            response, body = fetch(self._http, request, self._connections, seconds=self._patience.whole, most=_BODY_MAX)
            limits, refused = protocol.read_limits(response.headers), response.status_code == 429  # noqa: PLR2004
        except (httpx.HTTPError, InvalidAnswer) as error:
            msg = f"{self._http.base_url.host} gives no answer ({type(error).__name__}: {error})"
            if not left:
                raise Unavailable(msg) from None
            raise OutcomeUnknown(msg) from None
        finally:
            self._client.budget.hear(limits, refused=refused)
        if response.status_code == protocol.HTTP_OK:
            self._client.clock.hear(protocol.read_date(response.headers))
        arrived = time.monotonic()
        queued = read_queued(response.status_code, response.headers, body)
        return Answer(queued, self._client.clock.now(), arrived, seconds=arrived - began)
