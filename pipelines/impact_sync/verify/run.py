"""`impact verify`: an independent proof that the warehouse is correct, and the repair of what is not.

A campaign is read once more along the EventDate, which no sync reads along, and every column is compared. What changed
since the last sync is *newer*, not drift; any other difference is read a second time before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from dlt.extract import DltSource
from impact_source import Ask, Settings, impact
from impact_source.account import State, claim_warehouse
from impact_source.actions.events import WindowDone
from impact_source.actions.reading import WindowReader
from impact_source.actions.runner import Progress
from impact_source.campaigns import find_campaigns
from impact_source.errors import ConfigurationError
from impact_source.plan.gone import Gone
from impact_source.plan.passes import Bounds, Pass
from impact_source.plan.windows import Window
from impact_source.rows.landing import Landing, seen_by

from ..console.memory import release
from ..load.session import Load, Standing, session
from ..warehouse.duckdb.destination import little_memory
from ..warehouse.history_check import Fault, find_faults, repair_versions
from . import judge
from .campaign import Check, check_campaign
from .compare import compare
from .derived import DerivedItems
from .findings import Findings
from .held import Held
from .report import Report, notes
from .scope import Plan, Scope, choose


def verify(
    settings: Settings,
    ask: Ask = Ask(),  # noqa: B008 - it is immutable
    *,
    repair: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Compare the warehouse with the API, record differences in `verify_results`; with `repair`, repair them.

    What cannot be read is in the report; everything else is compared. Raises an `ImpactError`, without writing a
    finding, if nothing could be read.
    """
    with (
        session(settings, "verify", _check_ready, dated=ask.is_dated) as load,
        Verification(load, ask, repair=repair, on_progress=on_progress) as verification,
    ):
        load.standing = verification.standing
        verification.faults = tuple(find_faults(load.pipeline)) if settings.history else ()
        verification.read(load.state)
        for package in verification.packages():
            load(package)
        if repair and verification.faults:
            repair_versions(load.pipeline, load.client.clock.now())
        report = verification.report()
        if repair and verification.faults and any(find_faults(load.pipeline)):
            report = replace(report, repaired=False)
        load.standing = lambda: Standing(verification.rows, report.ended)
        return report


def _check_ready(load: Load) -> None:
    if not load.state.get("campaigns") and not load.warehouse.holds():
        msg = "there is nothing to verify yet: run `impact sync` first"
        raise ConfigurationError(msg)


