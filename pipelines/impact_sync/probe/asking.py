"""Sends the probe's requests: GETs alone, at most `MOST` of them, within the hourly limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from impact_source.api.client import Client
from impact_source.api.protocol import Body
from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window, instant, round_second
from impact_source.settings import PAGE_SIZE_MIN

from .form import Heard, hear
from .rows import Listing, read_listing

MOST: Final = 30
"""Requests that a probe may send, repeated ones and the list of campaigns included."""
_ATTEMPTS: Final = 2
"""A request that fails is sent once more: what stays without an answer costs its own question alone."""


class Asker:
    """Asks one account for lists, and keeps what their answers say besides their rows.

    Every method raises what `Client` does, `BudgetSpent` included.
    """

    def __init__(self, client: Client, on_request: Callable[[int], None] = lambda _: None) -> None:
        self._client, self._on_request = client, on_request
        self.heard: list[Heard] = []
        """What each answer said of the request limit."""
        self.alone: list[bool] = []
        """For each list of one row: whether it came as an object."""

    @property
    def now(self) -> datetime:
        """The time by the servers' clock, in whole seconds: bounds need not be finer."""
        return round_second(self._client.clock.now())

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return self._client.budget.spent

    @property
    def status(self) -> int:
        """The status of the latest answer."""
        return self.heard[-1].status

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Within the block the budget lets at most `MOST` requests go, and does not wait for the limit to reset."""
        with self._client.budget.sparing(0.0, most=MOST, wait=False):
            yield

    def campaigns(self) -> Listing:
        """The account's campaigns; sets the clock."""
        found = self._list(("Campaigns",), "Campaigns")
        self._client.settle_clock()
        return found

    def actions(
        self, campaign_id: str, windows: Mapping[Axis, Window], size: int = PAGE_SIZE_MIN, state: str = ""
    ) -> Listing:
        """The first page of a campaign's actions whose dates lie in these windows, bounds sent to the millisecond."""
        return self._list(("Actions",), "Actions", params=_query(campaign_id, windows, size, state))

    def updates(self, campaign_id: str, windows: Mapping[Axis, Window], size: int = PAGE_SIZE_MIN) -> Listing:
        """The first page of a campaign's change feed."""
        return self._list(("ActionUpdates",), "ActionUpdates", params=_query(campaign_id, windows, size))

    def items(self, action_id: str) -> Listing:
        """The items of an action."""
        return self._list(("ActionItems", "Items"), "Actions", action_id, "Items")

    def _list(self, keys: tuple[str, ...], *path: str, params: Mapping[str, str] | None = None) -> Listing:
        def read(status: int, headers: Mapping[str, str], body: Body) -> Listing:
            self.heard.append(hear(status, headers))
            return read_listing(keys, status, headers, body)

        try:
            found = self._client.ask(read, *path, params=params, attempts=_ATTEMPTS).value
        finally:
            self._on_request(self.sent)
        if len(found.rows) == 1:
            self.alone.append(found.alone)
        return found


def _query(campaign_id: str, windows: Mapping[Axis, Window], size: int, state: str = "") -> dict[str, str]:
    bounds = {
        name: instant(end)
        for axis, window in windows.items()
        for name, end in zip(axis.value, window.ends, strict=True)
    }
    return {"CampaignId": campaign_id, **bounds, **({"State": state} if state else {}), "PageSize": str(size)}
