"""Calls whose answer was lost: their action may show what was requested, or the list of submissions may have them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from impact_source.api.submissions import Submission, read_submissions

from ..journal.calls import Call, same_form
from ..journal.columns import Status
from ..live import shows, tells
from .settle import Settler

_EARLY = timedelta(minutes=5)
"""How far a submission's date may lie before ours."""


def settle_lost(settler: Settler, calls: Sequence[Call]) -> None:
    """Settle calls whose action shows what was requested; look for the others' submission.

    The action proves neither a relative change nor one that it showed before: these wait for a person.
    """
    shown = [call for call in calls if not call.first.relative and tells(call) and settler.shown(call)]
    landed = settler.rereader.land(shown).live if shown else {}
    confirmed = set()
    for call in shown:
        if shows(call, landed.get(call.action_id)):
            settler.settle(call, Status.CONFIRMED, "the answer was lost; the action shows what was requested")
            confirmed.add(call.id)
    _search(settler, [call for call in calls if call.id not in confirmed and call.first.searched_at is None])


def _search(settler: Settler, calls: Sequence[Call]) -> None:
    """Search the list of submissions, once for each call: it is slow and discouraged."""
    if not calls:
        return
    journal, client = settler.journal, settler.client
    known = journal.batches()
    listed = [one for page in client.submissions() for one in read_submissions(page.value.records)]
    free = [one for one in listed if one.batch_id not in known]
    now = client.clock.now()
    for call in calls:
        mine = [one for one in free if _may_be(call, one)]
        said = call.first.outcome or "no valid answer came"
        if len(mine) == 1 and not call.first.relative:
            free.remove(mine[0])
            outcome = "the answer was lost; the list of submissions has it"
            batch_id = mine[0].batch_id
            journal.record(call, Status.ACCEPTED, outcome, batch_id=batch_id, searched_at=now)
            settler.follow(call.having(batch_id=batch_id), at_once=True)
            continue
        told = ", ".join(f"{one.batch_id} ({one.status} {one.error_reason}".rstrip() + ")" for one in mine)
        outcome = f"{said}; the list of submissions has {told or 'nothing like it'}"
        journal.record(call, Status.UNKNOWN, outcome, searched_at=now)


def _may_be(call: Call, submission: Submission) -> bool:
    """Whether a submission may belong to a call: it has the same form, and does not predate the call."""
    left, came = call.first.claimed_at, submission.submitted
    early = left is not None and came is not None and came < left - _EARLY
    return same_form(call.request.form, submission.payload) and not early
