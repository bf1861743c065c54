"""One run over an account: every campaign's passes in order, cut into load packages that are checkpoints.

A walk outlives its packages: what is fetched ahead for the next one is kept while this one loads. Cursors move in
the state of the package that carries the rows they vouch for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

import pyarrow as pa

from ..api.client import Client
from ..campaigns import Campaigns, find_campaigns
from ..errors import ConfigurationError, ForeignWarehouse, ImpactError
from ..items.landing import no_items
from ..plan import passes
from ..plan.passes import Bounds, Cursors, Mark, Pass, Reading
from ..plan.windows import Window
from ..rows.columns import ACTION
from ..rows.diff import Tally
from ..rows.ours import FETCH_TABLE
from ..rows.parse import empty
from ..settings import LOCK_MAX, Settings
from ..warehouse import Refused, Warehouse
from .landing import Lander, Landing, Watch, gathered, versions
from .probe import prove_locking
from .reading import AHEAD, Batch, Events, WindowDone, WindowReader, failed
from .unread import Unread

_log = logging.getLogger(__name__)
_GATHERED = 40_000
"""Actions that are handed to dlt at once."""
State = MutableMapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """What the user asked of a run; None is the default: all campaigns, from the cursors, to now."""

    campaigns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a range that ends before it starts: it would silently hold nothing."""
        if self.since and self.until and self.since > self.until:
            msg = f"--since ({self.since.isoformat()}) is after --until ({self.until.isoformat()}): swap them"
            raise ConfigurationError(msg)


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever shows it: after each window."""

    campaign_id: str
    pass_: str
    windows_done: int
    windows: int
    rows: int
    requests_left: int


class Packages(Protocol):
    """What the source loads from: rows of one load package at a time."""

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next package; what it changes in `state` lands with them."""