class Verification:
    """Verifies an account once: `read`, have `packages` loaded, `report`. Close it, or use it as a context."""

    def __init__(
        self,
        load: Load,
        ask: Ask = Ask(),  # noqa: B008 - it is immutable
        *,
        repair: bool = False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.faults: tuple[Fault, ...] = ()
        """What was wrong with the versions before this run."""
        self.rows = 0
        """Actions received."""
        self._load, self._client, self._warehouse = load, load.client, load.warehouse
        self._ask, self._repair, self._on_progress = ask, repair, on_progress
        self._asked = ask.campaigns or load.client.settings.campaign_ids
        self._held, self._findings = Held(load.pipeline), Findings(load.client.settings.zone, load.run_id)
        self._reader = WindowReader(load.client, load.client.settings.page_size, self._held)
        self._derived = DerivedItems(load.client, load.warehouse, load.run_id, self._findings)
        self._scope: Scope
        self._windows: list[dict[str, Any]] = []
        self._planned = 0

    def __enter__(self) -> Self:
        """The verification itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon what is fetched ahead."""
        self._derived.close()
        self._reader.close()

    def read(self, state: State) -> None:
        """Read and compare. `state` is that of the source."""
        campaigns = find_campaigns(self._client, self._warehouse, self._asked, self._load.listed)
        self._reader.unread.lost = campaigns.lost
        zone = self._client.settings.zone
        self._scope = choose(campaigns, self._asked, self._ask, state, self._held.campaigns(), zone)
        gone = self._held.gone()
        self._planned = sum(len(self._plan(id_).windows) for id_ in self._scope.begun)
        verified: dict[str, Window] = {}
        with little_memory(self._load.pipeline):
            for id_ in self._scope.begun:
                plan = self._plan(id_)
                verified[id_] = Window(plan.windows[0].start, plan.windows[-1].end)
                self._check(plan, gone)
        if error := self._reader.unread.unanswered:
            raise error
        self._derived.check(verified)

    def _check(self, plan: Plan, gone: Mapping[str, Gone]) -> None:
        self._reader.horizon = Window(plan.bounds.earliest, max(plan.bounds.now, plan.bounds.until))
        check_campaign(Check(plan, self._client, self._reader, self._held, self._findings, gone, self._window_done))

    def packages(self) -> Iterator[DltSource]:
        """The one package of a verification; if it repairs derived items, a second one."""
        history = self._client.settings.history
        yield impact(walk=self, history=history)
        if self._repair and self._derived.repairs:
            yield impact(walk=self._derived, history=history)

    def package(self, state: State) -> Iterator[Landing]:
        """The rows to write: the windows read, the findings, and the rows that repair them."""
        claim_warehouse(state, self._client.settings)
        findings = list(self._findings.rows(self._client.clock.now(), repaired=self._repair))
        items = [one.done.row(self._load.run_id) for one in self._derived.samples]
        yield Landing(windows=[*self._windows, *items], findings=findings)
        if not self._repair:
            return
        repaired = self._findings.misfits.keys() & self._findings.differences.keys()
        yield Landing(rejected=[self._findings.misfits[id_] for id_ in sorted(repaired)])
        for rows in self._findings.repairs:
            yield Landing(actions=seen_by(rows, Pass.VERIFY.value))
        if self._derived.repairs:
            yield self._derived.items

    def standing(self) -> Standing:
        """The state for `sync_runs`: repaired, if a repair was requested, as long as nothing contradicts it."""
        drift = bool(self.faults) or any(not one.acknowledged for one in self._findings.differences.values())
        return Standing(self.rows, judge.ended(self._reader.unread.failures, drift=drift, repaired=self._repair))

    def report(self) -> Report:
        """What was found, and whether the warehouse now holds every row that repairs it."""
        scope, unread = self._scope, self._reader.unread
        bounds = scope.bounds(self._client.clock.now())
        counted = list(scope.names) if self._asked else [id_ for id_ in scope.names if id_ not in unread.refused]
        return Report(
            self._load.run_id,
            scope.names,
            self._findings.counts,
            tuple(self._findings.differences.values()),
            self._client.budget.spent,
            self._held.unverifiable(counted, bounds.earliest, strays=not self._asked),
            self._repair and self._is_repaired(),
            tuple(self._notes(bounds)),
            tuple(unread.failures),
            len(unread.left_out) + unread.actions_left_out.total(),
            self.faults,
            self._derived.compared,
            self._derived.unread,
            self._derived.reason,
        )

    def _notes(self, bounds: Bounds) -> Iterator[str]:
        yield from notes(self._scope, bounds, self._findings, self._reader.unread)
        if self._load.zone.problem:
            yield self._load.zone.problem

    def _is_repaired(self) -> bool:
        found = [compare(rows, self._warehouse.actions(rows["id"])) for rows in self._findings.repairs]
        return self._derived.is_repaired and not any(len(one.differing) for one in found)

    def _plan(self, campaign_id: str) -> Plan:
        start = self._client.settings.start
        held = self._held.earliest(campaign_id) if start else None
        return self._scope.plan(campaign_id, self._client.clock.now(), start, held)

    def _window_done(self, done: WindowDone) -> None:
        self._windows.append(done.row(self._load.run_id))
        release()
        self.rows += done.rows
        number = len(self._windows)
        windows, left = max(self._planned, number), self._client.budget.remaining
        self._on_progress(Progress(done.reading.campaign_id, Pass.VERIFY.value, number, windows, self.rows, left))
