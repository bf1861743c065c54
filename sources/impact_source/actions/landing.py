"""Batches become rows to write: those that changed, a tally, and what the run still has to request.

Each batch is compared with what the warehouse holds and with what this load package already carries, so that rows
which did not change are not written again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ..plan.passes import Pass
from ..rows.diff import Tally, changed_rows, new_rows
from ..rows.items import DERIVED, outdate
from ..rows.landing import Landing, seen_by
from ..rows.ledger import Row, back, finding, rejected_row, rejected_update_row, resolved_row
from ..rows.parse import Rejected, without_nul
from ..settings import LATE
from ..warehouse import Warehouse
from .events import Batch
from .freshness import Carried, Freshness
from .watch import Watch


class Lander:
    """Takes the batches of one run. `on_updated` receives the ids that the updated pass returns."""

    def __init__(
        self,
        warehouse: Warehouse,
        run_id: str,
        *,
        on_updated: Callable[[pa.Array], None] = lambda _: None,
    ) -> None:
        self.run_id = run_id
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.furthest: dict[str, datetime] = {}
        """The latest LockingDate seen, by campaign."""
        self.watches: dict[str, Watch] = defaultdict(Watch)
        self.blank: set[str] = set()
        """Campaigns that the warehouse holds nothing of: no need to look them up."""
        self.without_changes: set[str] = set()
        """The same for the changes of the change feed."""
        self.received = 0
        self._warehouse, self._on_updated = warehouse, on_updated
        self._freshness, self._carried = Freshness(), Carried()
        self._freshness_of_changes = Freshness()
        self._rejected_changes: set[str] = set()

    def new_package(self) -> None:
        """Start a load package. The warehouse holds the last one now; blank campaigns are still not looked up in it."""
        self._carried.next_package()
        self._warehouse.refresh()

    def land(self, batch: Batch) -> Landing:
        """The part of the batch that has to be written."""
        return self._land_updates(batch) if batch.reading.pass_ is Pass.FEED else self._land_actions(batch)

    def _land_updates(self, batch: Batch) -> Landing:
        """Changes that are new or differ; those that could not be typed are kept as they came."""
        table = self._freshness_of_changes.drop_outdated(batch)
        if not self._warehouse.takes_nul:
            table = without_nul(table)
        self.received += len(table) + len(batch.records.rejected)
        if batch.reading.campaign_id not in self.without_changes:
            table = new_rows(table, self._warehouse.lookup("action_updates", "id", table["id"]))
        return Landing(
            updates=table if len(table) else None,
            rejected=self._reject_updates(batch),
            fetches=self._outdate_changed(table, batch.read_at),
        )

    def _outdate_changed(self, changes: pa.Table, read_at: datetime) -> pa.Table | None:
        """Rows of `item_fetches` for actions whose items are out of date, because of changes that were not known.

        A list that was read before a change, or so shortly after it that it may not have shown it yet, is. What was
        derived from fewer changes is, until it is derived again.
        """
        if not len(changes) or not self._warehouse.any("item_fetches"):
            return None
        held = self._warehouse.lookup("item_fetches", "action_id", changes["action_id"])
        if held is None:
            return None
        latest = changes.group_by("action_id").aggregate([("update_date", "max")])
        last = latest["update_date_max"].take(
            pc.index_in(held["action_id"], value_set=latest["action_id"].combine_chunks())
        )
        seen = pc.subtract(held["fetched_at"].cast(last.type), pa.scalar(LATE, pa.duration("us")))
        held = held.filter(pc.or_(pc.greater(last, seen), pc.equal(held["status"], DERIVED)))
        return outdate(held, read_at) if len(held) else None

    def _reject_updates(self, batch: Batch) -> list[Row]:
        """Rows of `rejected_records`: changes that could not be typed, and those that now can."""
        known: set[str] = set()
        if self._warehouse.any("rejected_records"):
            rows = self._warehouse.lookup("rejected_records", "id", pa.chunked_array([batch.ids]))
            known = set(rows["id"].to_pylist()) if rows is not None else set()
        origin = batch.origin(self.run_id)
        rejected = [rejected_update_row(r, origin) for r in (*batch.records.rejected, *batch.records.misfits)]
        still = {row["id"] for row in rejected}
        self.tallies[batch.reading.campaign_id].rejected += len(still - known - self._rejected_changes)
        self._rejected_changes |= still
        return rejected + [resolved_row(id_, batch.read_at) for id_ in known - still]

    def _land_actions(self, batch: Batch) -> Landing:
        campaign_id, table = batch.reading.campaign_id, self._freshness.drop_outdated(batch)
        if not self._warehouse.takes_nul:
            table = without_nul(table)
        held = None if campaign_id in self.blank else self._warehouse.actions(table["id"])
        carried = self._carried.find(table["id"])
        rows, tally = changed_rows(table, held, carried)
        self.received += tally.read + len(batch.records.rejected)
        if len(rows):
            self._carried.add(rows)
        if (lock := pc.max(table["locking_date"]).as_py()) is not None:
            self.furthest[campaign_id] = max(lock, self.furthest.get(campaign_id, lock))
        watch = self.watches[campaign_id]
        rejected = self._reject(batch, table, watch, tally)
        tally.gone = sum(id_ not in watch.gone for id_ in batch.gone)
        self.tallies[campaign_id].add(tally)
        return Landing(
            actions=seen_by(rows, batch.reading.pass_.value) if len(rows) else None,
            rejected=rejected,
            findings=self._find_gone(batch, watch),
            fetches=self._outdate_items(batch) if batch.reading.pass_ is Pass.UPDATED else None,
        )

    def _reject(self, batch: Batch, table: pa.Table, watch: Watch, tally: Tally) -> list[Row]:
        """Rows of `rejected_records`: what could not be typed, and what now can; crosses off what was met."""
        misfits = _still_landing(batch.records.misfits, table)
        resolved = [] if watch.is_idle else watch.meet(table["id"].to_pylist(), {record.id for record in misfits})
        origin = batch.origin(self.run_id)
        rows = [rejected_row(record, origin) for record in (*batch.records.rejected, *misfits)]
        tally.rejected = sum(watch.reject(row["id"], row["action_id"]) for row in rows)
        return rows + [resolved_row(key, batch.read_at) for key in resolved]

    def _find_gone(self, batch: Batch, watch: Watch) -> list[Row]:
        """Findings for actions that the API does not know, and for gone actions that are back."""
        what = self.run_id, batch.reading.campaign_id
        at = batch.read_at
        gone = [finding(*what, id_, "gone", at) for id_ in watch.newly_gone(batch.gone, at)]
        met = watch.meet_gone(batch.ids.to_pylist()) if watch.gone else []
        return gone + [back(*what, id_, at) for id_ in met]

    def _outdate_items(self, batch: Batch) -> pa.Table | None:
        """Rows of `item_fetches` for the batch's actions whose items are now out of date.

        These were updated since the last run, or so shortly before it that they may have shown up after it, or in the
        overlap, if their items were read before all of it. Their items may have changed although none of the action's
        own fields did.
        """
        self._on_updated(batch.ids)
        if not self._warehouse.any("item_fetches"):  # querying every id of a page costs as much as reading the table
            return None
        held = self._warehouse.lookup("item_fetches", "action_id", pa.chunked_array([batch.ids]))
        if held is not None and not batch.reading.fresh:
            start = pa.scalar(batch.reading.window.start, held["fetched_at"].type)
            held = held.filter(pc.less(held["fetched_at"], start))
        return outdate(held, batch.read_at) if held is not None and len(held) else None


def _still_landing(misfits: tuple[Rejected, ...], table: pa.Table) -> list[Rejected]:
    """The records whose rows are in the table; for the others a later answer has landed."""
    if not misfits:
        return []
    ids = pa.array([record.id for record in misfits], pa.string())
    known = pc.is_in(ids, value_set=table["id"].combine_chunks()).to_pylist()
    return [record for record, lands in zip(misfits, known, strict=True) if lands]