class Walk:
    """Reads an account once, in as many packages as it takes. Close it, or use it as a context.

    After the last package `stopped` is None, or the error that ended the walk early with everything read before it
    landed. What could not be read although the walk went on is in `unread`: the cursors of those passes stay.
    """

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        client: Client,
        warehouse: Warehouse,
        run_id: str,
        ask: Ask = Ask(),
        *,
        listed: Campaigns | None = None,
        package_rows: int | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_updated: Callable[[pa.Array], None] = lambda _: None,
    ) -> None:
        self.client, self.settings, self.ask, self.run_id = client, client.settings, ask, run_id
        self.names: dict[str, str] = {}
        self.campaigns: Campaigns | None = None
        """The account's campaigns, once they were listed."""
        self.stopped: ImpactError | None = None
        self.finished = False
        self.bounds: Bounds | None = None
        self.first_seen: list[str] = []
        """Campaigns of which the warehouse held nothing when the run began."""
        self.reaching_back: dict[str, datetime] = {}
        """From where on campaigns are read that were begun later, as `start_date` says so now."""
        self._warehouse, self._listed = warehouse, listed
        self._package_rows = package_rows or client.settings.package_rows
        self._on_progress = on_progress
        self._reader = WindowReader(client, client.settings.page_size, warehouse)
        self._lander = Lander(warehouse, run_id, history=self.settings.history, on_updated=on_updated)
        self._steps: Iterator[Landing] | None = None
        self._state: State = {}
        self._windows_done = self._windows = 0

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
    def unread(self) -> Unread:
        """What could not be read."""
        return self._reader.unread

    @property
    def tallies(self) -> dict[str, Tally]:
        """What was found, by campaign."""
        return self._lander.tallies

    @property
    def earliest(self) -> datetime | None:
        """When the first answer arrived of which the load package carries a row; None where it carries none."""
        return self._lander.earliest

    @property
    def until(self) -> datetime | None:
        """Up to when changes are read: never past the server's now when the run began, as all its answers tell it."""
        if self.bounds is None:
            return None
        return min(self.bounds.until, self.bounds.now - self.client.clock.excess)

    @property
    def rows(self) -> int:
        """Actions received so far."""
        return sum(tally.read for tally in self.tallies.values())

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next load package; moves the cursors in `state`, which must be landed with them."""
        own(state, self.settings)
        self._state = state
        self._lander.new_package()
        enough = self._lander.received + self._package_rows
        if self._steps is None:
            self._steps = self._walk()
        yield from gathered(self._until(enough, self._steps), _GATHERED)

    def _until(self, enough: int, steps: Iterator[Landing]) -> Iterator[Landing]:
        """What is read next, until so many actions were received; where there is no more, the walk is finished."""
        try:
            for landing in steps:
                yield landing
                if self._lander.received >= enough:
                    return
        except ImpactError as error:
            if not self.unread.any_read and not self._lander.received:
                raise  # nothing to land
            self.stopped = error
        if self.stopped is None and (error_ := self.unread.unanswered):
            raise error_
        self.finished = True

    def plan(self, state: State) -> list[Reading]:
        """The windows that a run would read as things stand, without reading them."""
        own(state, self.settings)
        self._state = state
        _, chosen = self._choose()
        bounds = self._begin()
        self._check_marks(chosen, bounds)
        return [
            reading
            for campaigns in self._groups(chosen)
            for campaign_id in campaigns
            for reading in self._plan_updated(campaign_id, bounds)
            + ([] if self._is_first(campaign_id, bounds) else self._plan_locking(campaign_id, bounds))
        ]

    def _walk(self) -> Iterator[Landing]:
        campaigns, chosen = self._choose()
        bounds = self._begin()
        yield Landing(campaigns=campaigns.table)
        yield from self._new_tables()
        self._check_cursors(chosen, bounds)
        self._check_marks(chosen, bounds)
        self._lander.blank = set(chosen) - self._warehouse.campaigns()
        self.first_seen = sorted(self._lander.blank)
        for group in self._groups(chosen):
            first = {c for c in group if self._is_first(c, bounds)}
            whole = [c for c in group if passes.vouches(self._cursors(c), bounds, self.settings) and c not in first]
            self._watch(group, whole, bounds)
            number = sum(len(self._plan_updated(c, bounds)) for c in group)
            yield from self._read(self._plan_in_turn(group, bounds), number)
            self._lander.blank -= set(group)
            # What a first run has just read from end to end need not be read again by another date.
            rest = [c for c in group if c not in first]
            unproven = prove_locking(self.client, self._warehouse, self._state, rest, bounds)
            for failure in unproven:
                yield Landing(windows=[self._lander.window_row(failed(failure.reading, failure.error))])
                self.unread.fail(failure)
            by_lock = [c for c in rest if c not in {failure.reading.campaign_id for failure in unproven}]
            locking = [r for c in by_lock for r in self._plan_locking(c, bounds)]
            yield from self._read(locking, len(locking))
            for campaign_id in group:
                yield from self._read_unseen(campaign_id, bounds)

    def _new_tables(self) -> Iterator[Landing]:
        """Tables that are there from the first run on, though empty; history may be turned on later."""
        holds, history = self._warehouse.holds, self.settings.history
        if not (holds("verify_results") and holds("rejected_records")):
            yield Landing(declared=True)
        if not holds("action_items"):
            yield Landing(items=no_items(), fetches=FETCH_TABLE.empty_table())
        elif history and not holds("action_item_history"):
            yield Landing(items=no_items())
        if history and not holds("action_history"):
            yield Landing(versions=versions(empty(ACTION), ""))

    def _begin(self) -> Bounds:
        now = self.client.clock.server_now.replace(microsecond=0)
        self.client.clock.not_before(self._warehouse.latest_run())  # for stamps; windows end at the server's now
        # What lies further ahead than any lock can is the same as what is not given.
        until = min(self.ask.until or now, now + LOCK_MAX)
        self.bounds = Bounds(now, until, self.ask.since)
        if self.ask.since and self.ask.since > until:
            msg = f"--since ({self.ask.since.isoformat()}) lies after {until.isoformat()}, up to which would be read"
            raise ConfigurationError(msg)
        self._reader.horizon = Window(self.bounds.earliest, max(now, self.bounds.until))
        return self.bounds

    def _choose(self) -> tuple[Campaigns, list[str]]:
        asked = self.ask.campaigns or self.settings.campaign_ids
        self.campaigns = campaigns = find_campaigns(self.client, self._warehouse, asked, self._listed)
        self.names, self.unread.lost = campaigns.names, campaigns.lost
        return campaigns, campaigns.choose(asked)

    def _groups(self, campaigns: list[str]) -> list[list[str]]:
        """Campaigns that are kept up to date before those whose backfill may spend the hour's requests."""
        begun = [c for c in campaigns if self._cursors(c).get(Mark.UPDATED)]
        return [group for group in (begun, [c for c in campaigns if c not in begun]) if group]

    def _check_cursors(self, campaigns: list[str], bounds: Bounds) -> None:
        """Raise where a cursor lies ahead of the server's clock: what it vouches for has not happened yet."""
        for campaign_id in campaigns:
            cursors = self._cursors(campaign_id)
            stands = max((at for at in map(cursors.get, Mark) if at), default=bounds.now)
            if stands > bounds.now + timedelta(days=1) and not bounds.since:
                msg = (
                    f"campaign {campaign_id} was read up to {stands.isoformat()}, but the server's clock says "
                    f"{bounds.now.isoformat()}: it, or ours, was wrong. Give --since an instant before it went wrong"
                )
                raise ConfigurationError(msg)
            if bounds.since:
                cursors.pull_back(bounds.now)

    def _check_marks(self, campaigns: list[str], bounds: Bounds) -> None:
        """Forget marks that vouch for rows which are gone; note where a state of an older release was read from."""
        held = self._warehouse.campaigns()
        for campaign_id in campaigns:
            cursors = self._cursors(campaign_id)
            if (updated := cursors.get(Mark.UPDATED)) is None:
                continue
            if campaign_id not in held and not self._warehouse.is_empty_rightly(campaign_id):
                _log.warning("campaign %s: its actions are gone from the warehouse and read anew", campaign_id)
                cursors.forget()
                continue
            if cursors.get(Mark.BEGUN) is None:
                cursors.move(Mark.BEGUN, passes.adjoining(self._warehouse.read_windows(campaign_id), updated))
            if earlier := passes.plan_earlier(campaign_id, cursors, bounds, self.settings):
                self.reaching_back[campaign_id] = earlier[-1].window.start

    def _cursors(self, campaign_id: str) -> Cursors:
        return Cursors(self._state, campaign_id)

    def _is_first(self, campaign_id: str, bounds: Bounds) -> bool:
        return passes.is_first(self._cursors(campaign_id), bounds, self.settings)

    def _plan_in_turn(self, campaigns: list[str], bounds: Bounds) -> Iterator[Reading]:
        """Windows of the updated pass, planned campaign by campaign as reading gets there.

        A long run moves the API's horizon: windows planned at its beginning would be refused as too old.
        """
        for campaign_id in campaigns:
            spent = self.client.clock.now().replace(microsecond=0) - bounds.now
            yield from self._plan_updated(campaign_id, replace(bounds, spent=spent))

    def _plan_updated(self, campaign_id: str, bounds: Bounds) -> list[Reading]:
        cursors = self._cursors(campaign_id)
        apart = self._warehouse.any("item_fetches")
        return [
            *passes.plan_updated(campaign_id, cursors, bounds, self.settings, apart=apart),
            *passes.plan_earlier(campaign_id, cursors, bounds, self.settings),
        ]

    def _plan_locking(self, campaign_id: str, bounds: Bounds) -> list[Reading]:
        known = (self._warehouse.furthest_lock(campaign_id), self._lander.furthest.get(campaign_id))
        start = passes.lookback_start(self._cursors(campaign_id), bounds, self.settings)
        return passes.plan_locking(
            campaign_id,
            self._cursors(campaign_id),
            bounds,
            self.settings,
            furthest=max((moment for moment in known if moment), default=None),
            uncleared=self._warehouse.uncleared_locks(campaign_id, start, bounds.until),
        )

    def _watch(self, campaigns: list[str], whole: list[str], bounds: Bounds) -> None:
        """Note what the run should meet: what it has not met in the end is asked for by itself."""
        for campaign_id in campaigns:
            cursors, opened = self._cursors(campaign_id), {}
            if campaign_id in whole:
                lookback = passes.lookback_start(cursors, bounds, self.settings)
                locked = min(cursors.get(Mark.LOCKING) or bounds.until, bounds.until)
                opened = self._warehouse.open_actions(campaign_id, locked, lookback)
            gone = self._warehouse.gone(campaign_id)
            opened = {id_: at for id_, at in opened.items() if id_ not in gone or gone[id_].is_due(bounds.now)}
            self._lander.watches[campaign_id] = Watch(opened, self._warehouse.rejected(campaign_id), gone=gone)

    def _read_unseen(self, campaign_id: str, bounds: Bounds) -> Iterator[Landing]:
        """Re-read what can still change, or could not be read before, and was in no window of this run."""
        watch = self._lander.watches[campaign_id]
        missing = {key: r for key, r in watch.rejected.items() if r.again and key not in watch.rejected_now}
        unseen = watch.open | {r.action_id: None for r in missing.values() if r.action_id}

        def count(window: Window) -> int:
            return sum(n for _, n in self._warehouse.counts(campaign_id, Pass.UNSEEN.axis, {Pass.UNSEEN.axis: window}))

        readings, singles = passes.plan_unseen(campaign_id, unseen, count, bounds, self.settings.page_size)
        readings += self._windows_of(campaign_id, missing)
        yield from self._read(readings, len(readings))
        # An action that its window did not return has another date now, or is gone: only its id can tell.
        unread = [reading.window for reading in self.unread.windows(campaign_id, Pass.UNSEEN)]
        unmet = {id_ for id_, at in watch.open.items() if not (at and any(w.start <= at <= w.end for w in unread))}
        # Of one that was gone before, its window says enough most of the time: there may be many.
        known = {id_ for id_, gone in watch.gone.items() if not gone.is_news(bounds.now)}
        singles += sorted(unmet - set(singles) - known)
        yield from self._land_all(self._reader.read_singly(campaign_id, singles))
        met = [key for key in missing if key in watch.rejected and key not in watch.rejected_now]
        if met and not self.unread.concerns(campaign_id):
            yield Landing(rejected=self._lander.forget(watch, met, self.client.clock.now()))

    def _windows_of(self, campaign_id: str, missing: dict[str, Refused]) -> list[Reading]:
        """The windows that held rejected records without an id: there is no other way to ask for them."""
        held = {(r.pass_, Window(r.start, r.end)) for r in missing.values() if not r.action_id and r.start and r.end}
        return [Reading(campaign_id, Pass(pass_), window) for pass_, window in sorted(held)]

    def _read(self, readings: Iterable[Reading], number: int) -> Iterator[Landing]:
        self._windows += number
        yield from self._land_all(self._reader.read(readings))

    def _land_all(self, events: Events) -> Iterator[Landing]:
        for event in events:
            if isinstance(event, Batch):
                yield self._lander.land(event)
                continue
            done = self._move_cursors(event)
            yield Landing(windows=[self._lander.window_row(done)])
            self._report(done)

    def _move_cursors(self, done: WindowDone) -> WindowDone:
        """Move what a window vouches for; not after one of the same pass that could not be read."""
        reading = done.reading
        if not done.whole or reading.pass_ is Pass.UNSEEN or self.bounds is None:
            return done
        if self.unread.windows(reading.campaign_id, reading.pass_):
            return replace(done, outcome=AHEAD)
        credible = self.bounds.now - self.client.clock.excess
        for mark, to in reading.marks:
            self._cursors(reading.campaign_id).move(mark, min(to, credible))
        return done

    def _report(self, done: WindowDone) -> None:
        self._windows_done += 1
        _log.debug("%s: %s, %d actions", done.reading, done.outcome, done.rows)
        self._on_progress(
            Progress(
                campaign_id=done.reading.campaign_id,
                pass_=done.reading.pass_.value,
                windows_done=self._windows_done,
                windows=max(self._windows, self._windows_done),
                rows=self.rows,
                requests_left=self.client.budget.remaining,
            )
        )


def own(state: State, settings: Settings) -> None:
    """Note whose warehouse this is. Raises `ForeignWarehouse` where it was filled from another account."""
    if state.setdefault("account", settings.account) != settings.account:
        msg = (
            f"this warehouse was filled from another account than {settings.masked_sid}: "
            "give each account a warehouse of its own (DESTINATION__DUCKDB__CREDENTIALS)"
        )
        raise ForeignWarehouse(msg)
