"""`impact items`, and the last step of `impact sync`: the queue of items, read package by package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dlt
from dlt.extract import DltSource
from impact_source import Settings, impact_items
from impact_source.errors import BudgetSpent, ConfigurationError, ImpactError
from impact_source.items.feed.derive import read_feeds
from impact_source.items.feed.proof import Feed
from impact_source.items.landing import ItemTally
from impact_source.items.queue import Coverage, ItemQueue
from impact_source.items.run import ItemAsk, ItemProgress, ItemWalk
from impact_source.items.spool import Spool
from impact_source.settings import SPARED

from ..console.exits import Exit, exit_code
from ..load.session import Load, Standing, session
from .prove import check_provable, prove_again

OnProgress = Callable[[ItemProgress], None]


@dataclass(frozen=True)
class ItemSummary:
    """How reading items ended: what was read, how far items are known now, and how many requests an hour allows."""

    tally: ItemTally
    coverage: Coverage
    per_hour: int
    requests: int
    error: ImpactError | None = None
    feeds: tuple[Feed, ...] = ()
    """What is known of each campaign's change feed; empty if items are not derived from it."""

    @property
    def ended(self) -> tuple[Exit, str]:
        """The exit code and the name of the outcome."""
        if self.error is not None and not isinstance(self.error, BudgetSpent):
            return exit_code(self.error), type(self.error).__name__
        if self.tally.rejected:
            return Exit.DRIFT, "rejected records"
        # Items that could not be typed do not wait: running again at once would not help. Nor do names and rebates of
        # derived items: they are read as requests allow.
        if self.coverage.waiting > self.tally.again - self.tally.failed:
            return Exit.EARLY, "stopped early"
        return Exit.DONE, "done"


def items(
    settings: Settings,
    max_requests: int | None = None,
    *,
    prove: Sequence[str] = (),
    on_progress: OnProgress = lambda _: None,
) -> ItemSummary:
    """Read the items of all actions that wait for it; first forget what is known of the change feeds to `prove` again.

    Raises an `ImpactError` if nothing could be read; one that came later is in the summary.
    """
    ask = ItemAsk(settings.campaign_ids, max_requests, wait=True)

    def check(load: Load) -> None:
        _check_ready(load)
        check_provable(load, prove)

    with session(settings, "items", check) as load, kept_answers(load.pipeline, settings) as spool:
        if prove:
            prove_again(load, prove)
        summary = drain(load, ask, spool, on_progress)
        load.standing = lambda: Standing(ended=summary.ended)
        return summary


def drain(load: Load, ask: ItemAsk, spool: Spool, on_progress: OnProgress) -> ItemSummary:
    """Land the items that the queue and the hourly limit allow."""
    client, warehouse = load.client, load.warehouse
    warehouse.refresh()
    before = client.budget.spent
    with ItemWalk(client, warehouse, load.run_id, ask, spool=spool, on_progress=on_progress) as walk:
        for package in _packages(walk):
            load(package)
    warehouse.refresh()
    per_hour = 0 if ask.max_requests == 0 else max(1, int(client.budget.per_hour * (1 - SPARED)))
    coverage = ItemQueue(warehouse, ask.campaigns).coverage()
    feeds = read_feeds(warehouse) if client.settings.items == "feed" else {}
    chosen = tuple(feed for id_, feed in sorted(feeds.items()) if id_ in ask.campaigns or not ask.campaigns)
    return ItemSummary(walk.tally, coverage, per_hour, client.budget.spent - before, walk.stopped, chosen)


def _packages(walk: ItemWalk) -> Iterator[DltSource]:
    while not walk.is_idle and not walk.finished:
        yield impact_items(walk=walk, history=walk.client.settings.history)
        walk.landed()


def _check_ready(load: Load) -> None:
    if not ItemQueue(load.warehouse).ready:
        msg = "there are no actions yet whose items could be read: run `impact sync` first"
        raise ConfigurationError(msg)


@contextmanager
def kept_answers(pipeline: dlt.Pipeline, settings: Settings) -> Iterator[Spool]:
    """Answers that have not landed yet, kept beside the working folder, which each run empties."""
    spool = Spool(Path(str(pipeline.pipelines_dir)).with_suffix(".items"), settings)
    try:
        yield spool
    finally:
        spool.close()
