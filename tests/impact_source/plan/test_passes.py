"""Which windows a run reads, given its cursors. No network."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.plan.cursors import Cursors, Mark
from impact_source.plan.passes import Bounds, Pass, Reading, is_first, plan_locking, plan_updated
from impact_source.plan.windows import SECOND, Window
from impact_source.settings import HISTORY_MAX, LATE, WINDOW_MAX, Settings

from tests.support.plans import DAY, NOW, SETTINGS, cursors


def locking(
    at: Cursors,
    bounds: Bounds,
    *,
    furthest: datetime | None = None,
    uncleared: tuple[datetime, ...] = (),
    settings: Settings = SETTINGS,
) -> list[Reading]:
    """Windows of the locking pass of campaign 1."""
    return plan_locking("1", at, bounds, settings, furthest=furthest, uncleared=uncleared)


def after(readings: list[Reading], at: Cursors) -> Cursors:
    """The cursors once all readings have landed."""
    for reading in readings:
        for mark, to in reading.marks:
            at.move(mark, to)
    return at


def test_the_first_run_reads_three_years_and_sets_both_cursors() -> None:
    """A new account is read from as far back as the API goes; approvals are followed from this moment on."""
    readings = plan_updated("1", cursors(), Bounds(NOW, NOW), SETTINGS)
    assert readings[0].window.start == NOW - HISTORY_MAX
    assert is_first(cursors(), Bounds(NOW, NOW), SETTINGS)
    landed = after(readings[:1], cursors())
    assert landed.get(Mark.UPDATED) == readings[0].window.end
    assert landed.get(Mark.LOCKING) == NOW


def test_a_later_run_reads_from_its_cursor_less_the_overlap() -> None:
    """Rows that became visible late are caught by reading a day twice."""
    (reading,) = plan_updated("1", cursors(updated=NOW - 7 * DAY), Bounds(NOW, NOW), SETTINGS)
    assert reading.window == Window(NOW - 8 * DAY, NOW)


def test_start_date_bounds_the_first_run_only() -> None:
    """`start_date` says where the first run begins; later runs continue from the cursor."""
    settings = Settings("sid", "token", start_date=NOW - 10 * DAY)
    assert plan_updated("1", cursors(), Bounds(NOW, NOW), settings)[0].window.start == NOW - 10 * DAY
    assert not is_first(cursors(), Bounds(NOW, NOW), settings)
    at = cursors(updated=NOW - 2 * DAY)
    assert plan_updated("1", at, Bounds(NOW, NOW), settings)[0].window.start == NOW - 3 * DAY


def test_since_before_the_cursor_reads_again_and_moves_nothing_back() -> None:
    """Re-reading an old range leaves the cursor where it is or further."""
    at = cursors(updated=NOW - DAY, locking=NOW - DAY)
    readings = plan_updated("1", at, Bounds(NOW, NOW - 50 * DAY, NOW - 100 * DAY), SETTINGS)
    assert readings[0].window.start == NOW - 100 * DAY
    assert after(readings, at).get(Mark.UPDATED) == NOW - DAY


def test_since_after_the_cursor_moves_no_cursor() -> None:
    """A range that does not adjoin what was read before must not make the gap look read."""
    at = cursors(updated=NOW - 30 * DAY, locking=NOW - 30 * DAY)
    bounds = Bounds(NOW, NOW, NOW - 5 * DAY)
    assert not any(reading.marks for reading in plan_updated("1", at, bounds, SETTINGS))
    assert not any(reading.marks for reading in locking(at, bounds, furthest=NOW + DAY))


def test_since_on_a_new_account_moves_no_cursor() -> None:
    """Trying a month first does not keep the complete history from being loaded afterwards."""
    bounds = Bounds(NOW, NOW, NOW - 30 * DAY)
    assert not any(reading.marks for reading in plan_updated("1", cursors(), bounds, SETTINGS))
    assert [r.window for r in locking(cursors(), bounds)] == [Window(NOW - 30 * DAY, NOW)]


def test_since_over_three_years_back_reads_what_the_api_gives() -> None:
    """The API refuses older dates, so reading begins at the oldest that it accepts."""
    bounds = Bounds(NOW, NOW, NOW - 2000 * DAY)
    assert plan_updated("1", cursors(), bounds, SETTINGS)[0].window.start == NOW - HISTORY_MAX


def test_a_cursor_never_moves_past_the_servers_now() -> None:
    """An `until` in the future must not hide what changes before it."""
    at = cursors(updated=NOW - DAY, locking=NOW - DAY)
    bounds = Bounds(NOW, NOW + 20 * DAY)
    landed = after(plan_updated("1", at, bounds, SETTINGS) + locking(at, bounds), at)
    assert landed.get(Mark.UPDATED) == landed.get(Mark.LOCKING) == NOW


def test_the_locking_pass_reads_past_and_coming_locks() -> None:
    """From the cursor less the overlap, past now, to the furthest lock; the cursor stops at `until`."""
    at = cursors(updated=NOW, locking=NOW - 7 * DAY)
    readings = locking(at, Bounds(NOW, NOW), furthest=NOW + 60 * DAY)
    assert readings[0].window.start == NOW - 8 * DAY
    assert readings[-1].window.end == NOW + 60 * DAY + SECOND, "the end of a range may not count"
    assert all(reading.pass_ is Pass.LOCKING for reading in readings)
    landed = after(readings, at)
    assert landed.get(Mark.LOCKING) == landed.get(Mark.RECHECKED) == NOW


def test_the_locking_pass_reaches_back_to_uncleared_actions() -> None:
    """Actions that locked months ago and are not paid yet are read again; the weeks between are not."""
    at = cursors(updated=NOW, locking=NOW - DAY)
    old = NOW - 100 * DAY
    readings = locking(at, Bounds(NOW, NOW), uncleared=(old, old + 3 * DAY))
    assert [r.window for r in readings] == [Window(old, old + 3 * DAY + SECOND), Window(NOW - 2 * DAY, NOW)]
    assert readings[0].marks == ()


def test_a_range_of_a_new_account_follows_nothing() -> None:
    """`--since` on an empty warehouse reads what was updated or has locked since; it does not read all of it twice."""
    bounds = Bounds(NOW, NOW, NOW - 9 * DAY)
    readings = locking(cursors(), bounds, furthest=NOW + 60 * DAY, uncleared=(NOW - 100 * DAY,))
    assert [reading.window for reading in readings] == [Window(NOW - 9 * DAY, NOW)]
    assert readings[0].marks == ()


def test_coming_locks_are_read_less_often_on_demand() -> None:
    """With a recheck interval future locks wait for it; those that passed are read every time."""
    settings = Settings("sid", "token", recheck_interval=7 * DAY)
    at = cursors(updated=NOW, locking=NOW - DAY, rechecked=NOW - DAY)
    assert locking(at, Bounds(NOW, NOW), furthest=NOW + DAY, settings=settings)[-1].window.end == NOW
    at = cursors(updated=NOW, locking=NOW - DAY, rechecked=NOW - 7 * DAY)
    assert locking(at, Bounds(NOW, NOW), furthest=NOW + DAY, settings=settings)[-1].window.end == NOW + DAY + SECOND


@pytest.mark.parametrize(("overlap", "late"), [(DAY, LATE), (LATE / 2, LATE / 2), (LATE * 0, LATE * 0)])
def test_what_may_have_shown_up_after_the_cursor_is_news(overlap: timedelta, late: timedelta) -> None:
    """An update in the hour before the last run may not have been visible yet: its items would stay as they were."""
    settings, at = Settings("sid", "token", overlap=overlap), cursors(updated=NOW - 7 * DAY)
    readings = plan_updated("1", at, Bounds(NOW, NOW), settings, apart=True)
    seam = NOW - 7 * DAY - late
    known = [Window(seam + late - overlap, seam)] if overlap > late else []
    assert [reading.window for reading in readings if not reading.fresh] == known
    assert [reading.window for reading in readings if reading.fresh] == [Window(seam, NOW)]
    assert not any(reading.fresh for reading in plan_updated("1", at, Bounds(NOW, NOW), settings))


DAYS = st.integers(0, 1500)


@given(DAYS, DAYS, st.none() | DAYS, st.integers(0, 400), st.integers(0, 90))
def test_windows_cover_from_cursor_to_until_whatever_they_are(
    updated: int, locked: int, since: int | None, ahead: int, overlap: int
) -> None:
    """Both passes leave no gap between where they must start and `until`, in windows of at most 45 days."""
    settings = Settings("sid", "token", overlap=overlap * DAY)
    at = cursors(updated=NOW - updated * DAY, locking=NOW - locked * DAY)
    bounds = Bounds(NOW, NOW, None if since is None else NOW - since * DAY)
    for days, readings in (
        (updated, plan_updated("1", at, bounds, settings)),
        (locked, locking(at, bounds, furthest=NOW + ahead * DAY, settings=settings)),
    ):
        windows = [reading.window for reading in readings]
        asked = days + overlap if since is None else since
        assert windows[0].start == max(NOW - asked * DAY, NOW - HISTORY_MAX)
        assert windows[-1].end >= NOW
        assert all(a.end == b.start for a, b in pairwise(windows))
        assert all(window.span <= WINDOW_MAX for window in windows)
