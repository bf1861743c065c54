"""One drain of the item queue, cut into load packages that are checkpoints.

A package is landed by `pipeline.run(impact_items(walk=walk))`, until the walk is `finished`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice
from typing import Protocol, Self

import pyarrow as pa

from ..account import State, claim_warehouse
from ..api.client import Client
from ..errors import ImpactError
from ..rows.landing import Landing, declare_items
from ..settings import SPARED
from ..warehouse import Warehouse
from .feed.derive import FeedItems
from .landing import ItemLander, ItemTally
from .queue import ItemQueue, Listing, Queued
from .reading import ItemReader
from .spool import Spool

_log = logging.getLogger(__name__)
_PACKAGE = 500
"""Actions whose items make a load package."""
_QUEUED = 20_000
"""Actions taken off the queue at once."""
_SETTLE = Landing()
"""Nothing, so that what is due lands first."""


@dataclass(frozen=True)
class ItemProgress:
    """Where a drain stands: `done` actions, `of` those that the requests allow; all that were `waiting`."""

    done: int
    of: int
    waiting: int
    per_second: float
    requests_left: int


@dataclass(frozen=True)
class ItemAsk:
    """What a drain should read: which campaigns, at most how many requests, whether to wait for the hourly limit."""

    campaigns: tuple[str, ...] = ()
    max_requests: int | None = None
    wait: bool = False
    refused: Mapping[str, str] | None = None
    """Campaigns whose change feed could not be read just now, with the reason; None if none was tried."""


class ItemPackages(Protocol):
    """What the source loads items from: rows of one load package at a time."""

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next package."""


