"""What a verification has found so far: counts by campaign and month, differences, rows that repair them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from impact_source.actions.events import Batch
from impact_source.rows.ledger import Row, back, finding, rejected_row

from .compare import Compared, Difference, months, only

Count = Counter[str]
"""How many actions are verified, missing, stale, gone, newer."""


class Findings:
    """Collects the findings, campaign by campaign, by months of a time zone."""

    def __init__(self, zone: ZoneInfo, run_id: str) -> None:
        self._zone, self._run_id = zone, run_id
        self.counts: dict[tuple[str, str | None], Count] = {}
        """By campaign and month of the zone."""
        self.differences: dict[str, Difference] = {}
        """By id."""
        self.repairs: list[pa.Table] = []
        """The API's rows for missing and stale actions."""
        self.rejected: set[str] = set()
        """Records that could not be typed, by id or as they came."""
        self.back: dict[str, str] = {}
        """Actions that were gone and are back, with their campaign."""
        self.asked_again: set[str] = set()
        """Acknowledged gone actions that were requested once more."""
        self.misfits: dict[str, Row] = {}
        """The row of `rejected_records`, by id, for actions compared without a value that does not fit its column."""
        self.unexpected = 0
        """Actions from before the configured start, which no sync would load."""

    def add(self, campaign_id: str, rows: pa.Table, what: str) -> None:
        """Count rows by their months."""
        for month, number in months(rows, self._zone).items():
            self._count(campaign_id, month)[what] += number

    def receive(self, batch: Batch, gone: Collection[str]) -> None:
        """Record what did not become a row, and which of the `gone` actions are back."""
        self.rejected |= {record.id or record.raw for record in batch.records.rejected}
        met = set(gone).intersection(batch.ids.to_pylist()) if gone else ()
        self.back |= dict.fromkeys(met, batch.reading.campaign_id)
        origin = batch.origin(self._run_id)
        self.misfits |= {record.id or "": rejected_row(record, origin) for record in batch.records.misfits}

    def newer(self, one: Difference) -> None:
        """Count an action that changed since the last sync."""
        self._count(one.campaign_id, one.month(self._zone))["newer"] += 1

    def report(self, found: list[Difference], at_api: Compared | None = None) -> None:
        """Record real differences; the rows that repair them are among those `at_api`."""
        for one in found:
            if one.action_id not in self.differences:  # otherwise it was already met under its own campaign
                self.differences[one.action_id] = one
                self._count(one.campaign_id, one.month(self._zone))[one.kind.value] += 1
        if at_api is not None and found:
            self.repairs.append(only(at_api.differing, [one.action_id for one in found]))

    def items_differ(self, one: Difference) -> None:
        """Record an action whose own row is the same, but not its derived items."""
        self.differences[one.action_id] = one
        counted = self._count(one.campaign_id, one.month(self._zone))
        counted["verified"] = max(0, counted["verified"] - 1)
        counted[one.kind.value] += 1

    def rows(self, at: datetime, *, repaired: bool) -> Iterator[dict[str, Any]]:
        """The rows of `verify_results`: one for each action; a stale one has a row for each column that differs."""
        for one in self.differences.values():
            if one.acknowledged and one.action_id not in self.asked_again:
                continue
            what = (self._run_id, one.campaign_id, one.action_id, one.kind.value, at)
            if not one.cells:
                yield finding(*what, month=one.month(self._zone), repaired=repaired or one.acknowledged)
            for cell in one.cells:
                values: dict[str, Any] = {"column": cell.column, "here": cell.here, "there": cell.there}
                yield finding(*what, month=one.month(self._zone), repaired=repaired, **values)
        for action_id, campaign_id in self.back.items():
            yield back(self._run_id, campaign_id, action_id, at)

    def _count(self, campaign_id: str, month: str | None) -> Count:
        return self.counts.setdefault((campaign_id, month), Counter())
