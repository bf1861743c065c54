"""Windows cover what they are asked to, and nothing is lost at their edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.impact.settings import WINDOW_MAX
from sources.impact.windows import SECOND, Window, cover, cut, instant

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
    """Each locking day that is asked for lies in a window, the range is covered, and no window is over 45 days."""
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
    """The API wants a time component and `Z`; milliseconds appear only where there are some."""
    assert instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert instant(datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"
