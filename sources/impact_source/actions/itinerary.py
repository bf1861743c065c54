"""Plans which windows of which campaign a run reads, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from ..account import State
from ..errors import ConfigurationError
from ..plan import passes
from ..plan.axis import Axis
from ..plan.cursors import Cursors, Mark
from ..plan.passes import Bounds, Reading
from ..plan.unseen import plan_unseen
from ..plan.windows import Window
from ..settings import Settings
from ..warehouse import Warehouse
from .watch import Watch, windows_of

_log = logging.getLogger(__name__)
_AHEAD = timedelta(days=1)
"""A cursor further ahead of the server's clock than this is not believed."""


Plan: TypeAlias = Callable[[str, timedelta], list[Reading]]
"""The windows to read of a campaign, given how long the run has been going on."""


class Itinerary:
    """Plans one run within its bounds. `state`, which holds the cursors, is that of the current load package."""

    def __init__(self, warehouse: Warehouse, settings: Settings, bounds: Bounds, state: State) -> None:
        self.bounds, self.state = bounds, state
        self.reaching_back: dict[str, datetime] = {}
        """Campaigns read from a later start than `start_date` says now, with the instant they are now read from."""
        self._warehouse, self._settings = warehouse, settings

    def cursors(self, campaign_id: str) -> Cursors:
        """How far a campaign was read."""
        return Cursors(self.state, campaign_id)

    def check_clock(self, campaigns: Iterable[str]) -> None:
        """Raise if a cursor lies ahead of the server's clock: it vouches for what has not happened yet."""
        bounds = self.bounds
        for campaign_id in campaigns:
            cursors = self.cursors(campaign_id)
            stands = max((at for at in map(cursors.get, Mark) if at), default=bounds.now)
            if stands > bounds.now + _AHEAD and not bounds.since:
                msg = (
                    f"campaign {campaign_id} was read up to {stands.isoformat()}, but the server's clock says "
                    f"{bounds.now.isoformat()}: one of the clocks was wrong. Pass `since` with an instant before that"
                )
                raise ConfigurationError(msg)
            if bounds.since:
                cursors.pull_back(bounds.now)

    def check_rows(self, campaigns: Iterable[str]) -> None:
        """Forget marks that vouch for rows which are gone; add what the state of an older release lacks."""
        held = self._warehouse.campaigns()
        for campaign_id in campaigns:
            cursors = self.cursors(campaign_id)
            if (updated := cursors.get(Mark.UPDATED)) is None:
                continue
            if campaign_id not in held and not self._warehouse.is_empty_rightly(campaign_id):
                _log.warning("campaign %s: its actions are gone from the warehouse; reading them again", campaign_id)
                cursors.forget()
                continue
            if not self._warehouse.holds("action_updates"):
                cursors.forget(Mark.FEED, Mark.FEED_BEGUN)
            if cursors.get(Mark.BEGUN) is None:
                cursors.move(Mark.BEGUN, passes.adjoining(self._warehouse.read_windows(campaign_id), updated))
            if earlier := passes.plan_earlier(campaign_id, cursors, self.bounds, self._settings):
                self.reaching_back[campaign_id] = earlier[-1].window.start

    def group(self, campaigns: Iterable[str]) -> list[list[str]]:
        """Campaigns that are kept up to date first, then those whose backfill may use up the hourly limit."""
        begun, new = list[str](), list[str]()
        for campaign_id in campaigns:
            (begun if self.cursors(campaign_id).get(Mark.UPDATED) else new).append(campaign_id)
        return [group for group in (begun, new) if group]

    def is_first(self, campaign_id: str) -> bool:
        """Whether this run reads all of a campaign by last-updated."""
        return passes.is_first(self.cursors(campaign_id), self.bounds, self._settings)

    def plan_updated(self, campaign_id: str, spent: timedelta = timedelta(0)) -> list[Reading]:
        """Windows of the updated pass; `spent` is how long the run has been going on."""
        cursors, bounds = self.cursors(campaign_id), replace(self.bounds, spent=spent)
        apart = self._warehouse.any("item_fetches")
        return [
            *passes.plan_updated(campaign_id, cursors, bounds, self._settings, apart=apart),
            *passes.plan_earlier(campaign_id, cursors, bounds, self._settings),
        ]

    def plan_in_turn(self, plan: Plan, campaigns: Iterable[str], clock: Callable[[], datetime]) -> Iterator[Reading]:
        """Windows of a pass by last-updated, planned campaign by campaign as reading gets there.

        A long run moves the API's horizon: windows planned at its start would be refused as too old.
        """
        for campaign_id in campaigns:
            yield from plan(campaign_id, clock().replace(microsecond=0) - self.bounds.now)

    def plan_locking(self, campaign_id: str, seen: datetime | None = None) -> list[Reading]:
        """Windows of the locking pass, given the furthest LockingDate that was `seen` in this run."""
        known = (self._warehouse.furthest_lock(campaign_id), seen)
        cursors = self.cursors(campaign_id)
        start = passes.lookback_start(cursors, self.bounds, self._settings)
        return passes.plan_locking(
            campaign_id,
            cursors,
            self.bounds,
            self._settings,
            furthest=max((moment for moment in known if moment), default=None),
            uncleared=self._warehouse.uncleared_locks(campaign_id, start, self.bounds.until),
        )

    def plan_feed(self, campaign_id: str, spent: timedelta = timedelta(0)) -> list[Reading]:
        """Windows of the change feed; none unless items are derived from it."""
        if self._settings.items != "feed":
            return []
        return passes.plan_feed(
            campaign_id, self.cursors(campaign_id), replace(self.bounds, spent=spent), self._settings
        )

    def plan_watch(self, campaign_id: str) -> Watch:
        """What the run should meet; no open actions if the run leaves something out or is the campaign's first."""
        cursors, bounds, opened = self.cursors(campaign_id), self.bounds, {}
        if passes.vouches(cursors, bounds, self._settings) and not self.is_first(campaign_id):
            lookback = passes.lookback_start(cursors, bounds, self._settings)
            locked = min(cursors.get(Mark.LOCKING) or bounds.until, bounds.until)
            opened = self._warehouse.open_actions(campaign_id, locked, lookback)
        gone = self._warehouse.gone(campaign_id)
        opened = {id_: at for id_, at in opened.items() if id_ not in gone or gone[id_].is_due(bounds.now)}
        return Watch(opened, self._warehouse.rejected(campaign_id), gone=gone)

    def plan_unseen(self, campaign_id: str, watch: Watch) -> tuple[list[Reading], list[str]]:
        """Windows, and ids to read one by one, of what the run should have met and has not."""

        def count(window: Window) -> int:
            return sum(n for _, n in self._warehouse.counts(campaign_id, Axis.EVENT, {Axis.EVENT: window}))

        readings, ids = plan_unseen(campaign_id, watch.unseen, count, self.bounds, self._settings.page_size)
        return readings + windows_of(campaign_id, watch.missing.values()), ids
