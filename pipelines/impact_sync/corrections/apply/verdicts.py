"""What an action says of a processed call, and when it says nothing yet. No I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from impact_source.plan.gone import Gone

from ..journal.calls import Call
from ..journal.columns import Correction, Status
from ..live import Live, not_as_asked

SHOWN_WITHIN = timedelta(hours=1)
"""How long a processed change may take to show: until then, an action that shows something else proves nothing."""


def uncertain(gone: Gone, now: datetime) -> str | None:
    """Why an action that the API does not know may still exist; None once it is gone for certain."""
    if now >= gone.certain_from:
        return None
    return (
        "the API does not know the action, as it may do for a while where it lags behind: "
        f"not taken for gone before {gone.certain_from:%Y-%m-%d %H:%M} UTC"
    )


def shows_until(call: Call, now: datetime) -> datetime:
    """When the action of a processed call is certain to show it."""
    return (call.first.processed_at or now) + SHOWN_WITHIN


def judge(call: Call, live: Live | None) -> list[tuple[Correction, Status, str]]:
    """How each row of a processed call ends, by what its action shows."""
    told = []
    for row in call.rows:
        wrong = not_as_asked(call, row, live) if live else "the action is gone"
        told.append((row, Status.DIVERGED, wrong) if wrong else (row, Status.CONFIRMED, "the action shows it"))
    return told


def gravity(status: Status) -> int:
    """How bad an outcome is: a call ends like its worst row."""
    return (Status.CONFIRMED, Status.DIVERGED).index(status)
