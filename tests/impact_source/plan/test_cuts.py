"""Which way a window is narrowed, and into which parts exactly, by plain calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from impact_source.plan.axis import Axis
from impact_source.plan.cuts import Known, cut
from impact_source.plan.narrowing import Case, Way, Why, child, plan_probes
from impact_source.plan.passes import Reading
from impact_source.plan.splitting import split
from impact_source.plan.windows import Counts, Window, second
from impact_source.settings import PAGE_SIZE_MAX, PAGES_MAX

from tests.support.plans import DAY, FIT, HORIZON, LOCKS, NOW, SECOND, SIZE

EVENTS = Window(NOW - 100 * DAY, NOW)
PART = replace(LOCKS, event=EVENTS)


def known(locks: Counts = (), events: Counts = (), *, grow: bool = False) -> Known:
    """What is known: these locks and events; pages may grow or not."""
    by_axis = {Axis.LOCKING: locks, Axis.EVENT: events}

    def counts(reading: Reading, axis: Axis) -> Counts:
        assert reading.campaign_id == "1000"
        return by_axis[axis]

    return Known(counts, HORIZON, pages_may_grow=grow)


def case(
    total: int | None = None, why: Why = Why.TOO_MANY, *shut: Way, reading: Reading = LOCKS, size: int = SIZE
) -> Case:
    """A window that could not be read."""
    return Case(reading, why, "", size, total, shut=frozenset(shut))


def way(one: Case, beside: Known) -> Way:
    """The way in which a window is narrowed."""
    cuts = cut(one, beside)
    assert cuts is not None
    return cuts.way


def events(one: Case, beside: Known) -> list[Window]:
    """The events that are requested instead of a window, in order."""
    cuts = cut(replace(one, shut=frozenset({Way.TIME, Way.LARGER})), beside)
    assert cuts is not None
    assert cuts.way is Way.EVENT
    return [reading.event for reading in cuts.readings if reading.event]


@pytest.mark.parametrize(
    ("locks", "stalls", "expected"),
    [
        ((FIT, 0), (0, 0, 0, 0), Way.TIME),
        ((9 * FIT, FIT), (0, 0, 0, 0), Way.TIME),
        ((9 * FIT + 1, FIT - 1), (0, 0, 0, 0), Way.EVENT),
        ((9 * FIT + 1, FIT - 1), (0, 1, 1, 1), Way.TIME),
        ((9 * FIT + 1, FIT - 1), (1, 1, 1, 1), Way.EVENT),
        ((0, 0), (1, 0, 0, 0), Way.EVENT),
        ((0, 0), (1, 1, 1, 1), Way.TIME),
        ((0, 0), (2, 0, 1, 0), Way.STATE),
    ],
)
def test_the_way_that_stalled_least_is_tried_next(
    locks: tuple[int, int], stalls: tuple[int, ...], expected: Way
) -> None:
    """A day with nearly all locks is not cut by time again and again, which would use up the hourly limit."""
    lies = [(NOW, locks[0]), (NOW + DAY, locks[1])]
    assert way(replace(case(10 * FIT), stalls=stalls), known(lies)) is expected


def test_a_known_total_gives_the_parts_by_time() -> None:
    """Five times too much is five requests, each of a fifth of the window."""
    cuts = cut(case(5 * FIT), known())
    assert cuts is not None
    windows = [reading.window for reading in cuts.readings]
    assert windows == split(LOCKS.window, FIT, 5 * FIT, ())
    assert len(windows) == 5


@pytest.mark.parametrize(
    ("size", "total", "locks", "grown"),
    [
        (1000, 1500 * PAGES_MAX, 0, "2000"),
        (1000, 2000 * PAGES_MAX, 0, "2000"),
        (1000, 2000 * PAGES_MAX + 1, 0, "3000"),
        (999, 1, 0, "1000"),
        (1000, 1, 0, "2000"),
        (3000, None, 0, "6000"),
        (1000, None, 2000 * PAGES_MAX, "3000"),
        (1000, PAGE_SIZE_MAX * PAGES_MAX, 0, str(PAGE_SIZE_MAX)),
        (1000, PAGE_SIZE_MAX * PAGES_MAX + 1, 0, None),
    ],
)
def test_pages_grow_until_the_window_fits(size: int, total: int | None, locks: int, grown: str | None) -> None:
    """Larger pages read a crowded day completely, in thousands of records and no larger than the API allows."""
    cuts = cut(case(total, Why.TOO_MANY, Way.TIME, size=size), known([(NOW, locks)], grow=True))
    assert cuts is not None
    assert [str(reading.page_size) for reading in cuts.readings if reading.page_size] == ([grown] if grown else [])
    assert (cuts.way is Way.LARGER) is bool(grown)
    assert not grown or cuts.readings[0].window == LOCKS.window


@pytest.mark.parametrize(("why", "grow"), [(Why.TOO_MANY, False), (Why.MOVED, True), (Why.TOO_SLOW, True)])
def test_pages_grow_only_where_that_helps(why: Why, grow: bool) -> None:  # noqa: FBT001
    """Larger pages make a slow answer slower, and an account may forbid them."""
    assert way(case(2 * FIT, why, Way.TIME), known(grow=grow)) is Way.EVENT


@pytest.mark.parametrize(
    ("before", "part", "others", "stalled"),
    [(300, None, 29, True), (300, None, 30, False), (None, 500, 3, True), (None, 500, 4, False)],
)
def test_a_part_of_unknown_size_is_judged_by_the_others(
    before: int | None,
    part: int | None,
    others: int,
    stalled: bool,  # noqa: FBT001 - the expected value
) -> None:
    """If the other parts hold next to nothing, the one that is too full still holds nearly all."""
    after = child(case(before, size=3), Way.TIME, case(part), others)
    assert after.stalls == (int(stalled), 0, 0, 0)


def test_the_first_cut_by_event_is_given_up_by_no_part() -> None:
    """It begins with years, one of which holds nearly all rows; only a second useless cut is given up."""
    assert child(case(300), Way.EVENT, case(300), 0).stalls == (0, 0, 0, 0)
    assert child(case(300, reading=PART), Way.EVENT, case(300), 0).stalls == (0, 0, 1, 0)


QUIET = second(HORIZON.start + 10 * DAY)


@pytest.mark.parametrize(
    ("reading", "why", "expected"),
    [
        (LOCKS, Why.TOO_SLOW, [{Axis.LOCKING: QUIET, Axis.EVENT: QUIET}]),
        (PART, Why.TOO_SLOW, [{Axis.LOCKING: QUIET, Axis.EVENT: QUIET, Axis.UPDATED: QUIET}]),
        (
            LOCKS,
            Why.TOO_MANY,
            [
                {Axis.LOCKING: LOCKS.window, Axis.EVENT: QUIET},
                {Axis.LOCKING: second(NOW), Axis.EVENT: QUIET},
            ],
        ),
        (
            PART,
            Why.TOO_MANY,
            [
                {Axis.LOCKING: LOCKS.window, Axis.EVENT: EVENTS, Axis.UPDATED: QUIET},
                {Axis.LOCKING: second(NOW), Axis.EVENT: second(EVENTS.start), Axis.UPDATED: QUIET},
            ],
        ),
    ],
)
def test_next_to_nothing_is_asked_for_to_see_what_is_refused(
    reading: Reading, why: Why, expected: list[dict[Axis, Window]]
) -> None:
    """An API that is down, or refuses the bounds themselves, does not get ever smaller windows."""
    assert plan_probes(reading, HORIZON, why) == expected


def test_the_quiet_window_is_never_in_the_future() -> None:
    """The probe for an account of a few days uses its last second, not one that the API would refuse."""
    (probe,) = plan_probes(LOCKS, Window(NOW - 5 * DAY, NOW), Why.TOO_SLOW)
    assert probe[Axis.EVENT] == second(NOW)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (None, 23),
        (HORIZON.start - SECOND, 23),
        (HORIZON.start, 50),
        (NOW, 50),
        (NOW + DAY, 50),
        (NOW + DAY + SECOND, 23),
    ],
)
def test_events_are_cut_by_the_total_where_any_are_known(at: datetime | None, number: int) -> None:
    """Fifty times too much is fifty parts; if nothing is known of its events, the fewest that the API accepts."""
    assert len(events(case(50 * FIT), known(events=[(at, 1)] if at else []))) == number


def test_a_part_by_event_is_cut_by_its_total() -> None:
    """A part that is four times too full becomes four, the most recent events first."""
    found = events(case(4 * FIT, reading=PART), known())
    assert sorted(found) == split(EVENTS, FIT, 4 * FIT, ())
    assert found == sorted(found, reverse=True)
    assert len(found) == 4


def test_where_rows_are_known_to_be_is_asked_for_first() -> None:
    """What the window holds is found after few requests; an event at an edge may be in either part."""
    first, second_, third, fourth = split(EVENTS, FIT, 4 * FIT, ())
    assert second_.end == third.start
    found = events(case(4 * FIT, reading=PART), known(events=[(second_.end, 1)]))
    assert found == [third, second_, fourth, first]
