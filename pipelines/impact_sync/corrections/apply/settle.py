"""What became of sent calls: polls submissions, reads their actions again and compares them with the request."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from impact_source.api.client import Client
from impact_source.api.submissions import Submission
from impact_source.errors import NotFound, UnsafeId

from ..journal.calls import Call
from ..journal.columns import Status
from ..journal.file import JournalFile
from ..journal.table import Journal
from ..live import Live, shows
from ..reread import Landed, Rereader
from .reasons import explained
from .verdicts import gravity, judge, shows_until, uncertain

_TOGETHER = 50
"""Processed calls whose actions are read and landed at once."""
_REQUESTS_A_CALL = 2
"""Requests that reading an action and its items takes."""
_GROWTH = 1.5
_LONGEST = timedelta(minutes=5)
_POLLS = 12
"""The most polls of a submission in one run."""
_MISSING = 5
"""How often the API may not know a submission in one run."""
_POLLS_FOR_OTHERS = 4
"""Polls during which a waiting submission stands for those behind it; after that it is stuck, and they are polled."""
_LOOKS = 4
"""How often one run looks again at an action that does not show a processed change yet."""
_LOOKS_AFTER = 3
"""Poll intervals until the first of these looks; each further one takes twice as long."""


@dataclass(eq=False)
class _Pending:
    call: Call
    due: float
    delay: float
    polls: int = 0
    missing: int = 0


@dataclass(eq=False)
class _Unseen:
    call: Call
    due: float


@dataclass
class Settler:
    """Follows up the calls of one run."""

    client: Client
    journal: Journal
    file: JournalFile
    rereader: Rereader
    on_settled: Callable[[], None] = lambda: None
    _pending: list[_Pending] = field(default_factory=list)
    _processed: list[Call] = field(default_factory=list)
    _unseen: list[_Unseen] = field(default_factory=list)
    _looks: Counter[str] = field(default_factory=Counter)

    def follow(self, call: Call, *, at_once: bool = False) -> None:
        """Poll for a call, now or a moment after it was accepted; not if it is known to be processed."""
        if call.first.processed_at is not None:
            self._processed.append(call)
            return
        delay = self.client.settings.poll_interval.total_seconds()
        self._pending.append(_Pending(call, time.monotonic() + (0 if at_once else delay), delay))

    def poll_due(self) -> None:
        """Poll what is due, and conclude processed calls once there are enough.

        Submissions are processed roughly in order: while one waits, later ones are not polled.
        """
        for pending in list(self._pending):
            if pending.due > time.monotonic():
                continue
            self._poll(pending)
            if pending in self._pending and pending.polls <= _POLLS_FOR_OTHERS:
                later = self._pending[self._pending.index(pending) + 1 :]
                for other in later:
                    other.due = max(other.due, pending.due)
        for unseen in [one for one in self._unseen if one.due <= time.monotonic()]:
            self._unseen.remove(unseen)
            self._look_again(unseen.call)
        if len(self._processed) >= _TOGETHER:
            self.conclude()

    def poll_all(self) -> None:
        """Poll everything until it is processed and shows, or time is up."""
        give_up = time.monotonic() + self.client.settings.max_wait.total_seconds()
        while True:
            if not self._pending:
                self.conclude()
            due = [*(one.due for one in self._pending), *(one.due for one in self._unseen)]
            wait = min(due, default=0) - time.monotonic()
            if not due or (wait > 0 and time.monotonic() + wait > give_up):
                break
            self.client.budget.rest(wait)
            self.poll_due()
        self.conclude()
        self._pending.clear()
        self._unseen.clear()

    def _poll(self, pending: _Pending) -> None:
        call, batch_id = pending.call, pending.call.first.batch_id or ""
        pending.polls += 1
        try:
            submission = self.client.submission(batch_id).value
        except (NotFound, UnsafeId):  # perhaps not visible yet; or an id that cannot be requested
            pending.missing += 1
            if pending.missing >= _MISSING:
                self._pending.remove(pending)
                self.journal.record(call, Status.UNKNOWN, f"the API does not know its submission {batch_id}")
                return
            submission = Submission(batch_id)
        if not submission.complete:
            pending.delay = min(pending.delay * _GROWTH, _LONGEST.total_seconds())
            pending.due = time.monotonic() + pending.delay
            if pending.polls >= _POLLS:
                self._pending.remove(pending)
            return
        self._pending.remove(pending)
        if submission.errors:
            self.settle(call, Status.REFUSED, explained(submission))
            return
        now = self.client.clock.now()
        # Recorded, so that an apply that stops here need not poll again.
        self.journal.record(call, Status.ACCEPTED, processed_at=now)
        self._processed.append(call.having(processed_at=now))

    def conclude(self) -> None:
        """Read the actions of processed calls into the warehouse and compare, as many at once as the limit allows."""
        while self._processed:
            some = max(1, min(_TOGETHER, self.client.budget.allowed // _REQUESTS_A_CALL))
            self._compare(self._processed[:some])
            del self._processed[:some]

    def _compare(self, calls: Sequence[Call]) -> None:
        found = self.rereader.land(calls)
        now = self.client.clock.now()
        for call in calls:
            if call.action_id not in found.live and (why := self._unsettled(call, found, now)):
                if not call.diverged:  # it stays diverged until the action shows otherwise
                    self.journal.record(call, Status.ACCEPTED, f"processed; {why}")
                continue
            told = judge(call, found.live.get(call.action_id))
            wrong = [why for _, status, why in told if status is Status.DIVERGED]
            if wrong and now < (until := shows_until(call, now)):
                outcome = f"processed; {'; '.join(dict.fromkeys(wrong))}; a change may show late"
                self.journal.record(call, Status.ACCEPTED, f"{outcome}: not settled before {until:%Y-%m-%d %H:%M} UTC")
                self._look_later(call)
                continue
            self.journal.record_rows(told, now)
            self.file.stands(call, max((status for _, status, _ in told), key=gravity), now)
            self.on_settled()

    def _unsettled(self, call: Call, found: Landed, now: datetime) -> str | None:
        """Why a call whose action was not read cannot be judged yet; None if the action is gone."""
        if gone := found.gone.get(call.action_id):
            return uncertain(gone, now)
        return f"the action could not be read: {self.rereader.unread[call.action_id].error}"

    def _look_later(self, call: Call) -> None:
        """Look at an action again later; after some looks, leave it to the next run."""
        looks = self._looks[call.id]
        if looks < _LOOKS:
            wait = self.client.settings.poll_interval.total_seconds() * _LOOKS_AFTER * 2**looks
            self._unseen.append(_Unseen(call, time.monotonic() + wait))
        self._looks[call.id] += 1

    def _look_again(self, call: Call) -> None:
        if self.shown(call) or (now := self.client.clock.now()) >= shows_until(call, now):
            self._processed.append(call)
        else:
            self._look_later(call)

    def shown(self, call: Call) -> bool:
        """Whether the action shows everything requested; one that cannot be read shows nothing, and stops nothing."""
        live = self.rereader.look(call)
        return isinstance(live, Live) and shows(call, live)

    def settle(self, call: Call, status: Status, outcome: str) -> None:
        """Record how a call ended."""
        now = self.client.clock.now()
        self.journal.record(call, status, outcome, settled_at=now)
        self.file.stands(call, status, now)
        self.on_settled()
