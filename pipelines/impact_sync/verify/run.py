"""`impact verify`: an independent proof that the warehouse is true, and the repair of what is not.

A campaign is read once more along the EventDate, which no sync walks along, and every column is compared. What
changed since the last sync is *newer* and no drift; any other difference is read a second time before it counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

import dlt
from impact_source import Ask, Settings, impact
from impact_source.account import State, claim_warehouse
from impact_source.actions.events import WindowDone
from impact_source.actions.reading import WindowReader
from impact_source.actions.runner import Progress
from impact_source.actions.unread import Failure
from impact_source.api.client import Client
from impact_source.campaigns import Campaigns, explain, find_campaigns
from impact_source.errors import ConfigurationError
from impact_source.plan.cursors import Cursors, Mark
from impact_source.plan.passes import Bounds, Pass
from impact_source.plan.windows import Window, cut
from impact_source.rows.landing import Landing, versions
from impact_source.rows.ledger import rejected_row
from impact_source.settings import LATE
from impact_source.warehouse import Warehouse

from ..console.exits import Exit, exit_code, worst_exit
from ..load.descriptions import describe
from ..load.runs import Run, recording, runs
from ..warehouse.history import History
from ..warehouse.history_check import Fault
from ..warehouse.open import open_pipeline
from .campaign import CampaignCheck, Plan
from .compare import Difference, compare
from .findings import Count, Findings
from .held import Held

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    """What a verification found."""

    run_id: str
    names: dict[str, str]
    """Of the campaigns, by id."""
    counts: dict[tuple[str, str | None], Count]
    """By campaign and month of the EventDate."""
    differences: tuple[Difference, ...]
    requests: int
    unverifiable: int
    """Actions held that the API tells nothing of any more."""
    repaired: bool = False
    """Whether everything that differed was mended, and what is gone taken note of."""
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What could not be read, and so was not compared."""
    left_out: int = 0
    """Windows and actions that were not asked for, since so many before them could not be read."""
    history: tuple[Fault, ...] = ()
    """What was wrong with the versions of actions and items."""

    @property
    def drift(self) -> tuple[Difference, ...]:
        """The differences that count: all but those that were acknowledged before."""
        return tuple(one for one in self.differences if not one.acknowledged)

    @property
    def exit(self) -> Exit:
        """The exit code of the command."""
        if self.failures:
            return worst_exit(self.failures)
        return Exit.DRIFT if (self.drift or self.history) and not self.repaired else Exit.DONE


