"""What each window of a pass vouches for, and what vouches for nothing. No network."""

from __future__ import annotations

from datetime import datetime

import pytest
from impact_source.plan.cursors import Mark
from impact_source.plan.passes import (
    Bounds,
    Pass,
    Reading,
    adjoining,
    lookback_start,
    plan_earlier,
    plan_locking,
    plan_updated,
    vouches,
)
from impact_source.plan.windows import SECOND, Window
from impact_source.settings import HISTORY_MAX, LATE, LOCK_MAX, Settings

from tests.support.plans import DAY, NOW, SETTINGS, cursors

BOUNDS = Bounds(NOW, NOW)
EDGE = NOW - HISTORY_MAX


def test_a_first_run_says_from_where_on_it_has_read_and_follows_locks_from_now() -> None:
    """The very first window sets every mark; a later one moves only the cursor."""
    begun = (Mark.BEGUN, NOW - 50 * DAY)
    followed = ((Mark.LOCKING, NOW), (Mark.FOLLOWED, NOW))
    settings = Settings("sid", "token", start_date=NOW - 50 * DAY)
    first, second = (Window(NOW - 50 * DAY, NOW - 5 * DAY), Window(NOW - 5 * DAY, NOW))
    assert plan_updated("1", cursors(), BOUNDS, settings) == [
        Reading("1", Pass.UPDATED, first, ((Mark.UPDATED, first.end), begun, *followed)),
        Reading("1", Pass.UPDATED, second, ((Mark.UPDATED, NOW), begun, *followed)),
    ]
    at = cursors(updated=NOW - DAY, locking=NOW - DAY)
    assert plan_updated("1", at, BOUNDS, SETTINGS) == [
        Reading("1", Pass.UPDATED, Window(NOW - 2 * DAY, NOW), ((Mark.UPDATED, NOW),))
    ]


def test_what_is_read_apart_moves_the_cursor_as_well() -> None:
    """New updates are read apart from the overlap; both are windows of the campaign's updated pass, in order."""
    at = cursors(updated=NOW - 7 * DAY, locking=NOW - DAY)
    seam = NOW - 7 * DAY - LATE
    assert plan_updated("1", at, BOUNDS, SETTINGS, apart=True) == [
        Reading("1", Pass.UPDATED, Window(NOW - 8 * DAY, seam), ((Mark.UPDATED, seam),)),
        Reading("1", Pass.UPDATED, Window(seam, NOW), ((Mark.UPDATED, NOW),), fresh=True),
    ]
    assert all(reading.fresh for reading in plan_updated("1", cursors(), BOUNDS, SETTINGS, apart=True))


@pytest.mark.parametrize(
    ("settings", "begun", "bounds", "starts"),
    [
        (Settings("sid", "token"), None, BOUNDS, []),
        (Settings("sid", "token", start_date=NOW - 100 * DAY), NOW - 50 * DAY, BOUNDS, [-55, -100]),
        (Settings("sid", "token", start_date=NOW - 100 * DAY), NOW - 50 * DAY, Bounds(NOW, NOW, NOW - DAY), []),
        (Settings("sid", "token", start_date=NOW - 100 * DAY), NOW - 50 * DAY, Bounds(NOW, NOW - 51 * DAY), []),
        (
            Settings("sid", "token", start_date=NOW - 100 * DAY),
            NOW - 50 * DAY,
            Bounds(NOW, NOW - 50 * DAY),
            [-55, -100],
        ),
        (Settings("sid", "token", start_date=NOW - 50 * DAY), NOW - 50 * DAY, BOUNDS, []),
        (Settings("sid", "token", start_date=NOW - 50 * DAY - SECOND), NOW - 50 * DAY, BOUNDS, [-50 - 1 / 86_400]),
        (Settings("sid", "token", start_date=NOW - 50 * DAY - SECOND / 2), NOW - 50 * DAY, BOUNDS, []),
        (Settings("sid", "token", start_date=NOW - 40 * DAY), NOW - 50 * DAY, BOUNDS, []),
        (Settings("sid", "token"), EDGE + 29 * SECOND, BOUNDS, []),
        (Settings("sid", "token"), EDGE + 30 * SECOND, BOUNDS, [(EDGE - NOW) / DAY]),
        (Settings("sid", "token", start_date=EDGE - DAY), EDGE + 10 * DAY, BOUNDS, [(EDGE - NOW) / DAY]),
    ],
)
def test_an_earlier_start_date_reads_what_lies_before(
    settings: Settings, begun: datetime | None, bounds: Bounds, starts: list[float]
) -> None:
    """Up to what was already read, the latest first, so that a run that ends early leaves no gap."""
    at = cursors(begun=begun) if begun else cursors()
    readings = plan_earlier("1", at, bounds, settings)
    ends = [begun or NOW, *(NOW + start * DAY for start in starts)]
    assert readings == [
        Reading("1", Pass.UPDATED, Window(start, end), ((Mark.BEGUN, start),))
        for start, end in zip(ends[1:], ends, strict=False)
    ]


@pytest.mark.parametrize(
    ("windows", "reached"),
    [
        ([], 0),
        ([(-9, 0)], -9),
        ([(-9, -1)], -9),
        ([(-9, -2)], 0),
        ([(-9, 0), (-20, -9)], -20),
        ([(-20, -11), (-9, 0)], -9),
        ([(-20, 0), (-9, -5), (-30, -20)], -30),
        ([(-9, 0), (-5, -3), (-12, -8)], -12),
        ([(-9, 5), (-20, -10)], -20),
    ],
)
def test_what_was_read_reaches_back_to_the_first_hole(windows: list[tuple[int, int]], reached: int) -> None:
    """A range counts as read from where windows adjoin up to the cursor, in whichever order they were read."""
    held = [Window(NOW + start * SECOND, NOW + end * SECOND) for start, end in windows]
    assert adjoining(held, NOW) == NOW + reached * SECOND


