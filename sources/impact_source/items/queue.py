"""Which actions' items to request, in which order: derived from the warehouse, stored nowhere else.

An action waits if its items were never read, or if what affects items has changed since: its amounts (a mere change of
state does not), or an update that changed none of its fields, which the sync records in `item_fetches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from string import Template
from typing import Any

from ..plan.gone import EVERY_RUN_FOR, THEN_EVERY
from ..warehouse import Warehouse


class Status(StrEnum):
    """How requesting an action's items ended."""

    LISTED = "listed"
    NOT_FOUND = "not found"
    """The API knows no such action, or a lagging replica said so: requested again by every run for some days after
    the action changed, then rarely."""
    REJECTED = "rejected"
    """An item could not be typed: the next run requests it again."""
    FAILED = "failed"
    """No valid answer came: the next run requests it again."""


_AMOUNTS = ("amount", "delta_amount", "payout", "delta_payout")
_FINGERPRINT = " || '|' || ".join(
    [*(f"coalesce(cast(a.{amount} as varchar), '')" for amount in _AMOUNTS), "coalesce(a.currency, '')"]
)
STATE = Template(files(__package__).joinpath("state.sql").read_text()).substitute(fingerprint=f"({_FINGERPRINT})")
"""Whether each action's items are current, in DuckDB's dialect."""
_WAITING = "items in ('missing', 'outdated')"
_NOT_FOUND_DUE = f"""
(items = '{Status.NOT_FOUND}' and (
    fetched_at < %s
    or exists (
        select 1 from actions a
        where a.id = s.action_id and s.fetched_at < a.synced_at + interval '{EVERY_RUN_FOR.days} days'
    )
))
"""
# Wrong items before missing ones, actions that can still change before final ones: people look at and act on those.
_RANK = f"""
case
    when items = '{Status.NOT_FOUND}' then 6
    when status in ('{Status.REJECTED}', '{Status.FAILED}') then 5
    when open_until > %s then case when items = 'outdated' then 1 else 2 end
    when items = 'outdated' then 3
    else 4
end
"""
_TAKE = f"""
select action_id, campaign_id, fingerprint, status, fetched_at, coalesce(failure, fetched_fingerprint), {_RANK} as rank
from ({{state}}) s where ({_WAITING} or {{not_found}}) {{campaigns}}
order by
    rank, coalesce(abs(amount), 0) desc, case when event_date is null then 1 else 0 end, event_date desc, action_id
limit {{limit}}
"""
_COUNT = f"select count(*) from ({{state}}) s where ({_WAITING} or {{not_found}}) {{campaigns}}"
_COVERAGE = """
select currency, items, count(*), sum(amount) from ({state}) s where 1 = 1 {campaigns} group by currency, items
"""


@dataclass(frozen=True)
class Queued:
    """An action that waits: its current fingerprint, and its last row in `item_fetches` (`was`, empty if none)."""

    action_id: str
    campaign_id: str
    fingerprint: str
    status: str | None = None
    was: str = ""


@dataclass(frozen=True)
class Listing:
    """The answer for a queued action's items: `pages` are JSON lists, as they came; `reason` is why there are none."""

    queued: Queued
    status: str
    read_at: datetime
    pages: tuple[bytes, ...] = ()
    reason: str = ""


@dataclass
class Coverage:
    """How far items are known: numbers of actions; by currency, the total amount and the amount with current items."""

    current: int = 0
    outdated: int = 0
    missing: int = 0
    not_found: int = 0
    amounts: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @property
    def actions(self) -> int:
        """All actions."""
        return self.current + self.waiting + self.not_found

    @property
    def waiting(self) -> int:
        """Actions whose items are still to be read."""
        return self.outdated + self.missing

    @property
    def share(self) -> float:
        """Share of actions with current items, among those that the API knows."""
        known = self.current + self.waiting
        return self.current / known if known else 1.0

    @property
    def amount_shares(self) -> dict[str, float]:
        """Share of the amount with current items, by currency."""
        return {currency: float(known / all_) for currency, (all_, known) in sorted(self.amounts.items()) if all_}


class ItemQueue:
    """The actions whose items wait: of some campaigns, or of all if none are given."""

    def __init__(self, warehouse: Warehouse, campaigns: Iterable[str] = ()) -> None:
        self._warehouse = warehouse
        self._campaigns = tuple(campaigns)

    @property
    def ready(self) -> bool:
        """Whether the warehouse has what the queue is derived from: after its first sync."""
        return self._warehouse.holds() and self._warehouse.holds("item_fetches")

    def take(self, limit: int, now: datetime) -> list[Queued]:
        """The first `limit` actions, most valuable first.

        Changed and still open; never read and still open; changed and locked; never read and locked; failed before;
        last those that the API did not know. Within each the largest amount first, then the latest event.
        """
        if not self.ready or limit < 1:
            return []
        sql, params = self._fill(_TAKE, limit=limit)
        not_found = now - THEN_EVERY
        return [
            Queued(action_id, campaign_id, fingerprint, status, f"{at} {fetched}" if at else "")
            for action_id, campaign_id, fingerprint, status, at, fetched, _ in self._warehouse.rows(
                sql, now, not_found, *params
            )
        ]

    def length(self, now: datetime) -> int:
        """How many actions wait."""
        if not self.ready:
            return 0
        sql, params = self._fill(_COUNT)
        return int(self._warehouse.rows(sql, now - THEN_EVERY, *params)[0][0])

    def coverage(self) -> Coverage:
        """How far items are known."""
        found = Coverage()
        if not self.ready:
            return found
        sql, params = self._fill(_COVERAGE)
        for currency, state, count, amount in self._warehouse.rows(sql, *params):
            name = state.replace(" ", "_")
            setattr(found, name, getattr(found, name) + count)
            if state != "not found":
                all_, known = found.amounts.get(currency or "", (Decimal(0), Decimal(0)))
                sum_ = amount or Decimal(0)
                found.amounts[currency or ""] = (all_ + sum_, known + (sum_ if state == "current" else 0))
        return found

    def _fill(self, sql: str, **parts: Any) -> tuple[str, Iterator[str]]:  # noqa: ANN401 - whatever SQL takes
        campaigns = f"and campaign_id in ({', '.join(['%s'] * len(self._campaigns))})" if self._campaigns else ""
        return sql.format(state=STATE, not_found=_NOT_FOUND_DUE, campaigns=campaigns, **parts), iter(self._campaigns)
