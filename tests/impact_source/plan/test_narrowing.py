"""What narrowing decides, by plain calls: what is requested instead of a window, and when that was all of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest
from impact_source.plan.axis import Axis
from impact_source.plan.cursors import Mark
from impact_source.plan.cuts import Known, cut
from impact_source.plan.narrowing import (
    Case,
    Way,
    Why,
    adds_up,
    after_larger,
    allowed,
    child,
    may_stop,
    plausible_total,
    shut_way,
)
from impact_source.plan.passes import Reading
from impact_source.plan.windows import Counts, Window
from impact_source.settings import STATES

from tests.support.plans import DAY, FIT, HORIZON, LOCKS, NOW, SIZE

BY_TIME, BY_SIZE = frozenset({Way.TIME}), frozenset({Way.TIME, Way.LARGER})


def case(total: int | None, why: Why = Why.TOO_MANY, shut: frozenset[Way] = BY_SIZE) -> Case:
    """A window of locks that could not be read, nor in the ways that are shut."""
    return Case(LOCKS, why, "", SIZE, total, shut=shut)


def known(*events: tuple[datetime, int]) -> Known:
    """Actions are known to happen at these instants, and nothing is known of their locks."""

    def counts(_: Reading, axis: Axis) -> Counts:
        return events if axis is Axis.EVENT else ()

    return Known(counts, HORIZON, pages_may_grow=False)


@pytest.mark.parametrize("way", [Way.EVENT, Way.STATE, Way.TIME, Way.LARGER])
def test_parts_below_the_total_are_not_the_window(way: Way) -> None:
    """An action that no part returned would be missing while the cursor moves past it."""
    assert not adds_up(case(300), way, 299)
    assert adds_up(case(300), way, 300)
    assert adds_up(case(300), way, 301), "more than there were: some are new"


def test_parts_are_short_by_no_more_than_left_in_the_meantime() -> None:
    """Ten actions that leave the window while its parts are read excuse ten missing ones, but not eleven."""
    assert not adds_up(case(300), Way.EVENT, 279, case(290))
    assert adds_up(case(300), Way.EVENT, 280, case(290))
    assert not adds_up(case(300), Way.EVENT, 289, case(310))
    assert adds_up(case(300), Way.EVENT, 290, case(310))


def test_without_a_total_parts_hold_more_than_can_be_paged_through_or_are_not_trusted() -> None:
    """EventDates may lie beyond all parts: fewer rows than made the window too full are not all of it."""
    assert not adds_up(case(None), Way.EVENT, FIT)
    assert adds_up(case(None), Way.EVENT, FIT + 1)
    assert adds_up(case(None), Way.TIME, 0), "parts of its own date leave no gap"


def test_events_before_the_known_ones_are_asked_for() -> None:
    """An action that was imported with an old EventDate, or never held here, would be in no part."""
    cuts = cut(case(None), known((NOW - 20 * DAY, FIT), (NOW - 10 * DAY, FIT)))
    assert cuts is not None
    assert cuts.way is Way.EVENT
    windows = sorted(reading.event for reading in cuts.readings if reading.event)
    assert windows[0].start == HORIZON.start
    assert windows[-1].end > HORIZON.end, "the end of a range may not count"
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert {reading.window for reading in cuts.readings} == {LOCKS.window}


def test_a_part_by_event_is_narrowed_within_its_own_events() -> None:
    """The second cut of a part covers it from end to end; otherwise rows beside the known events are lost."""
    part = Window(NOW - 100 * DAY, NOW)
    narrower = replace(case(None), reading=replace(LOCKS, event=part))
    cuts = cut(narrower, known((NOW - 20 * DAY, FIT), (NOW - 10 * DAY, FIT)))
    assert cuts is not None
    windows = sorted(reading.event for reading in cuts.readings if reading.event)
    assert (windows[0].start, windows[-1].end) == part.ends
    assert all(a.end == b.start for a, b in pairwise(windows))


def test_a_split_by_state_without_a_total_is_refused() -> None:
    """Undocumented states are in no part, and without a total nobody would miss their actions."""
    by_event = BY_SIZE | {Way.EVENT}
    assert cut(case(None, shut=by_event), known()) is None
    assert cut(case(300, Why.MOVED, by_event), known()) is None
    assert cut(case(300, Why.TOO_SLOW, by_event), known()) is None
    cuts = cut(case(300, shut=by_event), known())
    assert cuts is not None
    assert [reading.state for reading in cuts.readings] == list(STATES)
    assert cut(replace(case(300, shut=by_event), reading=cuts.readings[0]), known()) is None, "one state is no more"


def test_no_part_of_a_window_vouches_for_it() -> None:
    """A cursor that moved with a part would leave the other parts unread if the run ended there."""
    marked = replace(case(300, shut=frozenset()), reading=replace(LOCKS, marks=((Mark.LOCKING, NOW),)))
    for shut in (frozenset(), BY_SIZE, BY_SIZE | {Way.EVENT}):
        cuts = cut(replace(marked, shut=shut), known())
        assert cuts is not None
        assert [reading.marks for reading in cuts.readings] == [()] * len(cuts.readings)


@pytest.mark.parametrize(("rows", "stalled"), [(271, True), (270, False)])
def test_a_cut_that_takes_off_less_than_a_tenth_is_given_up(rows: int, stalled: bool) -> None:  # noqa: FBT001
    """A server that compares to the day answers each part with the day: cutting on would use up the hourly limit."""
    before = replace(case(300), stalls=(1, 1, 0, 0))
    assert child(before, Way.TIME, case(rows), others=0).stalls == (2 if stalled else 0, 1, 0, 0)


@pytest.mark.parametrize(("rows", "most"), [(1, 33), (10, 33), (11, 36), (1000, 330)])
def test_narrowing_takes_thirty_requests_and_two_a_page_beyond_the_pages(rows: int, most: int) -> None:
    """One window never uses up the hourly limit."""
    assert allowed(rows, 10) == most


def test_larger_pages_that_do_not_help_lead_on() -> None:
    """Still too many: they did not shrink it. Too slow, or in motion: larger pages only make that worse."""
    asked = case(500, shut=BY_TIME)
    still = replace(asked, size=2 * SIZE, said="too many")
    assert after_larger(asked, still) == replace(still, stalls=(0, 1, 0, 0))
    unknown = replace(still, total=None)
    assert after_larger(case(None, shut=BY_TIME), unknown) == replace(unknown, stalls=(0, 1, 0, 0))
    assert after_larger(asked, replace(asked, why=Why.MOVED, total=400)) == case(500, shut=BY_SIZE)


def test_a_way_that_lost_rows_is_not_tried_again() -> None:
    """The window is taken as it is now, with the remaining ways."""
    assert shut_way(case(500, shut=BY_TIME), Way.EVENT, 480) == case(480, shut=BY_TIME | {Way.EVENT})


@pytest.mark.parametrize("total", [None, 500])
@pytest.mark.parametrize("way", list(Way))
def test_the_rest_is_not_asked_for_once_the_total_is_met(way: Way, total: int | None) -> None:
    """Without a total nothing says that it is complete."""
    assert may_stop(case(total), way) == (total is not None and way is not Way.TIME)


@pytest.mark.parametrize(("total", "plausible"), [(None, None), (0, None), (10 * SIZE, None), (10 * SIZE + 1, 101)])
def test_a_number_in_a_refusal_counts_where_it_would_be_refused(total: int | None, plausible: int | None) -> None:
    """A refusal may name a year or a reference: only a number larger than can be paged through counts as rows."""
    assert SIZE == 10
    assert plausible_total(total, SIZE) == plausible
