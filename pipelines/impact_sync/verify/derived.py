"""Compares items that were derived from the change feed with their actions' own lists: a sample of each campaign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from impact_source.account import State, claim_warehouse
from impact_source.api.client import Client
from impact_source.errors import ImpactError
from impact_source.items.landing import ItemLander
from impact_source.items.queue import Listing, Status
from impact_source.items.reading import ItemReader
from impact_source.plan.windows import Window
from impact_source.rows.columns import ACTION, ACTION_ID
from impact_source.rows.items import TOLD
from impact_source.rows.landing import Landing
from impact_source.rows.parse import Reader
from impact_source.settings import SPARED
from impact_source.sql import in_utc
from impact_source.warehouse import Warehouse

from .compare import Cell, Difference, Kind, compare
from .findings import Findings
from .sample import Sample, Sampled, draw

_TICK = timedelta(minutes=1)
"""A list may date an adjustment so much later than the change feed does."""
_CHANGED = "select max(update_date) from action_updates where action_id = %s"


class DerivedItems:
    """Checks a sample, and lands the lists that repair it. Close it."""

    def __init__(self, client: Client, warehouse: Warehouse, run_id: str, findings: Findings) -> None:
        self.samples: list[Sample] = []
        """What was compared, of each campaign with derived items."""
        self._client, self._warehouse, self._findings = client, warehouse, findings
        self._lander = ItemLander(warehouse, run_id)
        self._stale: list[str] = []
        self._there = Landing()

    @cached_property
    def _reader(self) -> ItemReader:
        return ItemReader(self._client)

    def close(self) -> None:
        """Abandon pending requests; the client then sends no more."""
        if "_reader" in self.__dict__:
            self._reader.close()

    def check(self, campaigns: dict[str, Window]) -> None:
        """Compare a sample of each campaign, of actions with their EventDate in its window, within the hourly limit."""
        settings, held = self._client.settings, self._warehouse.holds
        if settings.items == "off":
            return
        if not (held("action_items", "known_by") and held("item_fetches", "changes") and held("action_updates")):
            return
        drawn: dict[str, Sampled] = {}
        listings: list[Listing] = []
        with self._client.budget.sparing(SPARED, most=settings.items_max_requests, wait=False):
            for id_, window in campaigns.items():
                if sample := draw(self._warehouse, id_, window, self._findings.differences):
                    drawn |= sample
                    listings += self._read(id_, window, sample)
            self._compare(listings, drawn)

    @property
    def unread(self) -> int:
        """Sampled actions whose lists could not be read."""
        return sum(one.drawn - one.read for one in self.samples)

    @property
    def compared(self) -> int:
        """Actions whose items were compared with their lists."""
        return sum(one.read for one in self.samples)

    @property
    def reason(self) -> str:
        """Why lists could not be read, of the first campaign of which some were not."""
        return next((one.reason for one in self.samples if one.reason), "")

    @property
    def repairs(self) -> bool:
        """Whether there are lists to land."""
        return bool(self._stale)

    @property
    def items(self) -> Landing:
        """All items of the actions that differ, as their lists say."""
        rejected = [row for row in self._there.rejected if row.get("action_id") in self._stale]
        return Landing(items=self._only(self._there.items), rejected=rejected)

    def package(self, state: State) -> Iterator[Landing]:
        """Their rows of `item_fetches`: once the items have landed, because these rows vouch for them."""
        claim_warehouse(state, self._client.settings)
        yield Landing(fetches=self._only(self._there.fetches))

    @property
    def is_repaired(self) -> bool:
        """Whether the warehouse now holds what the lists say."""
        there, here = self._only(self._there.items), self._held(self._stale)
        if there is None:
            return True
        return all(_lines(there, id_) == _lines(here, id_) for id_ in self._stale)

    def _read(self, campaign_id: str, window: Window, sample: dict[str, Sampled]) -> list[Listing]:
        """Read the lists of a campaign's sample, and record how many of them could be."""
        before = self._client.budget.spent
        found = list(self._reader.read(one.queued for one in sample.values()))
        listed = [listing for listing in found if listing.status == Status.LISTED]
        sent = self._client.budget.spent - before
        reason = self._why_not(found, sent) if len(listed) < len(sample) else None
        self.samples.append(Sample(campaign_id, window, len(sample), len(listed), sent, reason))
        return listed

    def _why_not(self, found: Sequence[Listing], sent: int) -> str:
        """Why not all lists of a sample were read, for which so many requests were sent."""
        most = self._client.settings.items_max_requests
        if most is not None and sent + sum(one.requests for one in self.samples) >= most:
            return f"sources.impact.items_max_requests allows {most:,} requests: raise it"
        failed = (listing.reason for listing in found if listing.reason)
        return next(failed, str(self._reader.stopped or "the API does not know these actions"))

    def _compare(self, listings: Sequence[Listing], sample: dict[str, Sampled]) -> None:
        ids = [listing.queued.action_id for listing in listings]
        self._there, here = self._lander.land(listings), self._held(ids)
        for id_ in ids:
            there, mine = _lines(self._there.items, id_), _lines(here, id_)
            if there == mine or self._is_newer(id_):
                continue
            self._stale.append(id_)
            cell = Cell("items", _words(mine, there), _words(there, mine))
            one = sample[id_]
            self._findings.items_differ(
                Difference(one.queued.campaign_id, id_, Kind.STALE, one.event_date, cells=(cell,))
            )

    def _is_newer(self, action_id: str) -> bool:
        """Whether an action, or its items, may have changed since the last sync."""
        if (items := _of(self._there.items, action_id)) is not None and "adjustment_date" in items.column_names:
            adjusted = pc.max(items["adjustment_date"]).as_py()
            changed = in_utc(self._warehouse.rows(_CHANGED, action_id)[0][0])
            if adjusted is not None and changed is not None and adjusted > changed + _TICK:
                return True
        try:
            answer = self._client.action(action_id)
        except ImpactError:  # gone, or not known just now: nothing that could be held against the items
            return True
        rows = Reader(ACTION).read(b"[" + answer.value + b"]", answer.read_at).table
        return not len(compare(rows, self._warehouse.actions(rows["id"])).same)

    def _held(self, ids: Sequence[str]) -> pa.Table | None:
        return self._warehouse.lookup("action_items", ACTION_ID.name, pa.chunked_array([ids], pa.string()))

    def _only(self, rows: pa.Table | None) -> pa.Table | None:
        """Those of the rows that belong to actions that differ."""
        if rows is None:
            return None
        return rows.filter(pc.is_in(rows[ACTION_ID.name], value_set=pa.array(self._stale, pa.string())))


_Line = dict[str, Any]


def _of(items: pa.Table | None, action_id: str) -> pa.Table | None:
    return None if items is None else items.filter(pc.equal(items[ACTION_ID.name], action_id))


def _lines(items: pa.Table | None, action_id: str) -> dict[str, _Line]:
    """What the change feed says, or would say, of an action's items, by Sku."""
    mine = _of(items, action_id)
    rows = [] if mine is None else mine.to_pylist()
    return {row["sku"]: {name: row.get(name) for name in TOLD} for row in rows if not row.get("removed")}


def _words(lines: dict[str, _Line], others: dict[str, _Line]) -> str | None:
    """The items that the others are not, in words; None if there is none."""
    said = [
        f"{one['quantity']} x {sku or '(no Sku)'} for {_money(one, 'sale_amount')}, payout {_money(one, 'payout')}, "
        f"category {one['category'] or '(none)'}"
        for sku, one in sorted(lines.items())
        if one != others.get(sku)
    ]
    return "; ".join(said) or None


def _money(line: _Line, name: str) -> str:
    value, currency = line[name], line[f"{name}_currency"]
    return "-" if value is None else f"{value.normalize():f} {currency or ''}".rstrip()
