"""What became of calls that left: submissions are polled, their actions read again and compared with what was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pipelines.corrections.calls import Call, same_form
from pipelines.corrections.columns import Status
from pipelines.corrections.journal import Journal
from pipelines.corrections.journal_file import JournalFile
from pipelines.corrections.live import not_as_asked
from pipelines.corrections.reasons import explained
from pipelines.corrections.reread import Rereader
from sources.impact.client import Client
from sources.impact.errors import NotFound, UnsafeId
from sources.impact.writing import Submission, read_submissions

_TOGETHER = 50
"""Processed calls whose actions are read and landed at once."""
_REQUESTS_A_CALL = 2
"""What reading an action and its items takes."""
_GROWTH = 1.5
_LONGEST = timedelta(minutes=5)
_POLLS = 12
"""How often a submission is asked for in one run at the most."""
_MISSING = 5
"""How often the API may know nothing of a submission in one run."""
_POLLS_FOR_OTHERS = 4
"""How often a submission that waits speaks for those behind it; then it is stuck, and they are asked for."""
_EARLY = timedelta(minutes=5)
"""By how much a submission's date may lie before ours."""


@dataclass(eq=False)
class _Pending:
    call: Call
    due: float
    delay: float
    polls: int = 0
    missing: int = 0


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

    def follow(self, call: Call, *, at_once: bool = False) -> None:
        """Poll for a call from now on, or from a moment after it was accepted; not if it is known to be processed."""
        if call.first["processed_at"] is not None:
            self._processed.append(call)
            return
        delay = self.client.settings.poll_interval.total_seconds()
        self._pending.append(_Pending(call, time.monotonic() + (0 if at_once else delay), delay))

    def poll_due(self) -> None:
        """Ask for what is due, and conclude what has been processed once that are enough.

        Submissions are processed in the order they came, more or less: while one waits, later ones are not asked for.
        """
        for pending in list(self._pending):
            if pending.due > time.monotonic():
                continue
            self._poll(pending)
            if pending in self._pending and pending.polls <= _POLLS_FOR_OTHERS:
                later = self._pending[self._pending.index(pending) + 1 :]
                for other in later:
                    other.due = max(other.due, pending.due)
        if len(self._processed) >= _TOGETHER:
            self.conclude()

    def poll_all(self) -> None:
        """Ask for everything until it is processed, or the time for that is over."""
        give_up = time.monotonic() + self.client.settings.max_wait.total_seconds()
        while self._pending:
            wait = min(one.due for one in self._pending) - time.monotonic()
            if wait > 0 and time.monotonic() + wait > give_up:
                break
            self.client.budget.rest(wait)
            self.poll_due()
        self.conclude()
        self._pending.clear()

    def settle_lost(self, calls: Sequence[Call]) -> None:
        """Settle calls whose answer was lost, where their action shows what was asked; look for the others' submission.

        A relative change cannot be told by its action: it waits for a person.
        """
        absolute = [call for call in calls if not call.first["relative"]]
        shown: set[str] = set()
        if absolute:
            live = self.rereader.land(absolute)
            for call in absolute:
                found = live.get(call.action_id)
                if found and not any(not_as_asked(call, row, found) for row in call.rows):
                    self._settle(call, Status.CONFIRMED, "the answer was lost; the action shows what was asked")
                    shown.add(call.id)
        self._search([call for call in calls if call.id not in shown and call.first["searched_at"] is None])

    def _search(self, calls: Sequence[Call]) -> None:
        """Look through the list of submissions, once for each call: it is slow and discouraged."""
        if not calls:
            return
        known = self.journal.batches()
        listed = [s for page in self.client.submissions() for s in read_submissions(page.value.records)]
        free = [one for one in listed if one.batch_id not in known]
        now = self.client.clock.now()
        for call in calls:
            since = call.first["claimed_at"] - _EARLY
            mine = [
                one
                for one in free
                if same_form(call.request.form, one.payload) and (one.submitted is None or one.submitted >= since)
            ]
            said = call.first["outcome"] or "no valid answer came"
            if len(mine) == 1 and not call.first["relative"]:
                free.remove(mine[0])
                outcome = "the answer was lost; the list of submissions has it"
                batch_id = mine[0].batch_id
                self.journal.record(call, Status.ACCEPTED, outcome, batch_id=batch_id, searched_at=now)
                self.follow(call.having(batch_id=batch_id), at_once=True)
                continue
            told = ", ".join(f"{one.batch_id} ({one.status} {one.error_reason}".rstrip() + ")" for one in mine)
            outcome = f"{said}; the list of submissions has {told or 'nothing like it'}"
            self.journal.record(call, Status.UNKNOWN, outcome, searched_at=now)

    def _poll(self, pending: _Pending) -> None:
        call, batch_id = pending.call, pending.call.first["batch_id"]
        pending.polls += 1
        try:
            submission = self.client.submission(batch_id).value
        except (NotFound, UnsafeId):  # not visible yet, perhaps; or no batch that can be asked for
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
            self._settle(call, Status.REFUSED, explained(submission))
            return
        # Noted, so that an apply that stops here need not ask again.
        self.journal.record(call, Status.ACCEPTED, processed_at=self.client.clock.now())
        self._processed.append(call)

    def conclude(self) -> None:
        """Read the actions of processed calls into the warehouse, and compare: as many at once as the hour allows."""
        while self._processed:
            some = max(1, min(_TOGETHER, self.client.budget.allowed // _REQUESTS_A_CALL))
            self._compare(self._processed[:some])
            del self._processed[:some]

    def _compare(self, calls: Sequence[Call]) -> None:
        live = self.rereader.land(calls)
        now = self.client.clock.now()
        for call in calls:
            found = live.get(call.action_id)
            told = []
            for row in call.rows:
                wrong = not_as_asked(call, row, found) if found else "the action is gone, or cannot be read"
                told.append((row, Status.DIVERGED, wrong) if wrong else (row, Status.CONFIRMED, "the action shows it"))
            self.journal.record_rows(told, now)
            self.file.stands(call, max((status for _, status, _ in told), key=_gravity), now)
            self.on_settled()

    def _settle(self, call: Call, status: Status, outcome: str) -> None:
        now = self.client.clock.now()
        self.journal.record(call, status, outcome, settled_at=now)
        self.file.stands(call, status, now)
        self.on_settled()


def _gravity(status: Status) -> int:
    return (Status.CONFIRMED, Status.DIVERGED).index(status)
