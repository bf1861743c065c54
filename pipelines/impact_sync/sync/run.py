"""`impact sync`: one run over the account, package by package, each a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import dlt
from dlt.extract import DltSource
from impact_source import Ask, Settings, Walk, impact, impact_reference
from impact_source.account import State
from impact_source.account_zone import AccountZone, settle
from impact_source.actions.runner import Progress
from impact_source.actions.unread import Failure
from impact_source.api.client import Client
from impact_source.campaigns import explain
from impact_source.errors import ImpactError
from impact_source.items.queue import ItemQueue
from impact_source.items.run import ItemAsk, ItemProgress
from impact_source.plan.passes import Reading
from impact_source.reference.marks import describe
from impact_source.reference.run import NotRead, ReferenceWalk
from impact_source.rows.diff import Tally
from impact_source.warehouse import Warehouse

from ..console.exits import Exit, exit_code, worst_exit
from ..console.memory import release
from ..corrections.evidence import weigh
from ..items.run import ItemSummary, drain, kept_answers
from ..load.runs import Run
from ..load.session import Standing, session
from ..warehouse.open import open_pipeline, source_state, where


@dataclass(frozen=True)
class Summary:
    """How a run ended: its ledger row, a tally for each campaign, and what else the user should know."""

    run: Run
    tallies: dict[str, Tally] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: ImpactError | None = None
    items: ItemSummary | None = None
    failures: tuple[Failure, ...] = ()
    """What could not be read although the run went on: the cursors of those passes stay."""
    left_out: int = 0
    """Windows, actions and lists that were not requested, because too many before them could not be read."""
    warehouse: str = ""
    """The location of the warehouse."""
    not_read: tuple[NotRead, ...] = ()
    """Lists of what surrounds the actions that could not be read although the run went on."""
    rejected: int = 0
    """Records of what surrounds the actions that newly could not be typed, or not completely."""

    @property
    def exit(self) -> Exit:
        """The exit code of the command. Items that wait for requests do not count."""
        return Exit(self.run.exit_code if self.run.exit_code is not None else Exit.FAILED)


@dataclass(frozen=True)
class DryRun:
    """What a run would read: its windows, and the requests left this hour."""

    readings: tuple[Reading, ...]
    names: dict[str, str]
    requests_left: int
    seconds_a_request: float
    page_size: int
    items: int = 0
    """Actions whose items wait."""
    reference: int = 0
    """Lists of what surrounds the actions that are due."""


def sync(
    settings: Settings,
    ask: Ask = Ask(),  # noqa: B008 - it is immutable
    *,
    items: bool | None = None,
    on_progress: Callable[[Progress | ItemProgress], None] = lambda _: None,
) -> Summary:
    """Read what is new and what may have changed, merge it, move the cursors; then read items within the hourly limit.

    `items` reads them (or not) whatever the settings say.

    Raises an `ImpactError` if nothing could be read; a later one is in the summary, with everything read before it
    landed.
    """
    with (
        session(settings, "sync", dated=ask.is_dated) as load,
        kept_answers(load.pipeline, settings) as spool,
        Walk(
            load.client,
            load.warehouse,
            load.run_id,
            ask,
            listed=load.listed,
            on_progress=on_progress,
            on_updated=lambda ids: spool.forget(id_.as_py() for id_ in ids),
            on_landed=release,
        ) as walk,
    ):
        read: list[ItemSummary] = []
        around = ReferenceWalk(load.client, load.warehouse, load.run_id, lambda: _surrounded(walk))
        load.standing = lambda: _standing(walk, around, *read)
        for package in _packages(walk):
            load(package)
        if walk.stopped is None and around.due(load.state):
            load(impact_reference(walk=around))
        load.ask_zone()
        if walk.stopped is None:
            refused = {id_: str(failure.error) for id_, failure in walk.unread.without_feed.items()}
            wanted = ItemAsk(ask.campaigns or settings.campaign_ids, _most(settings, items), refused=refused)
            read.append(drain(load, wanted, spool, on_progress))
        weigh(load.pipeline, load.client.clock.now())
        zone = load.decide_zone()
        return Summary(
            load.row(),
            dict(walk.tallies),
            walk.names,
            (*_notes(walk, zone), *(f"left out: {line}" for line in describe(one.told for one in around.refused))),
            walk.stopped or around.stopped,
            next(iter(read), None),
            tuple(walk.unread.failures),
            len(walk.unread.left_out) + walk.unread.actions_left_out.total() + around.left_out,
            where(load.pipeline),
            tuple(around.failures),
            around.rejected,
        )


def dry_run(settings: Settings, ask: Ask = Ask(), *, items: bool | None = None) -> DryRun:  # noqa: B008 - immutable
    """What `sync` would read, found with the one request that lists the campaigns, and one for the zone of a date."""
    with open_pipeline() as pipeline, Client(settings) as client:
        state = source_state(pipeline)
        settle(client, state, Warehouse(pipeline), dated=ask.is_dated)
        with Walk(client, Warehouse(pipeline), "", ask) as walk:
            return _plan(walk, pipeline, state, items)


def _plan(walk: Walk, pipeline: dlt.Pipeline, state: State, items: bool | None) -> DryRun:  # noqa: FBT001 - as `_most`
    readings, client = walk.plan(state), walk.client
    left, seconds = client.budget.remaining, client.seconds_a_request
    now = client.clock.now()
    wait = ItemQueue(Warehouse(pipeline)).length(now) if _most(walk.settings, items) != 0 else 0
    due = len(ReferenceWalk(client, Warehouse(pipeline), "", lambda: _surrounded(walk)).due(state))
    return DryRun(tuple(readings), walk.names, left, seconds, walk.settings.page_size, wait, due)


def _packages(walk: Walk) -> Iterator[DltSource]:
    while not walk.finished:
        yield impact(walk=walk, history=walk.settings.history)


def _surrounded(walk: Walk) -> list[str]:
    """The campaigns whose surroundings are read: whatever else the user asks of this run, all that are configured."""
    names, lost = walk.names, walk.unread.lost
    return [id_ for id_ in walk.settings.campaign_ids or names if id_ in names and id_ not in lost]


def _most(settings: Settings, wanted: bool | None) -> int | None:  # noqa: FBT001 - said or not said by the user
    """Requests that may be spent on items."""
    if settings.items == "off" and not wanted:
        return 0
    return {None: settings.items_max_requests, True: settings.items_max_requests or None, False: 0}[wanted]


def _standing(walk: Walk, around: ReferenceWalk, items: ItemSummary | None = None) -> Standing:
    """The current row of the ledger: with its outcome once the walk has ended."""
    started = walk.bounds.now if walk.bounds else None
    return Standing(walk.rows, _ended(walk, around, items) if walk.finished else None, started, walk.until)


def _ended(walk: Walk, around: ReferenceWalk, items: ItemSummary | None) -> tuple[Exit, str]:
    """The exit code and the outcome of the passes and of what surrounds them, or of the items if these ended worse."""
    if walk.stopped is not None:
        code = exit_code(walk.stopped)
        return code, "stopped early" if code is Exit.EARLY else type(walk.stopped).__name__
    failures: list[Failure | NotRead] = [*walk.unread.failures, *around.failures]
    if failures:
        return worst_exit(failures), type(failures[0].error).__name__
    if around.stopped is not None:
        return Exit.EARLY, "stopped early"
    if around.rejected or any(tally.rejected for tally in walk.tallies.values()):
        return Exit.DRIFT, "rejected records"
    if items is not None and (ended := items.ended)[0] is not Exit.EARLY:
        code, outcome = ended
        return code, f"items: {outcome}" if code > Exit.DRIFT else outcome
    return Exit.DONE, "done"


def _notes(walk: Walk, zone: AccountZone) -> tuple[str, ...]:
    notes = list(explain(walk.campaigns, walk.unread.refused)) if walk.campaigns else []
    notes += [zone.problem] if zone.problem else []
    bounds = walk.bounds

    def day(moment: datetime) -> str:
        return moment.astimezone(walk.settings.zone).date().isoformat()

    if bounds and bounds.since and bounds.since < bounds.earliest:
        notes.append(f"the API goes back three years: synced from {day(bounds.earliest)}, not {day(bounds.since)}")
    notes += [
        f"campaign {campaign_id}: start_date is now earlier; read from {day(start)} on as well"
        for campaign_id, start in walk.reaching_back.items()
    ]
    if bounds and bounds.until > bounds.now:
        notes.append(f"--until is ahead of the server's clock; cursors stop at {bounds.now.isoformat()}")
    if walk.client.clock.skew:
        notes.append(f"{walk.client.clock.describe()}; using the server's")
    if odd := walk.client.clock.describe_odd():
        notes.append(odd)
    return tuple(notes)
