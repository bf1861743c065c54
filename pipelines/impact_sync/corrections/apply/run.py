"""`impact corrections apply`: sends a plan, each call once, and follows it until its outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from impact_source.actions.unread import Failure
from impact_source.errors import BudgetSpent, ConfigurationError, ImpactError
from impact_source.settings import Settings

from ...console.exits import Exit, exit_code, worst_exit
from ...load.session import Standing
from ..desk import opened
from ..journal.calls import Call
from ..journal.columns import LEFT, NOT_DONE, WAITING
from .sending import CallProgress, Sender

_OUTCOMES = {Exit.DONE: "done", Exit.DRIFT: "not as asked", Exit.EARLY: "stopped early"}


@dataclass(frozen=True)
class Applied:
    """How an apply ended: the plan as the journal has it now, and what stopped it early, if anything did."""

    calls: list[Call]
    error: ImpactError | None = None
    note: str | None = None
    unread: Sequence[Failure] = ()
    """Actions that could not be read: their corrections are neither sent nor settled."""

    @property
    def exit(self) -> Exit:
        """The exit code of the command."""
        if self.error is not None and not isinstance(self.error, BudgetSpent):
            return exit_code(self.error)
        return worst_exit(self.unread) if self.unread else ended(self.calls)

    @property
    def outcome(self) -> str:
        """How it ended, in a word: what stopped it, or where the plan stands."""
        error = self.error or next((failure.error for failure in self.unread), None)
        return type(error).__name__ if error else _OUTCOMES[self.exit]


def ended(calls: list[Call]) -> Exit:
    """The exit code of a plan: work is left, something is not as requested, or all is well."""
    statuses = {row.status for call in calls for row in call.rows}
    if statuses & {*LEFT}:
        return Exit.EARLY
    return Exit.DRIFT if statuses & {*NOT_DONE, *WAITING} else Exit.DONE


def apply(
    settings: Settings,
    plan_id: str,
    *,
    limit_amount: Decimal | None = None,
    on_progress: Callable[[CallProgress], None] = lambda _: None,
) -> Applied:
    """Send what has not been sent of a plan, and settle what has.

    Raises `Disagreement` if the file beside the database knows of calls that the database does not, or is not the
    database's own, and other `ConfigurationError`s before anything is sent; later errors are in the result.
    """
    with opened(settings) as desk:
        if not (calls := desk.journal.plan(plan_id)):
            msg = f"there is no plan {plan_id}: `impact corrections status` lists them"
            raise ConfigurationError(msg)
        run = Sender(desk, len(calls), on_progress)
        error = None
        try:
            run.settle_earlier(calls)
            note = run.send(calls, limit_amount)
            run.settle(plan_id)
        except ImpactError as stopped:
            error, note = stopped, None
        applied = Applied(desk.journal.plan(plan_id), error, note, tuple(desk.rereader.unread.values()))
        desk.load.standing = lambda: Standing(ended=(applied.exit, applied.outcome))
        return applied
