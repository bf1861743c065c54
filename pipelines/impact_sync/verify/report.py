"""The findings of a verification, as the command shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from impact_source.actions.unread import Failure, Unread
from impact_source.campaigns import explain
from impact_source.plan.passes import Bounds
from impact_source.settings import LATE

from ..console.exits import Exit
from ..warehouse.history_check import Fault
from . import judge
from .compare import Difference
from .findings import Count, Findings
from .scope import Scope


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
    """Actions held that the API no longer returns."""
    repaired: bool = False
    """Whether everything that differed was repaired, and what is gone acknowledged."""
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What could not be read, and so was not compared."""
    left_out: int = 0
    """Windows and actions that were not requested, because too many before them could not be read."""
    history: tuple[Fault, ...] = ()
    """What was wrong with the versions of actions and items."""
    derived: int = 0
    """Actions whose items were derived from the change feed and compared with their lists."""
    derived_unread: int = 0
    """Those that were to be compared, but whose lists could not be read."""
    derived_reason: str = ""
    """Why the first of those could not be read."""

    @property
    def drift(self) -> tuple[Difference, ...]:
        """The differences that count: all except those acknowledged before."""
        return tuple(one for one in self.differences if not one.acknowledged)

    @property
    def ended(self) -> tuple[Exit, str]:
        """The exit code and the outcome."""
        return judge.ended(self.failures, drift=bool(self.drift or self.history), repaired=self.repaired)

    @property
    def exit(self) -> Exit:
        """The exit code of the command."""
        return self.ended[0]


def notes(scope: Scope, bounds: Bounds, findings: Findings, unread: Unread) -> Iterator[str]:
    """What else the user should know."""
    yield from explain(scope.campaigns, unread.refused)
    if left_out := [id_ for id_ in scope.names if id_ not in scope.begun]:
        yield f"not synced yet and left out: {', '.join(left_out)}"
    if bounds.since and bounds.since < bounds.earliest:
        earliest = bounds.earliest.astimezone(scope.zone).date()
        yield f"the API goes back three years: verified from {earliest.isoformat()}"
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
