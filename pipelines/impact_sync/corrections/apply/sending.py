"""Sends calls, each once.

The order makes it safe: the action is read and must be what the plan saw; a committed transaction claims the call; the
file beside the database records on disk that the call is about to be sent; then it is sent. If the process is killed
anywhere in between, the call counts as one that may have been sent, and only a person's decision sends it again.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from http import HTTPStatus

from impact_source.api.changes import Request
from impact_source.api.writer import Writer
from impact_source.errors import (
    BudgetSpent,
    ConfigurationError,
    CredentialsError,
    ImpactError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ScopeError,
    Unavailable,
)

from ..desk import Desk
from ..journal.calls import Call
from ..journal.columns import NEVER_LEFT, Status
from ..journal.table import Taken
from ..live import Live, changed_since
from .lost import settle_lost
from .settle import Settler
from .verdicts import uncertain

_FRESH = 60.0
"""Seconds that a look at an action stays valid: the wait for the hourly limit may come between it and the call."""
_DOUBTFUL = timedelta(days=1)
"""How long after sending an apply looks again at a diverged call; a sync does so for longer."""
_LOST_IN_A_ROW = 3
"""Calls without a valid answer after which no more are sent."""


@dataclass(frozen=True)
class CallProgress:
    """Calls `done` (sent or left out) `of` those in the plan, and how many this run settled."""

    done: int
    of: int
    settled: int
    requests_left: int


def check_requests(calls: Iterable[Call]) -> None:
    """Raise `ConfigurationError` if this version would render a call differently than the plan did.

    Only what was shown and agreed to is sent: a release that renders it differently may also mean something else.
    """
    for call in calls:
        if (now := Request.of(call.change())) != call.request:
            msg = (
                f"line {call.lines} was planned as {str(call.request)!r}, and this version of impact-sync would send "
                f"{str(now)!r}. Nothing is sent: plan the corrections again"
            )
            raise ConfigurationError(msg)


class Stale(ImpactError):
    """The action was looked at too long ago."""


class Sender:
    """Sends calls, each once, and has them followed up."""

    def __init__(
        self,
        desk: Desk,
        number: int,
        on_progress: Callable[[CallProgress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._of, self._on_progress, self._clock = desk, number, on_progress, clock
        self._claim = f"{uuid.uuid4().hex[:12]} {socket.gethostname()} {os.getpid()}"
        self._done = self._settled = self._lost = 0
        self._lost_now = False
        self._settler = Settler(desk.client, desk.journal, desk.file, desk.rereader, on_settled=self._count)

    def settle_earlier(self, calls: list[Call]) -> None:
        """Poll once for what an earlier apply left behind; look again at what diverged recently."""
        since = self._desk.client.clock.now() - _DOUBTFUL
        doubtful = {call.id for call in self._desk.journal.doubtful(since) if call.diverged}
        for call in calls:
            if call.status == Status.ACCEPTED or call.id in doubtful:
                self._settler.follow(call, at_once=True)
            self._done += call.status != Status.PLANNED
        self._settler.poll_due()
        self._settler.conclude()

    def send(self, calls: list[Call], limit: Decimal | None) -> str | None:
        """Send what is planned. Returns the reason if it stopped before the end."""
        touched: dict[str | None, Decimal] = defaultdict(Decimal)
        for call in calls:
            if call.status not in (*NEVER_LEFT, Status.RETURNED, Status.REFUSED):
                touched[call.first.currency] += call.touched
        planned = [call for call in calls if call.status == Status.PLANNED]
        check_requests(planned)
        with Writer(self._desk.client) as writer:
            for call in planned:
                currency = call.first.currency
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
        """Wait for accepted calls; settle lost ones as far as possible."""
        self._settler.poll_all()
        lost = [call for call in self._desk.journal.plan(plan_id) if call.status == Status.UNKNOWN]
        if self._lost_now and lost:  # a change that has just arrived may take a moment to show
            self._desk.client.budget.rest(self._desk.client.settings.poll_interval.total_seconds())
        settle_lost(self._settler, lost)
        self._settler.poll_all()

    def _send_one(self, writer: Writer, call: Call) -> bool:
        """Send a call, or leave it out; return whether it left."""
        now = self._desk.client.clock.now
        if not self._may_leave(call):
            return False
        try:
            answer = writer.send(call.request, before=partial(self._leave, call, self._clock()))
        except Taken:
            return False
        except Stale:
            return self._send_one(writer, call)
        except (RequestRefused, NotFound) as error:
            self._answered(call, Status.REFUSED, str(error), settled_at=now())
            self._lost = 0
            return False
        except (CredentialsError, ScopeError, RateLimited, OutcomeUnknown, NotSent) as error:
            self._failed(call, error)
            return True
        batch_id = answer.value.batch_id
        self._answered(call, Status.ACCEPTED, "queued", answer.value.status, batch_id=batch_id)
        self._settler.follow(call.having(batch_id=batch_id))
        self._lost = 0
        return True

    def _may_leave(self, call: Call) -> bool:
        """Look at the action: leave a call out if the action is not what the plan saw; wait if that is unclear."""
        live = self._desk.rereader.look(call)
        now = self._desk.client.clock.now()
        changed = waits = None
        if isinstance(live, Live):
            changed = changed_since(call, live, now)
        elif isinstance(live, NotFound):
            gone = self._desk.rereader.land([call]).gone.get(call.action_id)
            waits = uncertain(gone, now) if gone else "the API did not know the action at first, and then did"
            changed = None if waits else "the API does not know the action"
        else:
            waits = f"the action could not be read: {live}"
        if changed:
            self._desk.journal.record(call, Status.LEFT_OUT, changed, settled_at=now)
        elif waits:
            self._desk.journal.record(call, Status.PLANNED, f"not sent: {waits}")
        return not (changed or waits)

    def _failed(self, call: Call, error: ImpactError) -> None:
        """Record a call without an outcome. Raises if nothing more may be sent."""
        match error:
            case OutcomeUnknown():
                self._answered(call, Status.UNKNOWN, str(error), error.status)
                self._lost, self._lost_now = self._lost + 1, True
                if self._lost < _LOST_IN_A_ROW:
                    return
                msg = f"{self._lost} calls in a row had no valid answer, nothing more is sent: {error}"
                raise Unavailable(msg)
            case RateLimited():
                self._answered(call, Status.RETURNED, str(error), HTTPStatus.TOO_MANY_REQUESTS)
                raise BudgetSpent(str(error))
            case NotSent():
                self._answered(call, Status.PLANNED, str(error))
            case _:
                self._answered(call, Status.RETURNED, str(error))
        raise error

    def _leave(self, call: Call, looked: float) -> None:
        """Claim a call and record that it leaves: the last step before sending, soon after its action was read."""
        if self._clock() - looked > _FRESH:
            raise Stale
        now = self._desk.client.clock.now()
        self._desk.journal.claim(call, self._claim, now)
        # Checked after the claim is committed: of two processes that claim calls of one action, at least one sees the
        # other.
        if rival := self._desk.journal.rival(call):
            outcome = f"another correction of the action is not settled: plan {rival}"
            self._desk.journal.record(call, Status.LEFT_OUT, outcome, settled_at=now)
            raise Taken(outcome)
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