class ItemWalk:
    """Drains the queue once, in as many packages as it takes. Close it, or use it as a context.

    It leaves a tenth of the hourly limit to others. After the last package `stopped` is None, or the error that ended
    it with everything read before it landed; it is a `BudgetSpent` if only the requests ran out.

    `at_once`: all packages land together, so that none sees in the warehouse what another one writes.
    """

    def __init__(  # noqa: PLR0913 - the parts of a drain
        self,
        client: Client,
        warehouse: Warehouse,
        run_id: str,
        ask: ItemAsk = ItemAsk(),
        *,
        spool: Spool | None = None,
        at_once: bool = False,
        on_progress: Callable[[ItemProgress], None] = lambda _: None,
    ) -> None:
        self.client, self.run_id, self.ask = client, run_id, ask
        self.finished = False
        self.stopped: ImpactError | None = None
        self._warehouse, self._spool, self._on_progress = warehouse, spool, on_progress
        self._at_once = at_once
        self._queue = ItemQueue(warehouse, ask.campaigns)
        self._reader = ItemReader(client, spool)
        self._lander = ItemLander(warehouse, run_id)
        self._asked: set[str] = set()
        self._feed = FeedItems(warehouse, ask.campaigns, ask.refused) if client.settings.items == "feed" else None
        self._samples: list[Queued] = []
        self._steps: Iterator[Landing] | None = None
        self._due: pa.Table | None = None
        self._left: list[str] = []
        self._of = self._waiting = 0
        self._began = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """The walk itself; its share of the hourly limit applies from now on."""
        most, wait = self.ask.max_requests, self.ask.wait
        self._stack.enter_context(self.client.budget.sparing(SPARED, most=most, wait=wait))
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon pending requests."""
        self._reader.close()
        self._stack.close()

    @property
    def tally(self) -> ItemTally:
        """What was read."""
        return self._lander.tally

    @cached_property
    def is_idle(self) -> bool:
        """Whether there is nothing to do: no action waits that may be requested, and the feed tells nothing new."""
        if self._feed is not None:
            now = self.client.clock.now()
            self._feed.read()
            self._feed.compare(now)
            self._samples = [] if self.ask.max_requests == 0 else self._feed.samples
            if self._samples or self._feed.news(ended=False) or self._feed.is_due():
                return False
        return not self._count_waiting()

    def package(self, state: State) -> Iterator[Landing]:
        """Rows of the next load package.

        Items land one package before the rows of `item_fetches` that vouch for them: each table commits on its own, and
        a run that is killed between the two must not leave an action that looks read but lacks its items.
        """
        claim_warehouse(state, self.client.settings)
        self._warehouse.refresh()
        self.landed()
        due, self._due = self._due, None
        if due is not None:
            yield Landing(fetches=due)
            self._left = due["action_id"].to_pylist()
        if self._steps is None:
            self._steps = self._walk()
        for landing in self._steps:
            if landing is _SETTLE and due is None:
                continue  # there is nothing to wait for
            self._due = landing.fetches
            yield replace(landing, fetches=None)
            if landing is _SETTLE or self._due is not None:
                return
        self.finished = True
        self.stopped = self._reader.stopped

    def landed(self) -> None:
        """Record that the last package has landed."""
        if self._spool and self._left:
            self._spool.forget(self._left)
            self._left = []

    def _walk(self) -> Iterator[Landing]:
        """What each package writes; `_SETTLE` lets what is due land first, because the next step reads it."""
        for declared in declare_items(self._warehouse.holds):
            yield declared
            if self._at_once:
                _log.warning("the tables of items have new columns now: run again to read items")
                return
        yield _SETTLE
        if self._feed is not None and not self.is_idle:
            yield from self._derive(self._feed)
        self._expect(self._count_waiting())
        yield from self._land(chain(self._new(self._samples), self._take() if self._waiting else ()))

    def _expect(self, waiting: int) -> None:
        """Note how many actions wait, and how many of them the requests allow."""
        most = waiting if self.ask.max_requests is None else self.ask.max_requests
        self._waiting, self._of = waiting, min(waiting, most if self.ask.wait else self.client.budget.allowed)

    def _derive(self, feed: FeedItems) -> Iterator[Landing]:
        """Land what the feeds tell; those that are not proven yet are judged first, by lists requested for that."""
        if self._samples and feed.is_unproven:
            self._expect(len(self._samples))
            yield from self._land(self._new(self._samples))
            yield _SETTLE
            feed.compare(self.client.clock.now())
        yield from feed.land_news(ended=False)
        for landing in feed.derive(self.client.clock.now()):
            self._lander.count_derived(landing)
            if self._at_once and landing.fetches is not None:
                self._asked.update(landing.fetches["action_id"].to_pylist())
            yield landing
        yield _SETTLE
        yield from feed.land_news(ended=True)

    def _land(self, queue: Iterable[Queued]) -> Iterator[Landing]:
        """The lists of items of these actions, a package at a time."""
        self._began = time.monotonic()
        listings = self._report(self._reader.read(queue))
        while some := list(islice(listings, _PACKAGE)):
            yield self._lander.land(some)

    def _count_waiting(self) -> int:
        """Actions that wait; none if the walk may not request any."""
        return 0 if self.ask.max_requests == 0 else self._queue.length(self.client.clock.now())

    def _take(self) -> Iterator[Queued]:
        """The queue, taken again whenever it is used up; it ends when nothing new is in it."""
        while True:
            still = 4 * _PACKAGE + self.tally.again + self.tally.not_found  # requested, but still in the queue
            queue = self._queue.take(_QUEUED + still, self.client.clock.now())
            new = self._new(queue)
            if not new:
                return
            yield from new

    def _new(self, queue: Iterable[Queued]) -> list[Queued]:
        """Those that this walk has not requested yet; from now on it has."""
        new = [queued for queued in queue if queued.action_id not in self._asked]
        self._asked.update(queued.action_id for queued in new)
        return new

    def _report(self, listings: Iterable[Listing]) -> Iterator[Listing]:
        for done, listing in enumerate(listings, 1):
            yield listing
            self._on_progress(
                ItemProgress(
                    done=done,
                    of=max(self._of, done),
                    waiting=self._waiting,
                    per_second=done / max(time.monotonic() - self._began, 1e-3),
                    requests_left=self.client.budget.remaining,
                )
            )
