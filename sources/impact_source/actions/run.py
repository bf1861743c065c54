"""One run over an account, cut into load packages that are checkpoints.

A walk outlives its packages: it keeps what is fetched ahead for the next one while this one loads. Cursors move in the
state of the package that carries the rows they vouch for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol, Self

import pyarrow as pa

from ..account import Ask, State, claim_warehouse
from ..api.client import Client
from ..campaigns import Campaigns, find_campaigns
from ..errors import ImpactError
from ..plan.cursors import Mark
from ..plan.passes import Bounds, Reading
from ..plan.windows import Window
from ..rows.diff import Tally
from ..rows.landing import Landing, declare_tables, gather
from ..warehouse import Warehouse
from .itinerary import Itinerary
from .landing import Lander
from .reading import WindowReader
from .runner import PassRunner, Progress
from .unread import Unread

_GATHERED = 40_000
"""Actions handed to dlt at once."""


class Packages(Protocol):
    """What the source loads from: rows of one load package at a time."""

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next package; what it changes in `state` lands with them."""


class Walk:
    """Reads an account once, in as many packages as it takes. Close it, or use it as a context.

    After the last package `stopped` is None, or the error that ended the walk early with everything read before it
    landed. `unread` lists what could not be read although the walk went on; the cursors of those passes stay.
    `on_landed` is called after each page that was compared with the warehouse.
    """

    def __init__(  # noqa: PLR0913 - the parts of a run
        self,
        client: Client,
        warehouse: Warehouse,
        run_id: str,
        ask: Ask = Ask(),  # noqa: B008 - it is immutable
        *,
        listed: Campaigns | None = None,
        package_rows: int | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_updated: Callable[[pa.Array], None] = lambda _: None,
        on_landed: Callable[[], None] = lambda: None,
    ) -> None:
        self.client, self.settings, self.ask, self.run_id = client, client.settings, ask, run_id
        self.names: dict[str, str] = {}
        self.campaigns: Campaigns | None = None
        """The account's campaigns, once listed."""
        self.stopped: ImpactError | None = None
        self.finished = False
        self._warehouse, self._listed, self._on_progress = warehouse, listed, on_progress
        self._on_landed = on_landed
        self._package_rows = package_rows or client.settings.package_rows
        self._reader = WindowReader(client, client.settings.page_size, warehouse)
        self._lander = Lander(warehouse, run_id, on_updated=on_updated)
        self._itinerary: Itinerary | None = None
        self._steps: Iterator[Landing] | None = None

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
        """The tally of each campaign."""
        return self._lander.tallies

    @property
    def bounds(self) -> Bounds | None:
        """The limits of the run; None before it has listed the campaigns."""
        return self._itinerary.bounds if self._itinerary else None

    @property
    def reaching_back(self) -> dict[str, datetime]:
        """Campaigns read from a later start than `start_date` says now, with the instant they are now read from."""
        return self._itinerary.reaching_back if self._itinerary else {}

    @property
    def until(self) -> datetime | None:
        """Up to when changes are read: never past the server's now when the run began, as all its answers show it."""
        if self.bounds is None:
            return None
        return min(self.bounds.until, self.bounds.now - self.client.clock.excess)

    @property
    def rows(self) -> int:
        """Actions received so far."""
        return sum(tally.read for tally in self.tallies.values())

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next load package; moves the cursors in `state`, which must land with them."""
        claim_warehouse(state, self.settings)
        if self._itinerary:
            self._itinerary.state = state
        self._lander.new_package()
        enough = self._lander.received + self._package_rows
        if self._steps is None:
            self._steps = self._walk(state)
        yield from gather(self._until(enough, self._steps), _GATHERED)

    def plan(self, state: State) -> list[Reading]:
        """The windows that a run would read now, without reading them."""
        claim_warehouse(state, self.settings)
        _, chosen = self._choose()
        itinerary = self._begin(state)
        itinerary.check_rows(chosen)
        return [
            reading
            for group in itinerary.group(chosen)
            for campaign_id in group
            for reading in itinerary.plan_updated(campaign_id)
            + ([] if itinerary.is_first(campaign_id) else itinerary.plan_locking(campaign_id))
            + itinerary.plan_feed(campaign_id)
        ]

    def _until(self, enough: int, steps: Iterator[Landing]) -> Iterator[Landing]:
        """Read until so many actions were received; if there is nothing more, the walk is finished."""
        try:
            for landing in steps:
                yield landing
                if not self._lander.blank:  # a backfill compares nothing with the warehouse, which takes most memory
                    self._on_landed()
                if self._lander.received >= enough:
                    return
        except ImpactError as error:
            if not self.unread.any_read and not self._lander.received:
                raise  # nothing to land
            self.stopped = error
        if self.stopped is None and (error_ := self.unread.unanswered):
            raise error_
        self.finished = True

    def _walk(self, state: State) -> Iterator[Landing]:
        campaigns, chosen = self._choose()
        itinerary = self._begin(state)
        yield Landing(campaigns=campaigns.table)
        yield from declare_tables(self._warehouse.holds, history=self.settings.history)
        itinerary.check_clock(chosen)
        itinerary.check_rows(chosen)
        self._lander.blank = set(chosen) - self._warehouse.campaigns()
        self._lander.without_changes = {c for c in chosen if itinerary.cursors(c).get(Mark.FEED) is None}
        runner = PassRunner(self.client, self._warehouse, itinerary, self._reader, self._lander, self._on_progress)
        yield from runner.run(chosen)

    def _choose(self) -> tuple[Campaigns, list[str]]:
        asked = self.ask.campaigns or self.settings.campaign_ids
        self.campaigns = campaigns = find_campaigns(self.client, self._warehouse, asked, self._listed)
        self.names, self.unread.lost = campaigns.names, campaigns.lost
        return campaigns, campaigns.choose(asked)

    def _begin(self, state: State) -> Itinerary:
        now = self.client.clock.server_now.replace(microsecond=0)
        self.client.clock.not_before(self._warehouse.latest_run())  # for timestamps; windows end at the server's now
        bounds = self.ask.bounds(now, self.settings.zone)
        self._itinerary = Itinerary(self._warehouse, self.settings, bounds, state)
        self._reader.horizon = Window(bounds.earliest, max(now, bounds.until))
        return self._itinerary
