"""Asks about actions that were approved or paid, and whether lists by LockingDate show old ones at all."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from impact_source.plan.axis import Axis
from impact_source.plan.windows import Window

from . import life
from .answers import Answer, Topic, Untellable
from .known import FIELDS, Answers, Known
from .rows import Listing, has_id, moment, text

_DAY: Final = timedelta(days=1)
_PAST: Final = timedelta(days=30)
_LONG_AGO: Final = timedelta(days=31)
"""Most actions are paid some weeks after they lock."""
_RECORDED: Final = timedelta(days=3)
"""A payment may be recorded some days after its date."""
_DEFAULT: Final = timedelta(days=8)
"""More than the 7 days to which a list without StartDate may be limited."""


def approvals(known: Known) -> Answers:
    """What an approval by hand does to LockingDate."""
    now = known.asker.now
    ahead = [Window(now + _DAY, now + _DAY + span) for span in known.spans]
    _, found = known.widest(partial(_locking, known, state="APPROVED"), ahead)
    if life.ahead(found.rows, now):
        yield Topic.EARLY, Answer("stays in the future")
        return
    _, found = known.widest(partial(_locking, known), [Window(now - min(span, _PAST), now) for span in known.spans])
    yield Topic.EARLY, life.early(known.rows, found.rows, now)


def _locking(known: Known, window: Window, state: str = "") -> Listing:
    return known.actions({Axis.LOCKING: window}, state)


def settled(known: Known) -> Answers:
    """Whether a list by LockingDate shows what was not updated lately, and whether being paid counts as an update."""
    now = known.asker.now
    _, old = known.widest(
        partial(_locking, known), [Window(now - _LONG_AGO - span, now - _LONG_AGO) for span in known.spans]
    )
    yield Topic.DEFAULT, _default(known, old)
    found = life.paid(old.rows, now)
    if found is None:
        msg = "no action was seen that was paid"
        raise Untellable(msg)
    windows = {Axis.UPDATED: Window(found.cleared - _DAY, found.cleared + _RECORDED)}
    if known.all_apply:  # it need not be found among all that was updated in these days
        windows[Axis.LOCKING] = known.around(found.lock, Axis.LOCKING)
    listed = known.expect(known.sees(windows, partial(has_id, found.action)))
    yield Topic.CLEARING, Answer("counts as an update" if listed else "does not count as an update")


def _default(known: Known, old: Listing) -> Answer:
    """Whether a list without StartDate hides what was not updated in the past 7 days."""
    now = known.asker.now
    if any(life.is_quiet(row, now, _DEFAULT) for row in old.rows):
        return Answer("does not apply")
    windows = [Window(now - _DEFAULT - span, now - _DEFAULT) for span in known.spans]
    _, quiet = known.widest(lambda window: known.actions({Axis.UPDATED: window}), windows)
    locks = ((text(row, "Id"), moment(row, FIELDS[Axis.LOCKING])) for row in quiet.rows)
    id_, lock = next(((id_, lock) for id_, lock in locks if id_ and lock), ("", None))
    if lock is None:
        msg = "no action with a LockingDate was seen that was not updated in the past 7 days"
        raise Untellable(msg)
    listed = known.sees({Axis.LOCKING: known.around(lock, Axis.LOCKING)}, partial(has_id, id_))
    return Answer("does not apply" if known.expect(listed) else "applies")
