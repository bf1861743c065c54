"""Windows that hold too much are cut where it helps, and no instant between the parts is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.plan.splitting import split
from impact_source.plan.windows import SECOND, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY = timedelta(days=1)
SPANS = st.integers(2, 45 * 86_400) | st.integers(2, 10)
COUNTS = st.dictionaries(st.integers(0, 45 * 86_400_000), st.integers(1, 500), max_size=20)


@given(SPANS, COUNTS, st.integers(1, 300), st.none() | st.integers(1, 10_000_000))
def test_parts_adjoin_and_are_smaller(span: int, counts: dict[int, int], fit: int, total: int | None) -> None:
    """Parts begin and end with the window at whole seconds, adjoin, are more than one and not too many."""
    window = Window(START, START + span * SECOND)
    known = sorted((START + at * MILLISECOND, count) for at, count in counts.items())
    found = split(window, fit, total, known)
    assert 1 < len(found) <= 100
    assert (found[0].start, found[-1].end) == (window.start, window.end)
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(SECOND <= part.span < window.span for part in found)
    assert not any(part.start.microsecond for part in found)


def test_a_single_second_cannot_be_cut_by_time() -> None:
    """A server may compare to the second: what lies within one is narrowed in another way."""
    assert split(Window(START, START + SECOND), 10, 100, []) == []


def test_a_told_total_gives_the_number_of_parts_at_once() -> None:
    """Ten times too much is cut into ten, not into two again and again."""
    assert len(split(Window(START, START + 40 * DAY), 200, 2_000, [])) == 10


def test_a_crowded_instant_is_set_apart_at_once() -> None:
    """The day on which a complete month locks is read on its own, days away from its neighbours."""
    lock = START + 28 * DAY
    found = split(Window(START, START + 40 * DAY), 200, None, [(START + DAY, 5), (lock, 900), (START + 35 * DAY, 5)])
    assert [part for part in found if part.start <= lock <= part.end] == [found[1]]
    assert lock - found[1].start > DAY
    assert found[1].end - lock > DAY


def test_known_instants_are_gathered_into_parts_that_fit() -> None:
    """Cuts fall between known instants, as few as the counts allow."""
    known = [(START + day * DAY, 60) for day in range(10)]
    found = split(Window(START, START + 9 * DAY), 200, None, known)
    assert len(found) == 4
    assert all(sum(count for at, count in known if part.start <= at <= part.end) <= 180 for part in found)


def test_parts_meet_off_the_hour() -> None:
    """Actions lock at full hours, and rows at the edge of two parts are in both."""
    found = split(Window(START, START + 40 * DAY), 200, 2_000, [])
    assert all(part.start.minute for part in found[1:])


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("span", "total", "edges"),
    [
        (4 * HOUR, None, [2 * HOUR]),
        (4 * HOUR, 5, [2 * HOUR]),
        (4 * HOUR + 2 * SECOND, None, [2 * HOUR + 17 * MINUTE]),
        (4 * HOUR, 21, [HOUR + 20 * MINUTE, 2 * HOUR + 40 * MINUTE]),
        (30 * HOUR + 50 * SECOND, 30, [10 * HOUR + 17 * MINUTE, 20 * HOUR + 17 * MINUTE]),
        (3 * SECOND, 1_000, [SECOND, 2 * SECOND]),
    ],
)
def test_a_window_of_which_nothing_is_known_is_cut_evenly(
    span: timedelta, total: int | None, edges: list[timedelta]
) -> None:
    """Without counts each part gets the same time: two parts, or as many as the total requires."""
    found = split(Window(START, START + span), 10, total, [])
    assert [part.end - START for part in found] == [*edges, span]


@pytest.mark.parametrize(
    ("known", "edges"),
    [
        ([(0, 90), (60, 0)], [200]),
        ([(0, 90), (60, 1)], [30]),
        ([(100, 50), (100.5, 50), (161, 1)], [130]),
        ([(100, 90), (101, 90)], [101]),
        ([(399, 90), (400, 90)], [200]),
        ([(401, 90), (500, 90)], [200]),
    ],
)
def test_edges_lie_amid_the_gaps_between_known_rows(known: list[tuple[float, int]], edges: list[int]) -> None:
    """Far from both neighbours, an edge separates them even if the server compares to the minute."""
    counts = [(START + at * SECOND, count) for at, count in known]
    found = split(Window(START, START + 400 * SECOND), 100, None, counts)
    assert [part.end for part in found] == [START + edge * SECOND for edge in [*edges, 400]]
