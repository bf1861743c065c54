"""Runs the passes one after the other: reads and lands windows, and moves cursors behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from ..api.client import Client
from ..plan.passes import Pass, Reading
from ..rows.landing import Landing
from ..rows.ledger import resolved_row
from ..warehouse import Warehouse
from .events import Batch, Events, Outcome, WindowDone
from .itinerary import Itinerary, Plan
from .landing import Lander
from .probe import prove_locking
from .reading import WindowReader

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a run stands after each window, for whoever shows it."""

    campaign_id: str
    pass_: str
    windows_done: int
    windows: int
    rows: int
    requests_left: int


class PassRunner:
    """Reads the campaigns of an itinerary."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a run
        self,
        client: Client,
        warehouse: Warehouse,
        itinerary: Itinerary,
        reader: WindowReader,
        lander: Lander,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._client, self._warehouse, self._itinerary = client, warehouse, itinerary
        self._reader, self._lander, self._on_progress = reader, lander, on_progress
        self._unread = reader.unread
        self._windows_done = self._windows = 0

    def run(self, campaigns: list[str]) -> Iterator[Landing]:
        """All passes over these campaigns, as rows to land."""
        for group in self._itinerary.group(campaigns):
            first = {campaign_id for campaign_id in group if self._itinerary.is_first(campaign_id)}
            for campaign_id in group:
                self._lander.watches[campaign_id] = self._itinerary.plan_watch(campaign_id)
            yield from self._run_updated(group)
            # A first run has just read everything from end to end: no need to read it again by another date.
            yield from self._run_locking([campaign_id for campaign_id in group if campaign_id not in first])
            for campaign_id in group:
                yield from self._run_unseen(campaign_id)
        # Last: where requests run short, actions come before the changes that their items are derived from.
        yield from self._run_in_turn(self._itinerary.plan_feed, self._with_actions(campaigns))

    def _run_updated(self, group: list[str]) -> Iterator[Landing]:
        yield from self._run_in_turn(self._itinerary.plan_updated, group)
        self._lander.blank -= set(group)

    def _with_actions(self, campaigns: list[str]) -> list[str]:
        """Those that have actions: the feed of others would be as many requests again for nothing."""
        held, tallies = self._warehouse.campaigns(), self._lander.tallies
        return [campaign_id for campaign_id in campaigns if campaign_id in held or tallies[campaign_id].read]

    def _run_in_turn(self, plan: Plan, campaigns: list[str]) -> Iterator[Landing]:
        number = sum(len(plan(campaign_id, timedelta(0))) for campaign_id in campaigns)
        yield from self._read(self._itinerary.plan_in_turn(plan, campaigns, self._client.clock.now), number)

    def _run_locking(self, group: list[str]) -> Iterator[Landing]:
        itinerary = self._itinerary
        unproven = prove_locking(self._client, self._warehouse, itinerary.state, group, itinerary.bounds)
        for failure in unproven:
            yield Landing(windows=[WindowDone.failed(failure.reading, failure.error).row(self._lander.run_id)])
            self._unread.fail(failure)
        left_out = {failure.reading.campaign_id for failure in unproven}
        furthest = self._lander.furthest
        readings = [r for c in group if c not in left_out for r in itinerary.plan_locking(c, furthest.get(c))]
        yield from self._read(readings, len(readings))

    def _run_unseen(self, campaign_id: str) -> Iterator[Landing]:
        """Re-read what can still change, or could not be read before, and was in no window of this run."""
        watch = self._lander.watches[campaign_id]
        missing = watch.missing
        readings, singles = self._itinerary.plan_unseen(campaign_id, watch)
        yield from self._read(readings, len(readings))
        # An action that its window did not return has another date now, or is gone: only a request by id can tell.
        unread = [reading.window for reading in self._unread.windows(campaign_id, Pass.UNSEEN)]
        singles += sorted(watch.unmet(unread, self._itinerary.bounds.now) - set(singles))
        yield from self._land_all(self._reader.read_singly(campaign_id, singles))
        if (met := watch.met(missing)) and not self._unread.concerns(campaign_id):
            watch.resolve(met)
            now = self._client.clock.now()
            yield Landing(rejected=[resolved_row(key, now) for key in met])

    def _read(self, readings: Iterable[Reading], number: int) -> Iterator[Landing]:
        self._windows += number
        yield from self._land_all(self._reader.read(readings))

    def _land_all(self, events: Events) -> Iterator[Landing]:
        for event in events:
            if isinstance(event, Batch):
                yield self._lander.land(event)
                continue
            done = self._move_cursors(event)
            yield Landing(windows=[done.row(self._lander.run_id)])
            self._report(done)

    def _move_cursors(self, done: WindowDone) -> WindowDone:
        """Move the cursor that a window vouches for, unless an earlier window of the pass could not be read."""
        reading = done.reading
        if not done.complete or reading.pass_ is Pass.UNSEEN:
            return done
        if self._unread.windows(reading.campaign_id, reading.pass_):
            return replace(done, outcome=Outcome.AHEAD)
        credible = self._itinerary.bounds.now - self._client.clock.excess
        cursors = self._itinerary.cursors(reading.campaign_id)
        for mark, to in reading.marks:
            cursors.move(mark, min(to, credible))
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
                rows=sum(tally.read for tally in self._lander.tallies.values()),
                requests_left=self._client.budget.remaining,
            )
        )
