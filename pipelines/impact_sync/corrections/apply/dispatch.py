"""Sends one call, once.

The order makes it safe: the action is read and must be what the plan saw; a committed transaction claims the call; the
file beside the database records on disk that the call is about to be sent; then it is sent. If the process is killed
anywhere in between, the call counts as one that may have been sent, and only a person's decision sends it again.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

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
from ..journal.columns import Status
from ..journal.table import Taken
from ..live import Live, changed_since
from .settle import Settler
from .verdicts import uncertain

_FRESH = 60.0
"""Seconds that a look at an action stays valid: the wait for the hourly limit may come between it and the call."""
_LOST_IN_A_ROW = 3
"""Calls without a valid answer after which no more are sent."""


class Stale(ImpactError):
    """The action was looked at too long ago."""


class Dispatcher:
    """Sends single calls and records how each was answered; accepted ones are followed by the settler."""

    def __init__(self, desk: Desk, settler: Settler, clock: Callable[[], float]) -> None:
        self.lost_any = False
        """Whether a call was sent whose outcome is not known."""
        self._desk, self._settler, self._clock = desk, settler, clock
        self._claim = f"{uuid.uuid4().hex[:12]} {socket.gethostname()} {os.getpid()}"
        self._lost = 0

    def send(self, writer: Writer, call: Call) -> bool:
        """Send a call, or leave it out; return whether it left."""
        now = self._desk.client.clock.now
        if not self._may_leave(call):
            return False
        try:
            answer = writer.send(call.request, before=partial(self._leave, call, self._clock()))
        except Taken:
            return False
        except Stale:
            return self.send(writer, call)
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
                self._lost, self.lost_any = self._lost + 1, True
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
