"""When the clock is set, corrected and doubted, by plain calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from impact_source.api import clock
from impact_source.api.clock import Clock, estimate_skew
from impact_source.settings import CLOCK_TOLERANCE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NONE, SECOND, HOUR = timedelta(0), timedelta(seconds=1), timedelta(hours=1)


def told(*skews: timedelta) -> Clock:
    """A clock that has heard answers this far ahead of our own."""
    one = Clock(lambda: NOW)
    for skew in skews:
        one.hear(NOW + skew)
    return one


@pytest.mark.parametrize(
    ("skews", "expected"),
    [
        ([CLOCK_TOLERANCE], (NONE, True)),
        ([-CLOCK_TOLERANCE], (NONE, True)),
        ([CLOCK_TOLERANCE + SECOND] * 3, (CLOCK_TOLERANCE + SECOND, True)),
        ([CLOCK_TOLERANCE + SECOND] * 2, (NONE, False)),
        ([-HOUR] * 2, (-HOUR, False)),
        ([-HOUR, HOUR, 2 * HOUR], (-HOUR, False)),
        ([HOUR, HOUR + CLOCK_TOLERANCE, HOUR + 2 * CLOCK_TOLERANCE], (HOUR + CLOCK_TOLERANCE, True)),
        ([-HOUR, -HOUR + 2 * CLOCK_TOLERANCE + SECOND, HOUR], (-HOUR, False)),
        ([HOUR] * 2 + [2 * HOUR] * 4, (2 * HOUR, True)),
        ([HOUR] * 3 + [2 * HOUR] * 4, (HOUR, False)),
        ([2 * HOUR] * 4 + [NONE, HOUR], (2 * HOUR, True)),
        ([2 * HOUR] * 4 + [NONE] * 3, (NONE, False)),
        ([SECOND, 10 * SECOND, 20 * SECOND], (NONE, True)),
        ([HOUR] * 2 + [2 * HOUR] * 4 + [3 * HOUR] * 2, (2 * HOUR, False)),
        ([-CLOCK_TOLERANCE, 5 * HOUR, 5 * HOUR, 6 * HOUR, 6 * HOUR], (NONE, False)),
    ],
)
def test_witnesses_that_lie_close_together_agree(skews: list[timedelta], expected: tuple[timedelta, bool]) -> None:
    """Half a minute apart is the same time; a side outnumbered by one is still believed if it is earlier."""
    assert estimate_skew(skews) == expected


def test_this_machines_clock_is_asked_where_no_other_is_given() -> None:
    """The time is UTC, whatever the machine's zone is."""
    before, now, after = clock.local(), Clock().now(), clock.local()
    assert before <= now <= after
    assert now.tzinfo is UTC


def test_only_the_latest_answers_count() -> None:
    """A server whose clock was fixed is believed again after a hundred answers."""
    one = told(*[HOUR] * 99)
    assert one.skew == HOUR
    for _ in range(99):
        one.hear(NOW)
    one.hear(None)
    assert one.skew == NONE
    assert one.odd == ()


def test_once_settled_the_clock_does_not_jump() -> None:
    """Later answers do not change what was vouched for with the clock as it was."""
    one = told(HOUR, HOUR, HOUR)
    assert not one.settled
    assert one.now() == NOW + HOUR
    one.settle()
    for _ in range(9):
        one.hear(NOW)
    one.settle()
    assert one.settled
    assert one.now() == NOW + HOUR


@pytest.mark.parametrize(
    ("skews", "doubt"),
    [
        ([], False),
        ([NONE], False),
        ([HOUR], True),
        ([-HOUR], True),
        ([CLOCK_TOLERANCE], False),
        ([-CLOCK_TOLERANCE], False),
        ([-HOUR, -2 * HOUR], True),
        ([-HOUR, HOUR], True),
        ([-HOUR, -HOUR, CLOCK_TOLERANCE], True),
        ([-HOUR, CLOCK_TOLERANCE], False),
        ([HOUR, HOUR, HOUR], False),
    ],
)
def test_more_answers_are_waited_for_until_most_agree(
    skews: list[timedelta],
    doubt: bool,  # noqa: FBT001 - the expected value
) -> None:
    """A clock that runs ahead loses rows; one that is behind leaves out the newest."""
    one = told(*skews)
    assert one.in_doubt is doubt
    one.settle()
    assert not one.in_doubt


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (NONE, NONE),
        (SECOND, SECOND),
        (10 * SECOND - SECOND / 2, 10 * SECOND - SECOND / 2),
        (10 * SECOND, NONE),
        (-SECOND, NONE),
        (None, NONE),
    ],
)
def test_what_is_read_later_does_not_look_older(ahead: timedelta | None, expected: timedelta) -> None:
    """A `Date` has whole seconds: a run continues where the last one was, unless that clock was wrong."""
    one = told()
    one.not_before(None if ahead is None else NOW + ahead)
    assert one.now() == NOW + expected


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (HOUR, "this machine's clock is 1 hour behind the server's"),
        (-HOUR, "this machine's clock is 1 hour ahead of the server's"),
    ],
)
def test_the_difference_is_told_the_right_way_round(skew: timedelta, words: str) -> None:
    """The message says which clock to set, and by how much it is off."""
    assert told(skew, skew, skew).describe() == words


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (2 * HOUR, "1 of 4 answers carried a wrong Date, up to 2 hours ahead: not believed"),
        (-2 * HOUR, "1 of 4 answers carried a wrong Date, up to 2 hours behind: not believed"),
        (2 * CLOCK_TOLERANCE, ""),
    ],
)
def test_answers_that_are_not_believed_are_told(skew: timedelta, words: str) -> None:
    """A node with a wrong clock is reported by how far it is off."""
    assert told(skew, NONE, NONE, NONE).describe_odd() == words


def test_the_worst_of_the_odd_answers_is_told() -> None:
    """However many there are, the furthest one says how wrong it gets."""
    assert "up to 3 hours behind" in told(NONE, NONE, NONE, NONE, 2 * HOUR, -3 * HOUR).describe_odd()
