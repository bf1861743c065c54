"""`impact corrections apply`: a plan is sent, each call once, and followed until its outcome is known.

The order is what makes it safe: the action is read and must be what the plan saw; the call is claimed in a transaction
that is committed; the file beside the database says, on the disk, that it leaves; it leaves. Killed anywhere in
between, the call counts as one that may have left, and nothing sends it again but a person's word.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import dlt

from pipelines.corrections.calls import Call
from pipelines.corrections.columns import LEFT, NEVER_LEFT, NOT_DONE, WAITING, Status
from pipelines.corrections.journal import Journal, Taken
from pipelines.corrections.journal_file import JournalFile, Known
from pipelines.corrections.live import changed_since
from pipelines.corrections.progress import CallProgress
from pipelines.corrections.reread import Rereader
from pipelines.corrections.settle import Settler
from pipelines.descriptions import describe
from pipelines.exits import Exit, exit_code
from pipelines.warehouse import beside, open_pipeline
from sources.impact.campaigns import list_campaigns
from sources.impact.client import Client
from sources.impact.errors import (
    BudgetSpent,
    ConfigurationError,
    CredentialsError,
    ImpactError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ScopeError,
    Unavailable,
)
from sources.impact.settings import Settings
from sources.impact.walk import own
from sources.impact.writer import Writer

_LOST_IN_A_ROW = 3
"""Calls without a valid answer after which no more are sent."""


@dataclass(frozen=True)
class Applied:
    """How an apply ended: the plan as the journal has it now, and what stopped it early, if anything did."""

    calls: list[Call]
    error: ImpactError | None = None
    note: str | None = None

    @property
    def exit(self) -> Exit:
        """The exit code of the command."""
        if self.error is not None and not isinstance(self.error, BudgetSpent):
            return exit_code(self.error)
        return ended(self.calls)


def ended(calls: list[Call]) -> Exit:
    """The exit code that a plan stands for: work is left, something is not as it was asked for, or all is well."""
    statuses = {row["status"] for call in calls for row in call.rows}
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
    """Send what of a plan was not sent yet, and settle what was.

    Raises `Disagreement` where the file beside the database knows of calls that the database does not, and other
    `ConfigurationError`s before anything is sent; what comes later is in what it returns.
    """
    with opened(settings) as desk:
        if not (calls := desk.journal.plan(plan_id)):
            msg = f"there is no plan {plan_id}: `impact corrections status` lists them"
            raise ConfigurationError(msg)
        run = _Run(desk, len(calls), on_progress)
        error = None
        try:
            run.settle_earlier(calls)
            note = run.send(calls, limit_amount)
            run.settle(plan_id)
        except ImpactError as stopped:
            error, note = stopped, None
        describe(desk.pipeline)
        return Applied(desk.journal.plan(plan_id), error, note)


@dataclass(frozen=True)
class Desk:
    """What it takes to work on the journal: the warehouse and the API, opened and found to agree."""

    pipeline: dlt.Pipeline
    client: Client
    journal: Journal
    file: JournalFile
    rereader: Rereader


@contextmanager
def opened(settings: Settings) -> Iterator[Desk]:
    """Open the journal, for one account. Calls whose sender died are noted as what the file knows of them."""
    with open_pipeline() as pipeline, Client(settings) as client, Rereader(client, pipeline) as rereader:
        own(deepcopy(pipeline.state.get("sources", {}).get("impact", {})), settings)
        journal, file = Journal(pipeline), JournalFile(beside(pipeline))
        known = file.compare(journal.left())
        list_campaigns(client)  # sets the clock, hears the budget, tries the credentials
        _note_forsaken(journal, known, client)
        yield Desk(pipeline, client, journal, file, rereader)


def _note_forsaken(journal: Journal, known: Known, client: Client) -> None:
    for call in journal.forsaken(client.clock.now()):
        status = Status(known.standing.get(call.id, Status.SENDING))
        if status in (Status.SENDING, Status.ACCEPTED, *NEVER_LEFT) and known.batches.get(call.id):
            status = Status.ACCEPTED
        elif status is Status.SENDING:
            status = Status.UNKNOWN
        outcome = None if status is Status.PLANNED else "the apply that sent it was interrupted"
        journal.record(call, status, outcome, batch_id=known.batches.get(call.id))


class _Run:
    """One apply."""

    def __init__(self, desk: Desk, number: int, on_progress: Callable[[CallProgress], None]) -> None:
        self._desk, self._of, self._on_progress = desk, number, on_progress
        self._claim = f"{uuid.uuid4().hex[:12]} {socket.gethostname()} {os.getpid()}"
        self._done = self._settled = self._lost = 0
        self._settler = Settler(desk.client, desk.journal, desk.file, desk.rereader, on_settled=self._count)

    def settle_earlier(self, calls: list[Call]) -> None:
        """Ask once for what an earlier apply left behind."""
        for call in calls:
            if call.status == Status.ACCEPTED:
                self._settler.follow(call, at_once=True)
            self._done += call.status != Status.PLANNED
        self._settler.poll_due()
        self._settler.conclude()

    def send(self, calls: list[Call], limit: Decimal | None) -> str | None:
        """Send what is planned. Returns why it stopped before the end, if it did."""
        touched: dict[str, Decimal] = defaultdict(Decimal)
        for call in calls:
            if call.status not in (*NEVER_LEFT, Status.RETURNED, Status.REFUSED):
                touched[call.first["currency"]] += call.touched
        with Writer(self._desk.client) as writer:
            for call in (one for one in calls if one.status == Status.PLANNED):
                currency = call.first["currency"]
                if limit is not None and touched[currency] + call.touched > limit:
                    return (
                        f"line {call.lines} would touch {call.touched:,.2f} {currency} of commission: "
                        f"{touched[currency]:,.2f} of at most {limit:,.2f} are touched"
                    )
                if self._send_one(writer, call):
                    touched[currency] += call.touched
                self._done += 1
                self._report()
                self._settler.poll_due()
        return None

    def settle(self, plan_id: str) -> None:
        """Wait for what was accepted; settle what was lost as far as can be told."""
        self._settler.poll_all()
        lost = [call for call in self._desk.journal.plan(plan_id) if call.status == Status.UNKNOWN]
        self._settler.settle_lost(lost)
        self._settler.poll_all()

    def _send_one(self, writer: Writer, call: Call) -> bool:
        """Send a call, or leave it out; whether it left."""
        journal, now = self._desk.journal, self._desk.client.clock.now
        live = self._desk.rereader.look(call)
        changed = "the API does not know the action" if live is None else changed_since(call, live, now())
        if changed:
            journal.record(call, Status.LEFT_OUT, changed, settled_at=now())
            return False
        try:
            answer = writer.send(call.write(), before=partial(self._leave, call))
        except Taken:
            return False
        except OutcomeUnknown as error:
            self._answered(call, Status.UNKNOWN, str(error), error.status)
            self._lost += 1
            if self._lost >= _LOST_IN_A_ROW:
                msg = f"{self._lost} calls in a row had no valid answer, nothing more is sent: {error}"
                raise Unavailable(msg) from None
            return True
        except (RequestRefused, NotFound) as error:
            self._answered(call, Status.REFUSED, str(error), settled_at=now())
        except (CredentialsError, ScopeError, RateLimited) as error:
            self._answered(call, Status.RETURNED, str(error))
            if isinstance(error, RateLimited):
                raise BudgetSpent(str(error)) from None
            raise
        except Unavailable as error:  # nothing left this machine
            self._answered(call, Status.PLANNED, str(error))
            raise
        else:
            batch_id = answer.value.batch_id
            self._answered(call, Status.ACCEPTED, "queued", answer.value.status, batch_id=batch_id)
            self._settler.follow(call.having(batch_id=batch_id))
            self._lost = 0
            return True
        self._lost = 0
        return False

    def _leave(self, call: Call) -> None:
        """Claim a call and note that it leaves: the last thing before it does."""
        now = self._desk.client.clock.now()
        self._desk.journal.claim(call, self._claim, now)
        try:
            self._desk.file.leaves(call, self._claim, now)
        except ConfigurationError:
            self._desk.journal.record(call, Status.PLANNED)
            raise

    def _answered(
        self, call: Call, status: Status, answer: str, http_status: int | None = None, **columns: object
    ) -> None:
        now = self._desk.client.clock.now()
        batch_id = columns.get("batch_id")
        self._desk.file.stands(call, status, now, str(batch_id) if batch_id else None)
        outcome = None if status in (Status.ACCEPTED, Status.PLANNED) else answer
        self._desk.journal.record(
            call, status, outcome, answer=answer, http_status=http_status, answered_at=now, **columns
        )

    def _count(self) -> None:
        self._settled += 1
        self._report()

    def _report(self) -> None:
        self._on_progress(CallProgress(self._done, self._of, self._settled, self._desk.client.budget.remaining))