def test_the_locking_cursor_follows_its_windows() -> None:
    """A run that ends after one window continues from there; future locks move it no further than now."""
    at = cursors(locking=NOW - 50 * DAY)
    first, second, third = (
        Window(NOW - 51 * DAY, NOW - 6 * DAY),
        Window(NOW - 6 * DAY, NOW + 39 * DAY),
        Window(NOW + 39 * DAY, NOW + 60 * DAY + SECOND),
    )
    rechecked = (Mark.RECHECKED, NOW)
    found = plan_locking("1", at, BOUNDS, SETTINGS, furthest=NOW + 60 * DAY, uncleared=[])
    assert found == [
        Reading("1", Pass.LOCKING, first, ((Mark.LOCKING, first.end),)),
        Reading("1", Pass.LOCKING, second, ((Mark.LOCKING, NOW),)),
        Reading("1", Pass.LOCKING, third, ((Mark.LOCKING, NOW), rechecked)),
    ]
    earlier = Bounds(NOW, NOW - 10 * DAY)
    marks = [one.marks for one in plan_locking("1", at, earlier, SETTINGS, furthest=NOW + 60 * DAY, uncleared=[])]
    until = (Mark.LOCKING, NOW - 10 * DAY)
    assert marks == [(until,), (until,), (until, rechecked)]


def locks(bounds: Bounds, furthest: datetime | None = None, *uncleared: datetime) -> list[Reading]:
    """Windows of the locking pass of a campaign that was read up to a day ago."""
    return plan_locking("1", cursors(locking=NOW - DAY), bounds, SETTINGS, furthest=furthest, uncleared=uncleared)


def test_a_lock_beyond_what_the_api_allows_is_not_waited_for() -> None:
    """An action that locks in the year 9999 is re-read as an unseen one, not by hundreds of windows."""
    assert locks(BOUNDS, NOW + 9 * LOCK_MAX)[-1].window.end == NOW + LOCK_MAX
    assert locks(BOUNDS, NOW + LOCK_MAX - 2 * SECOND)[-1].window.end == NOW + LOCK_MAX - SECOND


def test_since_at_the_cursor_adjoins_it() -> None:
    """What begins exactly where the last run ended leaves no gap, and moves the cursor; a later start does not."""
    assert locks(Bounds(NOW, NOW, NOW - DAY))[0].marks
    assert not locks(Bounds(NOW, NOW, NOW - DAY + SECOND))[0].marks
    (now,) = locks(Bounds(NOW, NOW, NOW))
    assert now.window == Window(NOW, NOW + SECOND)
    assert locks(Bounds(NOW, NOW, NOW + SECOND)) == []


def test_locks_are_reached_back_for_as_far_as_the_api_answers() -> None:
    """A lock of exactly three years ago can be requested; an earlier one would be refused."""
    assert locks(BOUNDS, None, EDGE)[0].window == Window(EDGE, EDGE + SECOND)
    assert len(locks(BOUNDS, None, EDGE - SECOND)) == 1


@pytest.mark.parametrize(
    ("marks", "since", "recheck", "complete"),
    [
        ({}, None, 0, True),
        ({}, NOW - 10 * DAY, 0, False),
        ({"updated": NOW - DAY, "locking": NOW - DAY}, None, 0, True),
        ({"updated": NOW - DAY, "locking": NOW - DAY}, NOW - DAY, 0, True),
        ({"updated": NOW - DAY, "locking": NOW - DAY}, NOW - DAY + SECOND, 0, False),
        ({"updated": NOW, "locking": NOW - DAY}, NOW - DAY + SECOND, 0, False),
        ({"updated": NOW - DAY, "locking": NOW}, NOW - DAY + SECOND, 0, False),
        ({"updated": NOW - DAY}, NOW - 2 * DAY, 0, False),
        ({"updated": NOW - DAY, "locking": NOW - DAY, "rechecked": NOW - DAY}, None, 7, False),
        ({"updated": NOW - DAY, "locking": NOW - DAY, "rechecked": NOW - 7 * DAY}, None, 7, True),
    ],
)
def test_a_run_vouches_only_where_it_leaves_nothing_out(
    marks: dict[str, datetime],
    since: datetime | None,
    recheck: int,
    complete: bool,  # noqa: FBT001 - the expected value
) -> None:
    """It adjoins what both passes have read, and re-reads future locks: otherwise figures may be out of date."""
    settings = Settings("sid", "token", recheck_interval=recheck * DAY)
    assert vouches(cursors(**marks), Bounds(NOW, NOW, since), settings) is complete


@pytest.mark.parametrize(
    ("marks", "until", "start"),
    [
        ({}, NOW, NOW - 180 * DAY),
        ({"locking": NOW - 90 * DAY}, NOW, NOW - 270 * DAY),
        ({"locking": NOW}, NOW - 10 * DAY, NOW - 190 * DAY),
        ({"locking": NOW - 1000 * DAY}, NOW, EDGE),
    ],
)
def test_uncleared_actions_are_looked_after_through_a_long_pause(
    marks: dict[str, datetime], until: datetime, start: datetime
) -> None:
    """Half a year counts from the last run: actions followed then are not dropped while nothing runs."""
    assert lookback_start(cursors(**marks), Bounds(NOW, until), SETTINGS) == start
