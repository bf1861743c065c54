"""What approvals and payments do to dates is judged by actions that went through them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from impact_sync.probe import life
from impact_sync.probe.rows import Row

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def _row(state: str, lock: datetime, **dates: datetime) -> Row:
    return {"Id": "1", "State": state, "LockingDate": lock.isoformat()} | {k: v.isoformat() for k, v in dates.items()}


PENDING = [_row("PENDING", MIDNIGHT + n * DAY) for n in range(11, 22)]
ODD = MIDNIGHT + timedelta(hours=3, minutes=17, seconds=5)


@pytest.mark.parametrize(
    ("state", "lock", "seen"),
    [("APPROVED", NOW + DAY, True), ("APPROVED", NOW, False), ("PENDING", NOW + DAY, False)],
)
def test_an_approved_action_that_locks_in_the_future(state: str, lock: datetime, *, seen: bool) -> None:
    """It proves that an early approval leaves the LockingDate alone."""
    assert life.ahead([_row(state, lock)], NOW) == seen


def test_locks_at_odd_minutes_show_that_approvals_move_them() -> None:
    """If all pending actions lock at midnight, approved ones that locked at other minutes were moved there."""
    past = [_row("APPROVED", ODD), _row("PAID", ODD + timedelta(seconds=99)), _row("APPROVED", MIDNIGHT)]
    assert life.early(PENDING, past, NOW).text == "moves to the approval"


@pytest.mark.parametrize(
    ("pending", "past"),
    [
        (PENDING, [_row("APPROVED", MIDNIGHT)] * 3),
        (PENDING, [_row("APPROVED", ODD)] * 3),
        (PENDING, [_row("REVERSED", ODD), _row("REVERSED", ODD + timedelta(seconds=99))]),
        (PENDING, [_row("APPROVED", ODD + n * DAY, EventDate=ODD - n * DAY) for n in range(3)]),
        (PENDING[:5], [_row("APPROVED", ODD), _row("APPROVED", ODD + timedelta(seconds=99))]),
        (
            [_row("PENDING", ODD + timedelta(seconds=n)) for n in range(20)],
            [_row("APPROVED", ODD), _row("APPROVED", NOW)],
        ),
    ],
)
def test_other_explanations_leave_it_open(pending: list[Row], past: list[Row]) -> None:
    """Usual minutes, one odd instant, reversals, days counted from the event, too few pending ones: no evidence."""
    assert not life.early(pending, past, NOW).told


def test_an_action_that_was_paid() -> None:
    """Only one that was paid days after it locked shows what the payment did."""
    soon, late = MIDNIGHT + DAY, MIDNIGHT + 7 * DAY
    rows = [
        _row("APPROVED", MIDNIGHT),
        _row("APPROVED", MIDNIGHT, ClearedDate=soon),
        _row("PAID", MIDNIGHT, ClearedDate=late),
    ]
    assert life.paid(rows, NOW) == life.Paid("1", MIDNIGHT, late)
    assert life.paid(rows, late) is None


def test_an_action_that_rests() -> None:
    """What locked and was paid long ago, or not at all, was not updated lately; a pending one may have been."""
    week = timedelta(days=8)
    assert life.is_quiet(_row("APPROVED", MIDNIGHT), NOW, week)
    assert life.is_quiet(_row("REVERSED", MIDNIGHT, ClearedDate=MIDNIGHT + DAY), NOW, week)
    assert not life.is_quiet(_row("APPROVED", MIDNIGHT, ClearedDate=NOW - DAY), NOW, week)
    assert not life.is_quiet(_row("PENDING", MIDNIGHT), NOW, week)
    assert not life.is_quiet(_row("APPROVED", NOW - DAY), NOW, week)
