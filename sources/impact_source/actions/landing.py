"""Batches become what lands: rows that changed, a tally, and what the run must still ask for again.

Each batch is compared with what the warehouse holds and with what this load package already carries, so that rows
which did not change are not written again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..plan.gone import Gone
from ..plan.passes import Pass
from ..rows.columns import SYNCED_AT
from ..rows.diff import CARRIED, Tally, changed_rows
from ..rows.ours import FETCH_TABLE
from ..rows.parse import Rejected, without_nul
from ..settings import PAGES_MAX
from ..warehouse import Refused, Warehouse
from .reading import Batch, WindowDone

_REMEMBERED = 32
"""Batches whose rows are not replaced by such as arrived before: more than are ever in flight together."""


@dataclass(frozen=True)
class Landing:
    """Rows for the warehouse, by table. `actions` and `campaigns` are typed tables, the others plain rows."""

    actions: pa.Table | None = None
    campaigns: pa.Table | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    fetches: pa.Table | None = None
    """Actions that were updated since their items were read, as rows of `item_fetches`."""
    items: pa.Table | None = None
    """No rows, but the columns of `action_items` where that table is not there yet."""
    declared: bool = False
    """Whether tables are to be made that nothing is in yet."""
    versions: pa.Table | None = None
    """Those of `actions` that are not the first of their id, as rows of `action_history`."""


def gathered(landings: Iterable[Landing], most: int) -> Iterator[Landing]:
    """The same rows in fewer landings, of some `most` actions: each costs dlt as much as thousands of rows."""
    held: list[Landing] = []
    for landing in landings:
        if landing.campaigns is not None or landing.declared:  # come first
            yield landing
            continue
        held.append(landing)
        if sum(len(one.actions) for one in held if one.actions is not None) >= most:
            yield _joined(held)
            held.clear()
    if held:
        yield _joined(held)


def _joined(landings: list[Landing]) -> Landing:
    return Landing(
        actions=_below(one.actions for one in landings),
        rejected=[row for one in landings for row in one.rejected],
        windows=[row for one in landings for row in one.windows],
        findings=[row for one in landings for row in one.findings],
        fetches=_below(one.fetches for one in landings),
        items=_below(one.items for one in landings),
        versions=_below(one.versions for one in landings),
    )


def _below(tables: Iterable[pa.Table | None]) -> pa.Table | None:
    found = [table for table in tables if table is not None]
    return pa.concat_tables(found, promote_options="default") if found else None


@dataclass
class Watch:
    """What a run should meet again of one campaign, and has not yet.

    `open` are actions that can still change, with their EventDate; `rejected` are records that could not be typed;
    `gone` are actions that the API did not know when last asked.
    """

    open: dict[str, datetime | None] = field(default_factory=dict)
    rejected: dict[str, Refused] = field(default_factory=dict)
    rejected_now: set[str] = field(default_factory=set)
    gone: dict[str, Gone] = field(default_factory=dict)


class Lander:
    """Takes the batches of one run. `on_updated` is told the ids that the updated pass returns."""

    def __init__(
        self,
        warehouse: Warehouse,
        run_id: str,
        *,
        history: bool = False,
        on_updated: Callable[[pa.Array], None] = lambda _: None,
    ) -> None:
        self.run_id = run_id
        self.earliest: datetime | None = None
        """When the first answer arrived of which this load package carries a row."""
        self._history = history
        self._on_updated = on_updated
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.furthest: dict[str, datetime] = {}
        """The latest LockingDate seen, by campaign."""
        self.watches: dict[str, Watch] = defaultdict(Watch)
        self.blank: set[str] = set()
        """Campaigns of which the warehouse holds nothing: no need to ask it."""
        self.received = 0
        self._warehouse = warehouse
        self._carried: list[pa.Table] = []
        """The rows that this load package carries, as far as a tally needs them, and the last ones of that before."""
        self._recent: deque[tuple[float, pa.Array]] = deque(maxlen=_REMEMBERED)

    def new_package(self) -> None:
        """Forget what the last package carried but for its end: neighbouring windows share their boundary.

        The warehouse holds it now, but is not asked of campaigns that were blank.
        """
        del self._carried[:-PAGES_MAX]
        self.earliest = None
        self._warehouse.refresh()

    def land(self, batch: Batch) -> Landing:
        """What of the batch has to be written."""
        campaign_id, table = batch.reading.campaign_id, self._fresh(batch)
        if not self._warehouse.takes_nul:
            table = without_nul(table)
        held = None if campaign_id in self.blank else self._warehouse.actions(table["id"])
        carried = self._carried_of(table["id"])
        rows, tally = changed_rows(table, held, carried)
        self.received += tally.read + len(batch.records.rejected)
        if len(rows):
            self.earliest = min(self.earliest or batch.read_at, batch.read_at)
            self._carried.append(rows.select(CARRIED).combine_chunks())
        if (lock := pc.max(table["locking_date"]).as_py()) is not None:
            self.furthest[campaign_id] = max(lock, self.furthest.get(campaign_id, lock))
        watch = self.watches[campaign_id]
        misfits = self._landing(batch.records.misfits, table)
        readable = self._readable(watch, table, {record.id for record in misfits}, batch.read_at)
        rejected = [self.rejected_row(record, batch) for record in (*batch.records.rejected, *misfits)]
        ids = {row["id"] for row in rejected}
        tally.rejected = len(ids - watch.rejected.keys() - watch.rejected_now)
        watch.rejected_now |= ids
        tally.gone = sum(id_ not in watch.gone for id_ in batch.gone)
        self.tallies[campaign_id].add(tally)
        return Landing(
            actions=rows if len(rows) else None,
            rejected=rejected + readable,
            findings=self._gone(watch, batch) + self._back(watch, batch),
            fetches=self._outdated(batch) if batch.reading.pass_ is Pass.UPDATED else None,
            versions=self._versions(batch, rows, carried) if self._history else None,
        )

    def forget(self, watch: Watch, ids: Iterable[str], read_at: datetime) -> list[dict[str, Any]]:
        """Tombstones for records that are rejected no longer."""
        for id_ in ids:
            watch.rejected.pop(id_, None)
            watch.rejected_now.discard(id_)
        return [{"id": id_, "rejected_at": read_at, "resolved": True} for id_ in ids]

    def window_row(self, done: WindowDone) -> dict[str, Any]:
        """The row of `sync_windows` for a window."""
        return {
            "run_id": self.run_id,
            "campaign_id": done.reading.campaign_id,
            "pass": done.reading.pass_.value,
            "window_start": done.reading.window.start,
            "window_end": done.reading.window.end,
            "event_start": done.reading.event.start if done.reading.event else None,
            "event_end": done.reading.event.end if done.reading.event else None,
            "total": done.total,
            "rows": done.rows,
            "pages": done.pages,
            "requests": done.requests,
            "seconds": round(done.seconds, 3),
            "outcome": done.outcome,
            "reason": done.reason,
        }

    def _outdated(self, batch: Batch) -> pa.Table | None:
        """What `item_fetches` holds of these actions, with a fingerprint that none has.

        They were updated since the last run, or so shortly before it that they may have shown up after it, or in the
        overlap where their items were read before all of it: items may have changed although none of their action's own
        fields did.
        """
        self._on_updated(batch.ids)
        if not self._warehouse.any("item_fetches"):  # asking for every id of a page costs as much as reading it
            return None
        held = self._warehouse.lookup("item_fetches", "action_id", pa.chunked_array([batch.ids]))
        if held is not None and not batch.reading.fresh:
            start = pa.scalar(batch.reading.window.start, held["fetched_at"].type)
            held = held.filter(pc.less(held["fetched_at"], start))
        if held is None or not len(held):
            return None
        fingerprints = pa.array([f"updated before {batch.read_at.isoformat()}"] * len(held), pa.string())
        rows = held.set_column(held.schema.get_field_index("fingerprint"), "fingerprint", fingerprints)
        return rows.select(FETCH_TABLE.names).cast(FETCH_TABLE)

    def _versions(self, batch: Batch, rows: pa.Table, carried: pa.Table | None) -> pa.Table | None:
        """The rows as versions.

        The first ones of a campaign of which nothing was held are not among them: all of it would be written twice, and
        the warehouse can copy its own.
        """
        if batch.reading.campaign_id in self.blank:
            if carried is None:
                return None
            rows = rows.filter(pc.is_in(rows["id"], value_set=carried["id"].combine_chunks()))
        return versions(rows, batch.reading.pass_.value) if len(rows) else None

    def _fresh(self, batch: Batch) -> pa.Table:
        """The batch's rows less those that another batch, landed before it, has read later.

        Batches arrive in another order than they land in; only a few are ever in flight together.
        """
        table = batch.records.table
        ids = table["id"].combine_chunks()
        later = [rows for arrived, rows in self._recent if arrived > batch.arrived]
        if later and (known := _among(pa.chunked_array(later), ids)) is not None:
            table = table.filter(pc.invert(pc.is_in(ids, value_set=known)))
        self._recent.append((batch.arrived, ids))
        return table

    def _carried_of(self, ids: pa.ChunkedArray) -> pa.Table | None:
        """What this package carries of these ids, the latest first; None where it carries none of them."""
        if not self._carried:
            return None
        all_ids = pa.chunked_array([rows["id"].chunk(0) for rows in reversed(self._carried)])
        where = pc.indices_nonzero(pc.is_in(all_ids, value_set=ids.combine_chunks()))
        return pa.concat_tables(reversed(self._carried)).take(where) if len(where) else None

    def _landing(self, misfits: tuple[Rejected, ...], table: pa.Table) -> list[Rejected]:
        """Those of the records whose rows are not left out because a later answer had them."""
        if not misfits:
            return []
        ids = pa.array([record.id for record in misfits], pa.string())
        known = pc.is_in(ids, value_set=table["id"].combine_chunks()).to_pylist()
        return [record for record, lands in zip(misfits, known, strict=True) if lands]

    def _readable(
        self, watch: Watch, table: pa.Table, misfits: set[str | None], read_at: datetime
    ) -> list[dict[str, Any]]:
        """Cross off what was met; tombstones for records that were rejected before and can all be read now."""
        if not watch.open and not watch.rejected and not watch.rejected_now:
            return []
        ids = table["id"].to_pylist()
        for id_ in ids:
            watch.open.pop(id_, None)
        refused = [id_ for id_ in ids if (id_ in watch.rejected or id_ in watch.rejected_now) and id_ not in misfits]
        return self.forget(watch, refused, read_at)

    def rejected_row(self, record: Rejected, batch: Batch) -> dict[str, Any]:
        """The row of `rejected_records` for a record of a batch."""
        watch = self.watches[batch.reading.campaign_id]
        if record.id:
            watch.open.pop(record.id, None)
        return {
            "id": record.id or hashlib.sha256(record.raw.encode()).hexdigest(),
            "action_id": record.id,
            "campaign_id": batch.reading.campaign_id,
            "raw": record.raw,
            "reason": record.reason,
            "null_columns": ", ".join(record.null_columns) or None,
            "ask_again": record.ask_again,
            "run_id": self.run_id,
            "pass": batch.reading.pass_.value,
            "window_start": batch.reading.window.start,
            "window_end": batch.reading.window.end,
            "rejected_at": batch.read_at,
            "resolved": False,
        }

    def _gone(self, watch: Watch, batch: Batch) -> list[dict[str, Any]]:
        """Findings for actions that the API does not know, unless they are known to be gone."""
        at, known = batch.read_at, watch.gone
        news = [id_ for id_ in batch.gone if id_ not in known or known[id_].is_news(at)]
        return [finding(self.run_id, batch.reading.campaign_id, id_, "gone", at) for id_ in news]

    def _back(self, watch: Watch, batch: Batch) -> list[dict[str, Any]]:
        """Findings for actions that were gone, and are met."""
        if not watch.gone:
            return []
        met = [id_ for id_ in batch.ids.to_pylist() if watch.gone.pop(id_, None)]
        return [back(self.run_id, batch.reading.campaign_id, id_, batch.read_at) for id_ in met]


def versions(rows: pa.Table, seen_by: str) -> pa.Table:
    """Actions as rows of `action_history` that a pass has just seen."""
    return item_versions(rows).append_column("pass", pa.array([seen_by] * len(rows), pa.string()))


def item_versions(rows: pa.Table) -> pa.Table:
    """Items as rows of `action_item_history`."""
    return rows.append_column("valid_from", rows[SYNCED_AT.name])


def _among(ids: pa.ChunkedArray, wanted: pa.Array) -> pa.Array | None:
    """Those of `ids` that are among the `wanted`, None where none are."""
    found = ids.filter(pc.is_in(ids, value_set=wanted))
    return found.combine_chunks() if len(found) else None


def back(run_id: str, campaign_id: str, action_id: str, found_at: datetime) -> dict[str, Any]:
    """The row of `verify_results` that ends an action's being gone."""
    return finding(run_id, campaign_id, action_id, "back", found_at, repaired=True)


def finding(  # noqa: PLR0913 - the columns of a row
    run_id: str,
    campaign_id: str,
    action_id: str,
    what: str,
    found_at: datetime,
    *,
    month: str | None = None,
    column: str = "",
    here: str | None = None,
    there: str | None = None,
    repaired: bool = False,
) -> dict[str, Any]:
    """A row of `verify_results`: one action that differs, for stale ones one row a column."""
    return {
        "run_id": run_id,
        "campaign_id": campaign_id,
        "action_id": action_id,
        "month": month,
        "finding": what,
        "column_name": column,
        "here": here,
        "there": there,
        "repaired": repaired,
        "found_at": found_at,
    }
