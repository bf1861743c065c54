"""Windows cover what they should, and nothing is lost at their edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.plan.windows import SECOND, Window, cover, cut, gather, instant, round_second
from impact_source.settings import WINDOW_MAX

INSTANTS = st.datetimes(datetime(2022, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
SPANS = st.timedeltas(timedelta(0), timedelta(days=1200)).map(lambda span: timedelta(seconds=int(span.total_seconds())))
LONGEST = st.timedeltas(timedelta(seconds=1), WINDOW_MAX)


@given(INSTANTS, SPANS)
def test_cut_covers_the_range_without_a_gap(start: datetime, span: timedelta) -> None:
    """Windows begin at the start, adjoin, end at the end, and none is longer than 45 days."""
    windows = cut(start, start + span)
    assert windows[0].start == start
    assert windows[-1].end == start + max(span, SECOND)
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert all(window.span <= WINDOW_MAX for window in windows)
    assert len(windows) == max(1, -(-span // WINDOW_MAX))


@given(INSTANTS, SPANS, st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=10)), max_size=12))
def test_cover_holds_every_point_and_the_whole_range(
    start: datetime, span: timedelta, offsets: list[timedelta]
) -> None:
    """Each given locking day lies in a window, the range is covered, and no window is longer than 45 days."""
    points = [start + offset for offset in offsets]
    windows = cover(points, start, start + span)
    assert all(window.span <= WINDOW_MAX for window in windows)
    assert all(any(w.start <= point <= w.end for w in windows) for point in points if point < start + span)
    assert any(w.start <= start <= w.end for w in windows)
    reaching = [window for window in windows if window.end >= start]
    assert reaching[-1].end == start + max(span, SECOND)
    assert all(a.end == b.start for a, b in pairwise(reaching))


def test_cover_reaches_back_without_an_extra_request_where_one_window_can_hold_both() -> None:
    """A locking day of last week and the coming month fit one window, so one window is read."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert cover([now - timedelta(days=7)], now, now + timedelta(days=30)) == [
        Window(now - timedelta(days=7), now + timedelta(days=30))
    ]


def test_a_reversed_window_is_refused() -> None:
    """A window that ends before it starts is an error, not an empty answer."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="must not end before it starts"):
        Window(now, now - timedelta(seconds=1))


def test_instants_are_written_in_utc_with_a_time() -> None:
    """The API wants a time component and `Z`; milliseconds appear only if there are any."""
    assert instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert instant(datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"
    assert instant(datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC)) == "2026-01-02T03:04:05Z"


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def seconds(*pairs: tuple[float, float]) -> list[Window]:
    """Windows that begin and end so many seconds after `NOW`."""
    return [Window(NOW + start * SECOND, NOW + end * SECOND) for start, end in pairs]


def test_a_window_may_be_a_single_instant() -> None:
    """An answer that vouches for one instant vouches for everything at it."""
    assert Window(NOW, NOW).span == timedelta(0)


@pytest.mark.parametrize(("up", "second"), [(False, 0), (True, 1)])
def test_a_broken_second_is_cut_off_or_rounded_up(up: bool, second: int) -> None:  # noqa: FBT001
    """The API may compare to the second: bounds are full seconds, and a window that must hold its end is rounded up."""
    assert round_second(NOW, up=up) == NOW
    assert round_second(NOW + SECOND / 3, up=up) == NOW + second * SECOND


def test_windows_hold_the_fraction_of_a_second_that_they_are_asked_for() -> None:
    """A row of the last half second is read by this run, not lost between it and the next."""
    assert cut(NOW + SECOND / 2, NOW + 10.5 * SECOND) == seconds((0, 11))


@pytest.mark.parametrize(
    ("points", "windows"),
    [
        ((), ()),
        ((0,), [(0, 1)]),
        ((9, 0), [(0, 10)]),
        ((0, 10), [(0, 1), (10, 11)]),
        ((0, 5.5, 20, 27, 30), [(0, 6), (20, 28), (30, 31)]),
    ],
)
def test_points_are_gathered_into_the_fewest_windows(
    points: tuple[float, ...], windows: list[tuple[float, float]]
) -> None:
    """Each window costs a request: it holds all points that its length allows, and no more time than needed."""
    assert gather((NOW + point * SECOND for point in points), 10 * SECOND) == seconds(*windows)


@pytest.mark.parametrize(
    ("points", "windows"),
    [
        ((), [(0, 10), (10, 12)]),
        ((5,), [(0, 10), (10, 12)]),
        ((-3,), [(-3, 7), (7, 12)]),
        ((-10, 0), [(-10, 0), (0, 10), (10, 12)]),
        ((-11, 0), [(-11, -10), (0, 10), (10, 12)]),
        ((-25, -20, -5), [(-25, -19), (-5, 5), (5, 12)]),
    ],
)
def test_a_range_and_the_points_before_it_take_the_fewest_windows(
    points: tuple[float, ...], windows: list[tuple[float, float]]
) -> None:
    """Old locks are read with future ones if a window is long enough for both, otherwise separately."""
    found = cover((NOW + point * SECOND for point in points), NOW, NOW + 12 * SECOND, 10 * SECOND)
    assert found == seconds(*windows)
