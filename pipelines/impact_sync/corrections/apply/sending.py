"""Sends the calls of a plan, each once, within a limit of commission, and follows them until they are settled."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from impact_source.api.changes import Request
from impact_source.api.writer import Writer
from impact_source.errors import ConfigurationError

from ..desk import Desk
from ..journal.calls import Call
from ..journal.columns import NEVER_LEFT, Status
from .dispatch import Dispatcher
from .lost import settle_lost
from .settle import Settler

_DOUBTFUL = timedelta(days=1)
"""How long after sending an apply looks again at a diverged call; a sync does so for longer."""


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


class Sender:
    """Sends calls, each once, and has them followed up."""

    def __init__(
        self,
        desk: Desk,
        number: int,
        on_progress: Callable[[CallProgress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._of, self._on_progress = desk, number, on_progress
        self._done = self._settled = 0
        self._settler = Settler(desk.client, desk.journal, desk.file, desk.rereader, on_settled=self._count)
        self._dispatcher = Dispatcher(desk, self._settler, clock)

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
                if self._dispatcher.send(writer, call):
                    touched[currency] += call.touched
                self._done += 1
                self._report()
                self._settler.poll_due()
        return None

    def settle(self, plan_id: str) -> None:
        """Wait for accepted calls; settle lost ones as far as possible."""
        self._settler.poll_all()
        lost = [call for call in self._desk.journal.plan(plan_id) if call.status == Status.UNKNOWN]
        if self._dispatcher.lost_any and lost:  # a change that has just arrived may take a moment to show
            self._desk.client.budget.rest(self._desk.client.settings.poll_interval.total_seconds())
        settle_lost(self._settler, lost)
        self._settler.poll_all()

    def _count(self) -> None:
        self._settled += 1
        self._report()

    def _report(self) -> None:
        self._on_progress(CallProgress(self._done, self._of, self._settled, self._desk.client.budget.remaining))
