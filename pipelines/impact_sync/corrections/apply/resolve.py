"""`impact corrections resolve`: a person settles what no answer does, after one more look at the actions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from impact_source.errors import ConfigurationError, NotFound, ReadingError
from impact_source.settings import Settings

from ...warehouse.open import beside, open_pipeline
from ..desk import opened
from ..journal.calls import Call
from ..journal.columns import Status
from ..journal.file import JournalFile, restored
from ..journal.table import Journal
from ..live import not_as_asked
from ..plan.run import actor
from .lost import settle_lost
from .settle import Settler

VERDICTS = {
    Status.CONFIRMED: "it took effect",
    Status.REFUSED: "it took no effect, and must not be sent again",
    Status.PLANNED: "it took no effect, and apply may send it again",
}
"""The verdicts that a person may give on a call, and what each means."""


@dataclass(frozen=True)
class Waiting:
    """A call that waits for a person, and how its action differs from the request; None if it does not."""

    call: Call
    shows: str | None


def look(settings: Settings, plan_id: str) -> list[Waiting]:
    """Settle what the actions of a plan show by now; return the calls that still wait, with what their actions show."""
    with opened(settings) as desk:
        _known(desk.journal, plan_id)
        lost = [call for call in desk.journal.waiting(plan_id) if call.status == Status.UNKNOWN]
        settler = Settler(desk.client, desk.journal, desk.file, desk.rereader)
        if lost:
            settle_lost(settler, lost)
            settler.poll_all()
        waiting = desk.journal.waiting(plan_id)
        found = []
        for call in waiting:
            now = desk.rereader.look(call)
            if isinstance(now, ReadingError):
                said = "the API does not know the action" if isinstance(now, NotFound) else f"cannot be read: {now}"
                found.append(Waiting(call, said))
                continue
            told = [wrong for row in call.rows if (wrong := not_as_asked(call, row, now))]
            found.append(Waiting(call, "; ".join(dict.fromkeys(told)) or None))
        return found


def settle(settings: Settings, plan_id: str, lines: Collection[int], verdict: Status, note: str) -> list[Call]:
    """Record a person's decision on waiting calls of a plan: those with one of `lines`, all if none is given.

    Raises `ConfigurationError` if a line does not wait.
    """
    with open_pipeline() as pipeline:
        journal, file = Journal(pipeline), JournalFile(beside(pipeline))
        file.compare(journal.left(), journal.at_home())
        _known(journal, plan_id)
        waiting = journal.waiting(plan_id)
        named = [call for call in waiting if not lines or any(row.line in lines for row in call.rows)]
        if missing := set(lines) - {row.line for call in named for row in call.rows}:
            msg = f"line {', '.join(map(str, sorted(missing)))} of plan {plan_id} does not wait for a decision"
            raise ConfigurationError(msg)
        now, who = datetime.now(UTC), actor(settings)
        for call in named:
            said = f"{who}: {VERDICTS[verdict]}" + (f" ({note})" if note else "")
            outcome = "; ".join(part for part in (call.first.outcome, said) if part)
            settled_at = None if verdict is Status.PLANNED else now
            # The file first: if only the file says "may be sent again", nothing is sent; the other way round, apply
            # refuses.
            file.stands(call, verdict, now)
            journal.record(call, verdict, outcome, settled_at=settled_at, settled_by=who, searched_at=None)
        return named


def from_file() -> int:
    """Bring the table up to the file beside the database; return how many corrections were added or changed.

    Raises `Disagreement` if the file is not the database's own.
    """
    with open_pipeline() as pipeline:
        journal, file = Journal(pipeline), JournalFile(beside(pipeline))
        rows = restored(file.read(), journal.left())
        if rows:
            journal.restore(rows)
        file.compare(journal.left(), journal.at_home())
        return len(rows)


def to_file() -> Path:
    """Bring the file beside the database up to the table; return where it is.

    Only a person knows that the file is lost and that nothing is sent from where it might have gone.
    """
    with open_pipeline() as pipeline:
        journal, file = Journal(pipeline), JournalFile(beside(pipeline))
        file.rewrite(journal.calls(), datetime.now(UTC))
        return file.path


def _known(journal: Journal, plan_id: str) -> None:
    if not journal.plan(plan_id):
        msg = f"there is no plan {plan_id}: `impact corrections status` lists them"
        raise ConfigurationError(msg)
