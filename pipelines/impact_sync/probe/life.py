"""What approvals and payments do to the dates of an action, as far as lists of actions show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .answers import Answer, untold
from .rows import Row, moment, text

_APPROVED: Final = frozenset({"APPROVED", "LOCKED", "PAID"})
_BEFORE: Final = ("ReferringDate", "EventDate", "CreationDate")
"""Dates from which terms may count days to the LockingDate."""
_MARGIN: Final = timedelta(hours=1)
"""Clocks may differ."""
_USUAL_FROM: Final = 10
"""Pending actions that show at which minutes actions lock."""
_USUAL_MOST: Final = 2
_ODD_FROM: Final = 2
"""Approved actions that locked at other minutes."""
_SETTLED: Final = timedelta(days=3)


def ahead(rows: Iterable[Row], now: datetime) -> bool:
    """Whether an approved action locks in the future."""
    return any(
        text(row, "State").upper() == "APPROVED" and lock > now + _MARGIN
        for row in rows
        if (lock := moment(row, "LockingDate"))
    )


def early(pending: Sequence[Row], past: Sequence[Row], now: datetime) -> Answer:
    """What early approvals did to LockingDate, if none of them left it in the future.

    Actions lock at certain minutes, midnights mostly; an approval by hand happens at any. So approved actions whose
    LockingDate, now past, is at another minute and second than all pending ones lock at were moved there.
    """
    usual = [_minute(lock) for row in pending if (lock := moment(row, "LockingDate")) and _is_pending(row)]
    if len(usual) < _USUAL_FROM or len(set(usual)) > _USUAL_MOST:
        return untold("no approved action locks in the future, and no minute is usual for locking")
    odd = {lock for row in past if (lock := _odd_lock(row, usual)) and lock <= now}
    if len(odd) >= _ODD_FROM:
        return Answer("moves to the approval")
    return untold("no action seems to have been approved before it locked")


def _odd_lock(row: Row, usual: Sequence[tuple[int, int, int]]) -> datetime | None:
    """When an approved action locked, if no rule explains the minute: neither the usual one nor one of its dates."""
    lock = moment(row, "LockingDate")
    if lock is None or text(row, "State").upper() not in _APPROVED:
        return None
    own = [_minute(found) for field in _BEFORE if (found := moment(row, field))]
    return None if _minute(lock) in {*usual, *own} else lock


def _minute(lock: datetime) -> tuple[int, int, int]:
    return lock.minute, lock.second, lock.microsecond


def _is_pending(row: Row) -> bool:
    return text(row, "State").upper() == "PENDING"


@dataclass(frozen=True)
class Paid:
    """The id of an action that was paid, and when it locked and was paid."""

    action: str
    lock: datetime
    cleared: datetime


def paid(rows: Iterable[Row], now: datetime) -> Paid | None:
    """An action that was paid so long after it locked that nothing else can have touched it then; None without one."""
    for row in rows:
        lock, cleared = moment(row, "LockingDate"), moment(row, "ClearedDate")
        if lock and cleared and lock + _SETTLED < cleared < now - _MARGIN and text(row, "Id"):
            return Paid(text(row, "Id"), lock, cleared)
    return None


def is_quiet(row: Row, now: datetime, days: timedelta) -> bool:
    """Whether an action was certainly not updated for so long: it locked before, and was not paid since."""
    lock, cleared = moment(row, "LockingDate"), moment(row, "ClearedDate")
    before = now - days
    return lock is not None and lock < before and (cleared is None or cleared < before) and not _is_pending(row)
