"""`impact corrections status`: what the journal says, without a request. A call whose sender died counts as unknown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from impact_source.errors import ConfigurationError

from ..console.exits import Exit
from ..warehouse.open import beside, open_pipeline
from .apply.run import ended
from .journal.calls import Call
from .journal.columns import WAITING, Correction, Status
from .journal.file import Disagreement, JournalFile
from .journal.queries import Queries


@dataclass(frozen=True)
class PlanStatus:
    """The status of a plan: its corrections by status, and the commission that they should move, by currency."""

    plan_id: str
    planned_at: datetime
    actor: str
    source: str
    counts: dict[str, int]
    moved: dict[str, Decimal]


@dataclass(frozen=True)
class Found:
    """What the journal says: of all plans, or of the calls of one; and where the file beside the database is."""

    plans: list[PlanStatus]
    calls: list[Call]
    file: Path
    disagreement: str | None = None
    """What the file knows and the database does not, or that it is not the database's own, if so."""

    @property
    def exit(self) -> Exit:
        """The exit code: that of the plan, if one was named."""
        return ended(self.calls) if self.calls else Exit.DONE

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        plans = [vars(one) for one in self.plans]
        rows = [vars(row) for call in self.calls for row in call.rows]
        file = str(self.file) if self.file.exists() else None  # there is none before the first plan
        return {"plans": plans, "corrections": rows, "journal_file": file, "disagreement": self.disagreement}


def status(plan_id: str | None = None) -> Found:
    """What the journal says. Raises `ConfigurationError` if there is no such plan."""
    with open_pipeline(read_only=True) as pipeline:
        journal = Queries(pipeline)
        calls = journal.plan(plan_id) if plan_id else journal.calls()
        file = JournalFile(beside(pipeline))
        disagreement = _disagreement(file, journal)
    if plan_id and not calls:
        msg = f"there is no plan {plan_id}: `impact corrections status` lists all plans"
        raise ConfigurationError(msg)
    calls = [Call(tuple(_as_known(row) for row in call.rows)) for call in calls]
    plans: dict[str, list[Correction]] = {}
    for call in calls:
        plans.setdefault(call.first.plan_id, []).extend(call.rows)
    return Found([_plan(rows) for rows in plans.values()], calls if plan_id else [], file.path, disagreement)


def _disagreement(file: JournalFile, journal: Queries) -> str | None:
    try:
        file.compare(journal.left(), journal.at_home())
    except Disagreement as error:
        return str(error)
    return None


def _as_known(row: Correction) -> Correction:
    """A correction that is being sent may never be reported on again: show it as unknown."""
    if row.status != Status.SENDING:
        return row
    return replace(row, status=str(Status.UNKNOWN), outcome="claimed by an apply that has not reported an outcome")


def _plan(rows: list[Correction]) -> PlanStatus:
    first = rows[0]
    moved: dict[str, Decimal] = {}
    for row in rows:
        currency = row.currency or ""
        moved[currency] = moved.get(currency, Decimal(0)) + (row.commission_moved or Decimal(0))
    counts = Counter(str(row.status) for row in rows)
    return PlanStatus(first.plan_id, first.planned_at, first.actor, first.source, dict(counts), moved)


def waiting(found: Found) -> int:
    """How many corrections wait for a person."""
    return sum(plan.counts.get(status, 0) for plan in found.plans for status in WAITING)
