"""One run over an account: every campaign's passes in order, cut into load packages that are checkpoints.

A walk outlives its packages: what is fetched ahead for the next one is kept while this one loads. Cursors move in
the state of the package that carries the rows they vouch for.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from sources.impact import passes
from sources.impact.changes import Tally, changed_rows
from sources.impact.client import Client
from sources.impact.columns import CAMPAIGN
from sources.impact.errors import BudgetSpent, ForeignWarehouse, ImpactError, UnknownCampaign
from sources.impact.passes import Bounds, Cursors, Reading
from sources.impact.reading import Batch, WindowDone, WindowReader
from sources.impact.tables import Reader
from sources.impact.warehouse import Warehouse

_log = logging.getLogger(__name__)
State = MutableMapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """What the user asked of a run; None is the default: all campaigns, from the cursors, to now."""

    campaigns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Landing:
    """Rows for the warehouse, by table. `actions` and `campaigns` are typed tables, the others plain rows."""

    actions: pa.Table | None = None
    campaigns: pa.Table | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever shows it: after each window."""

    campaign_id: str
    pass_: str
    windows_done: int
    windows: int
    rows: int
    requests_left: int


class Walk:
    """Reads an account once, in as many packages as it takes. Close it, or use it as a context.

    After the last package `stopped` is None, or the error that ended the walk early with everything read before it
    landed.
    """

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        client: Client,
        warehouse: Warehouse,
        run_id: str,
        ask: Ask = Ask(),
        *,
        package_rows: int | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.client, self.settings, self.ask, self.run_id = client, client.settings, ask, run_id
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.names: dict[str, str] = {}
        self.stopped: ImpactError | None = None
        self.finished = False
        self.bounds: Bounds | None = None
        self._warehouse = warehouse
        self._package_rows = package_rows or client.settings.package_rows
        self._on_progress = on_progress
        self._reader = WindowReader(client, client.settings.page_size)
        self._steps: Iterator[Landing] | None = None
        self._state: State = {}
        self._received = 0
        self._landing: list[pa.Table] = []
        self._furthest: dict[str, datetime] = {}
        self._empty: set[str] = set()
        self._windows = [0, 0]

    def __enter__(self) -> Self:
        """The walk itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is fetched ahead."""
        self.close()

    def close(self) -> None:
        """Abandon what is fetched ahead."""
        self._reader.close()

    @property
    def rows(self) -> int:
        """Actions received so far."""
        return sum(tally.read for tally in self.tallies.values())

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next load package; moves the cursors in `state`, which must be landed with them."""
        if state.setdefault("account", self.settings.account) != self.settings.account:
            msg = (
                f"this warehouse was filled from another account than {self.settings.masked_sid}: "
                "give each account a warehouse of its own (DESTINATION__DUCKDB__CREDENTIALS)"
            )
            raise ForeignWarehouse(msg)
        self._state = state
        self._landing = self._landing[-1:]  # neighbouring windows share their boundary
        enough = self._received + self._package_rows
        if self._steps is None:
            self._steps = self._walk()
        try:
            for landing in self._steps:
                yield landing
                if self._received >= enough:
                    return
        except ImpactError as error:
            if not self._windows[0] and not self._received:
                raise  # nothing to land
            self.stopped = error
        self.finished = True

    def plan(self, state: State) -> list[Reading]:
        """The windows that a run would read as things stand, without reading them."""
        bounds = self._begin()
        return [
            reading
            for campaigns in self._groups(self._choose(self._list_campaigns()[0]), state)
            for plan in (self._plan_updated, self._plan_locking)
            for campaign_id in campaigns
            for reading in plan(campaign_id, Cursors(state, campaign_id), bounds)
        ]

    def _walk(self) -> Iterator[Landing]:
        ids, table = self._list_campaigns()
        chosen = self._choose(ids)
        bounds = self._begin()
        yield Landing(campaigns=table)
        held = self._warehouse.campaigns()
        self._empty = {campaign_id for campaign_id in chosen if campaign_id not in held}
        for campaigns in self._groups(chosen, self._state):
            first = {c for c in campaigns if passes.is_first(self._cursors(c), bounds, self.settings)}
            yield from self._read([r for c in campaigns for r in self._plan_updated(c, self._cursors(c), bounds)])
            self._empty.clear()
            # What a first run has just read from end to end need not be read again by another date.
            rest = [c for c in campaigns if c not in first]
            yield from self._read([r for c in rest for r in self._plan_locking(c, self._cursors(c), bounds)])

    def _begin(self) -> Bounds:
        now = self.client.clock.now().replace(microsecond=0)
        self.bounds = Bounds(now, self.ask.until or now, self.ask.since)
        return self.bounds

    def _list_campaigns(self) -> tuple[list[str], pa.Table]:
        reader = Reader(CAMPAIGN)
        tables = [reader.read(a.value.records, a.read_at).table for a in self.client.campaigns()]
        table = pa.concat_tables(tables, promote_options="default")
        self.names = dict(zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True))
        return list(self.names), table

    def _choose(self, ids: list[str]) -> list[str]:
        asked = self.ask.campaigns or self.settings.campaign_ids
        if unknown := [campaign_id for campaign_id in asked if campaign_id not in ids]:
            known = ", ".join(f"{i} ({self.names[i]})" for i in ids) or "none"
            msg = f"the account has no campaign {', '.join(unknown)}; it has {known}"
            raise UnknownCampaign(msg)
        return list(dict.fromkeys(asked)) or ids

    def _groups(self, campaigns: list[str], state: State) -> list[list[str]]:
        """Campaigns that are kept up to date before those whose backfill may spend the hour's requests."""
        begun = [c for c in campaigns if Cursors(state, c).get(passes.Mark.UPDATED)]
        return [group for group in (begun, [c for c in campaigns if c not in begun]) if group]

    def _cursors(self, campaign_id: str) -> Cursors:
        return Cursors(self._state, campaign_id)

    def _plan_updated(self, campaign_id: str, cursors: Cursors, bounds: Bounds) -> list[Reading]:
        return passes.plan_updated(campaign_id, cursors, bounds, self.settings)

    def _plan_locking(self, campaign_id: str, cursors: Cursors, bounds: Bounds) -> list[Reading]:
        held = self._warehouse.furthest_lock(campaign_id)
        seen = self._furthest.get(campaign_id)
        start = passes.lookback_start(bounds, self.settings)
        return passes.plan_locking(
            campaign_id,
            cursors,
            bounds,
            self.settings,
            furthest=max((moment for moment in (held, seen) if moment), default=None),
            uncleared=self._warehouse.uncleared_locks(campaign_id, start, bounds.until),
        )

    def _read(self, readings: list[Reading]) -> Iterator[Landing]:
        self._windows[1] += len(readings)
        done: WindowDone | None = None
        for event in self._reader.read(readings):
            if isinstance(event, Batch):
                yield self._land(event)
                continue
            done = event
            if done.whole:
                for mark, to in done.reading.marks:
                    self._cursors(done.reading.campaign_id).move(mark, to)
            yield Landing(windows=[self._window_row(done)])
            self._report(done)

    def _land(self, batch: Batch) -> Landing:
        """The batch less what is known already: unchanged rows are not written again."""
        reading, table = batch.reading, batch.records.table
        known = [*(_those(landed, table["id"]) for landed in reversed(self._landing))]
        if reading.campaign_id not in self._empty and (held := self._warehouse.actions(table["id"])) is not None:
            known.append(held)
        rows, tally = changed_rows(table, pa.concat_tables(known, promote_options="default") if known else None)
        tally.rejected = len(batch.records.rejected)
        self._received += tally.read + tally.rejected
        self.tallies[reading.campaign_id].add(tally)
        if len(rows):
            self._landing.append(rows)
        if (lock := pc.max(table["locking_date"]).as_py()) is not None:
            self._furthest[reading.campaign_id] = max(lock, self._furthest.get(reading.campaign_id, lock))
        return Landing(actions=rows if len(rows) else None, rejected=self._rejected_rows(batch))

    def _rejected_rows(self, batch: Batch) -> list[dict[str, Any]]:
        return [
            {
                "id": record.id or hashlib.sha256(record.raw.encode()).hexdigest(),
                "campaign_id": batch.reading.campaign_id,
                "raw": record.raw,
                "reason": record.reason,
                "run_id": self.run_id,
                "pass": batch.reading.pass_.value,
                "window_start": batch.reading.window.start,
                "window_end": batch.reading.window.end,
                "rejected_at": batch.read_at,
            }
            for record in batch.records.rejected
        ]

    def _window_row(self, done: WindowDone) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "campaign_id": done.reading.campaign_id,
            "pass": done.reading.pass_.value,
            "window_start": done.reading.window.start,
            "window_end": done.reading.window.end,
            "total": done.total,
            "rows": done.rows,
            "pages": done.pages,
            "requests": done.requests,
            "seconds": round(done.seconds, 3),
            "outcome": done.outcome,
        }

    def _report(self, done: WindowDone) -> None:
        self._windows[0] += 1
        _log.debug("%s", done)
        self._on_progress(
            Progress(
                campaign_id=done.reading.campaign_id,
                pass_=done.reading.pass_.value,
                windows_done=self._windows[0],
                windows=max(self._windows),
                rows=self.rows,
                requests_left=self.client.budget.remaining,
            )
        )


def stopped_for_budget(walk: Walk) -> bool:
    """Whether a walk ended because no request was left: run it again later."""
    return isinstance(walk.stopped, BudgetSpent)


def _those(rows: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    return rows.filter(pc.is_in(rows["id"], value_set=ids.combine_chunks()))
