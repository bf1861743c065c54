"""`impact items`, and the last part of `impact sync`: the queue of items, drained package by package."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import dlt
from impact_source import Settings, impact_items
from impact_source.api.client import Client
from impact_source.campaigns import list_campaigns
from impact_source.errors import BudgetSpent, ConfigurationError, ImpactError
from impact_source.items.landing import ItemTally
from impact_source.items.queue import Coverage, ItemQueue
from impact_source.items.run import ItemAsk, ItemProgress, ItemWalk
from impact_source.items.spool import Spool
from impact_source.settings import SPARED
from impact_source.warehouse import Warehouse

from ..console.exits import Exit, exit_code, outcome_of
from ..load.descriptions import describe
from ..load.runs import Run, recording, runs
from ..views import create_views
from ..warehouse.history import History
from ..warehouse.open import open_pipeline

OnProgress = Callable[[ItemProgress], None]


@dataclass(frozen=True)
class ItemSummary:
    """How a drain ended: what was read, how far items are known now, and what an hour allows for more."""

    tally: ItemTally
    coverage: Coverage
    per_hour: int
    requests: int
    error: ImpactError | None = None

    @property
    def ended(self) -> tuple[Exit, str]:
        """The exit code that the drain stands for, and its name."""
        if self.error is not None and not isinstance(self.error, BudgetSpent):
            return exit_code(self.error), f"items: {type(self.error).__name__}"
        if self.tally.rejected:
            return Exit.DRIFT, "rejected records"
        # What was asked for and could not be typed does not wait: running again at once would not help.
        if self.coverage.waiting > self.tally.again - self.tally.failed:
            return Exit.EARLY, "stopped early"
        return Exit.DONE, "done"


def items(
    settings: Settings, max_requests: int | None = None, *, on_progress: OnProgress = lambda _: None
) -> ItemSummary:
    """Drain the queue.

    Raises an `ImpactError` if nothing could be read; one that came later is in the summary.
    """
    ask = ItemAsk(settings.campaign_ids, max_requests, wait=True)
    with open_pipeline() as pipeline, Client(settings) as client, kept_answers(pipeline, settings) as spool:
        if not ItemQueue(Warehouse(pipeline)).ready:
            msg = "there are no actions yet whose items could be read: run `impact sync` first"
            raise ConfigurationError(msg)
        reached = Warehouse(pipeline).latest_run()
        list_campaigns(client, reached)  # sets the clock, hears the budget, tries the credentials
        client.clock.not_before(reached)
        run = Run(uuid.uuid4().hex, client.clock.now(), None, None, "items: running", None, 0, 0)

        def row(code: Exit | None, outcome: str) -> Run:
            now = client.clock.now() if code is not None else None
            number = int(code) if code is not None else None
            return replace(run, finished=now, outcome=outcome, exit_code=number, requests=client.budget.spent)

        with recording(pipeline, lambda error: row(exit_code(error), f"items: {outcome_of(error)}")):
            summary = drain(
                pipeline,
                client,
                run.run_id,
                ask,
                spool=spool,
                row=lambda: row(None, run.outcome),
                history=History(pipeline, on=settings.history),
                on_progress=on_progress,
            )
            code, outcome = summary.ended
            pipeline.run(runs(lambda: row(code, f"items: {outcome.removeprefix('items: ')}")))
        create_views(pipeline)
        describe(pipeline)
        return summary


def drain(  # noqa: PLR0913 - one fact each
    pipeline: dlt.Pipeline,
    client: Client,
    run_id: str,
    ask: ItemAsk,
    *,
    spool: Spool,
    row: Callable[[], Run],
    history: History,
    on_progress: OnProgress = lambda _: None,
) -> ItemSummary:
    """Land what the queue and the hour allow, each package with the run's `row`."""
    warehouse = Warehouse(pipeline)
    before = client.budget.spent
    with ItemWalk(client, warehouse, run_id, ask, spool=spool, on_progress=on_progress) as walk:
        while walk.waiting and not walk.finished:
            pipeline.run([impact_items(walk=walk, history=client.settings.history), runs(row)])
            walk.landed()
    history.items(walk.earliest)
    warehouse.refresh()
    per_hour = 0 if ask.max_requests == 0 else max(1, int(client.budget.per_hour * (1 - SPARED)))
    coverage = ItemQueue(warehouse, ask.campaigns).coverage()
    return ItemSummary(walk.tally, coverage, per_hour, client.budget.spent - before, walk.stopped)


@contextmanager
def kept_answers(pipeline: dlt.Pipeline, settings: Settings) -> Iterator[Spool]:
    """Beside the working folder, which each run empties."""
    spool = Spool(Path(str(pipeline.pipelines_dir)).with_suffix(".items"), settings)
    try:
        yield spool
    finally:
        spool.close()