def verify(
    settings: Settings,
    ask: Ask = Ask(),  # noqa: B008 - it is immutable
    *,
    repair: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Compare the warehouse with the API, note what differs in `verify_results`, and with `repair` mend it.

    What cannot be read is in the report; everything else is compared. Raises an `ImpactError`, no finding written,
    where nothing could be read.
    """
    with (
        open_pipeline() as pipeline,
        Client(settings) as client,
        Verification(client, pipeline, ask, repair=repair, on_progress=on_progress) as verification,
    ):
        with recording(pipeline, verification.failed_row):
            kept = History(pipeline, on=settings.history)
            verification.history = tuple(kept.faults(Warehouse(pipeline).latest_run() or _LONG_AGO))
            verification.read(pipeline.state.get("sources", {}).get("impact", {}))
            pipeline.run([impact(walk=verification, history=settings.history), runs(verification.ledger_row)])
            kept.actions(verification.earliest)
            if repair and verification.history:
                kept.repair(client.clock.now())
        describe(pipeline)
        report = verification.report()
        return replace(report, repaired=False) if repair and kept.faults() else report


@dataclass
class _Scope:
    """What is verified: names and cursors of the campaigns that were chosen, and those of them that can be."""

    names: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, datetime | None] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    """All campaigns of the account."""


class Verification:
    """Verifies an account once: `read`, have `package` landed, `report`. Close it, or use it as a context."""

    def __init__(
        self,
        client: Client,
        pipeline: dlt.Pipeline,
        ask: Ask = Ask(),  # noqa: B008 - it is immutable
        *,
        repair: bool = False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.run_id = uuid.uuid4().hex
        self.history: tuple[Fault, ...] = ()
        """What was found wrong with the versions beforehand."""
        self._client, self._ask, self._repair, self._on_progress = client, ask, repair, on_progress
        self._warehouse, self._held, self._findings = Warehouse(pipeline), Held(pipeline), Findings()
        self._reader = WindowReader(client, client.settings.page_size, self._held)
        self._scope = _Scope()
        self._campaigns: Campaigns | None = None
        self._windows: list[dict[str, Any]] = []
        self._planned = self._rows = 0
        self._began: datetime | None = None

    def __enter__(self) -> Self:
        """The verification itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is fetched ahead."""
        self._reader.close()

    def read(self, state: State) -> None:
        """Read and compare. `state` is that of the source; it is left as it is."""
        state = deepcopy(state)
        claim_warehouse(state, self._client.settings)
        if not state.get("campaigns") and not self._held.any:
            msg = "there is nothing to verify yet: run `impact sync` first"
            raise ConfigurationError(msg)
        self._scope = scope = self._choose(state)
        self._client.clock.not_before(self._warehouse.latest_run())
        self._began = self._client.clock.now()
        gone = self._held.gone()
        self._planned = sum(len(self._plan(id_).windows) for id_ in scope.begun)
        for id_ in scope.begun:
            plan = self._plan(id_)  # as of now: the API's horizon moves while others are read
            self._reader.horizon = Window(plan.bounds.earliest, max(plan.bounds.now, plan.bounds.until))
            check = CampaignCheck(
                plan, self._client, self._reader, self._held, self._findings, on_window=self._window_done
            )
            check.run(gone)
        if error := self._reader.unread.unanswered:
            raise error

    def package(self, state: State) -> Iterator[Landing]:
        """What is to be written: the windows that were read, the findings, and the rows to mend."""
        claim_warehouse(state, self._client.settings)
        findings = list(self._findings.rows(self.run_id, self._client.clock.now(), repaired=self._repair))
        yield Landing(windows=self._windows, findings=findings)
        if not self._repair:
            return
        mended = self._findings.misfits.keys() & self._findings.differences.keys()
        misfits = [self._findings.misfits[id_] for id_ in sorted(mended)]
        yield Landing(rejected=[rejected_row(record, batch.origin(self.run_id)) for record, batch in misfits])
        for rows in self._findings.mend:
            yield Landing(actions=rows, versions=versions(rows, Pass.VERIFY.value))

    @property
    def earliest(self) -> datetime | None:
        """When it began, if rows are mended."""
        return self._began if self._repair and self._findings.mend else None

    def ledger_row(self) -> Run:
        """The row of `sync_runs`: when it was verified, and how that ended."""
        drift = bool(self.history) or any(not one.acknowledged for one in self._findings.differences.values())
        ended = ("repaired" if self._repair else "drift") if drift else "done"
        code = Exit.DRIFT if ended == "drift" else Exit.DONE
        if failures := self._reader.unread.failures:
            code, ended = worst_exit(failures), type(failures[0].error).__name__
        now, spent = self._client.clock.now(), self._client.budget.spent
        return Run(self.run_id, self._began, now, None, f"verify: {ended}", int(code), self._rows, spent)

    def failed_row(self, cause: BaseException) -> Run:
        """The row of `sync_runs` of a verification that failed."""
        now, spent = self._client.clock.now(), self._client.budget.spent
        code, outcome = int(exit_code(cause)), f"verify: {type(cause).__name__}"
        return Run(self.run_id, self._began or now, now, None, outcome, code, self._rows, spent)

    def report(self) -> Report:
        """What was found, and whether the warehouse now holds every row that was to be mended."""
        all_ = not (self._ask.campaigns or self._client.settings.campaign_ids)
        refused = self._reader.unread.refused
        counted = [id_ for id_ in self._scope.listed if id_ not in refused] if all_ else list(self._scope.names)
        return Report(
            self.run_id,
            self._scope.names,
            self._findings.counts,
            tuple(self._findings.differences.values()),
            self._client.budget.spent,
            self._held.unverifiable(counted, self._bounds().earliest, strays=all_),
            self._repair and self._is_mended(),
            tuple(self._notes()),
            tuple(self._reader.unread.failures),
            len(self._reader.unread.left_out) + self._reader.unread.actions_left_out.total(),
            self.history,
        )

    def _is_mended(self) -> bool:
        found = [compare(rows, self._warehouse.actions(rows["id"])) for rows in self._findings.mend]
        return not any(len(one.differing) for one in found)

    def _choose(self, state: State) -> _Scope:
        """The campaigns to verify. Raises `UnknownCampaign` where one was asked for that there is not."""
        asked = self._ask.campaigns or self._client.settings.campaign_ids
        campaigns = find_campaigns(self._client, self._warehouse, asked)
        self._campaigns, self._reader.unread.lost = campaigns, campaigns.lost
        ids = campaigns.choose(asked)
        chosen = {id_: campaigns.names[id_] for id_ in ids}
        cursors = {id_: Cursors(state, id_).get(Mark.UPDATED) for id_ in chosen}
        held = self._held.campaigns()
        return _Scope(chosen, cursors, [id_ for id_ in chosen if cursors[id_] or id_ in held], list(campaigns.names))

    def _bounds(self) -> Bounds:
        now = self._client.clock.now().replace(microsecond=0)
        return Bounds(now, self._ask.until or now, self._ask.since)

    def _plan(self, campaign_id: str) -> Plan:
        bounds, configured = self._bounds(), self._client.settings.start_date
        since = bounds.since
        if since is None and configured:  # what is held from before a configured start is verified too
            since = min(configured, self._held.earliest(campaign_id) or configured)
        start = max(since or bounds.earliest, bounds.earliest)
        if start > bounds.until:
            msg = f"there is nothing to verify between {start.isoformat()} and {bounds.until.isoformat()}"
            raise ConfigurationError(msg)
        return Plan(
            campaign_id,
            tuple(cut(start, bounds.until)),
            bounds,
            self._scope.cursors[campaign_id],
            open_ended=self._ask.until is None,
            expected_from=configured,
        )

    def _window_done(self, done: WindowDone) -> None:
        self._windows.append(done.row(self.run_id))
        self._rows += done.rows
        number = len(self._windows)
        windows, left = max(self._planned, number), self._client.budget.remaining
        self._on_progress(Progress(done.reading.campaign_id, Pass.VERIFY.value, number, windows, self._rows, left))

    def _notes(self) -> Iterator[str]:
        bounds, scope, findings = self._bounds(), self._scope, self._findings
        if self._campaigns:
            yield from explain(self._campaigns, self._reader.unread.refused)
        if left_out := [id_ for id_ in scope.names if id_ not in scope.begun]:
            yield f"not synced yet and left out: {', '.join(left_out)}"
        if bounds.since and bounds.since < bounds.earliest:
            yield f"the API goes back three years: verified from {bounds.earliest.date().isoformat()}"
        if findings.rejected:
            yield f"{len(findings.rejected):,} records could not be typed and were not compared"
        if findings.unexpected:
            yield f"{findings.unexpected:,} actions from before start_date are not held, as configured"
        synced = min((at for at in scope.cursors.values() if at), default=None)
        if findings.differences and synced and bounds.now - synced > LATE:
            yield (
                f"the last sync reached {synced:%Y-%m-%d %H:%M} UTC; some changes since then leave no date and look "
                "like drift: to be sure, sync and verify again"
            )
