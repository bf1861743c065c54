"""Sends each change once: one request, one attempt, and an error that says whether it can have taken effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self

import httpx

from ..errors import NotSent, OutcomeUnknown
from .changes import FORM, Request
from .client import Client, encode_segment
from .submissions import Queued, read_queued
from .wire import Answer, Heard, Patience, Wire, as_read

_BODY_MAX = 1 << 20
"""Bytes: the answer to a change is a few lines."""
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The errors that cannot occur after a byte of a change was sent. After any other, it may have left."""


class Writer:
    """Sends changes within the budget of `client`, which reads everything else. Close it, or use it as a context.

    Each change has its own connection: one that was kept may be dead, and then nobody knows whether a change was lost
    with it.
    """

    def __init__(self, client: Client, *, patience: Patience | None = None) -> None:
        self._masked, self._budget = client.settings.masked, client.budget
        self._wire = Wire(client.settings, client.clock, client.budget, patience or Patience(), keepalive=0)
        self._path = f"/Advertisers/{encode_segment(client.settings.account_sid)}/Actions"

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def send(self, change: Request, *, before: Callable[[], None] = lambda: None) -> Answer[Queued]:
        """Send a change, once. `before` is called right before the request is sent; if it raises, nothing is sent.

        Raises `BudgetSpent` before `before`; `NotSent` if it never left this machine; `OutcomeUnknown` if it may have
        taken effect; and the errors of a refusal: see `read_queued`.
        """
        with self._masked.errors():
            self._budget.take()
            try:
                before()
            except BaseException:
                self._budget.hear()
                raise
            return self._exchange(change).read(read_queued, as_read)

    def _exchange(self, change: Request) -> Heard:
        """The answer to a change. Raises `NotSent`, or `OutcomeUnknown` if anything is uncertain."""
        content, headers = change.form.encode(), {"Content-Type": FORM}
        request = self._wire.http.build_request(change.method, self._path, content=content, headers=headers)
        try:
            return self._wire.exchange(request, _BODY_MAX).unpacked()
        except _NOT_SENT as error:
            raise NotSent(self._wire.describe_failure(error)) from None
        except Exception as error:  # noqa: BLE001 - any other error may come after it has left
            raise OutcomeUnknown(self._wire.describe_failure(error)) from None
