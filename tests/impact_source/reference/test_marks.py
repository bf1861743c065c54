"""When a list is due, and from where it is read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.plan.windows import Window
from impact_source.reference.marks import Marks, describe, forget, read_marks

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENTS = st.integers(0, 400).map(lambda days: NOW - days * DAY)


@pytest.mark.parametrize(("later", "due"), [(timedelta(hours=11), False), (timedelta(hours=12), True), (-DAY, True)])
def test_a_list_is_due_once_a_day(later: timedelta, due: bool) -> None:  # noqa: FBT001 - what is expected
    """It is due on another day (UTC) than the one when it was read, also if the clock was set back."""
    marks = Marks({})
    assert marks.is_due("invoices", "", NOW)
    marks.read("invoices", "", NOW, None)
    assert marks.is_due("invoices", "", NOW + later) is due
    assert marks.is_due("invoices", "1000", NOW + later)


def test_what_failed_is_due_and_what_was_refused_is_not() -> None:
    """A refusal counts for the day; a failure is told until the list is read or refused."""
    state: dict[str, Any] = {}
    marks = Marks(state)
    marks.read("contracts", "1", NOW, Window(NOW - DAY, NOW))
    marks.fail("contracts", "1", "slow")
    assert marks.is_due("contracts", "1", NOW)
    assert read_marks(state, "failed") == [("contracts", "1", "slow")]
    marks.refuse("contracts", "1", NOW, "403")
    assert not marks.is_due("contracts", "1", NOW)
    assert (read_marks(state, "failed"), read_marks(state, "refused")) == ([], [("contracts", "1", "403")])
    assert marks.since("contracts", "1", NOW - 9 * DAY, DAY, None) == NOW - 9 * DAY, "it began later than that"
    assert marks.since("contracts", "1", NOW - DAY, timedelta(0), None) == NOW, "what was read before still counts"
    marks.read("contracts", "1", NOW, None)
    assert read_marks(state, "refused") == []
    forget(state, "contracts")
    assert marks.is_due("contracts", "1", NOW)


@given(MOMENTS, MOMENTS, MOMENTS, st.one_of(st.none(), MOMENTS), st.integers(0, 3))
def test_nothing_that_can_change_is_left_behind(
    begun: datetime, until: datetime, begin: datetime, unsettled: datetime | None, overlap: int
) -> None:
    """A list is read from its beginning, or at the latest from the overlap and from the oldest open record."""
    marks = Marks({})
    marks.read("invoices", "", until, Window(min(begun, until), until))
    since = marks.since("invoices", "", begin, overlap * DAY, unsettled)
    assert since >= begin
    assert since == begin or (since <= until - overlap * DAY and (unsettled is None or since <= unsettled))
    if begin < min(begun, until):
        assert since == begin, "nothing before the first reading's beginning is held"


def test_reasons_are_told_by_table() -> None:
    """Campaigns with one reason share a line."""
    lists = [("contracts", "1", "403"), ("contracts", "2", "403"), ("contracts", "3", "404"), ("invoices", "", "403")]
    assert list(describe(lists)) == [
        "contracts of campaign 1, 2: 403",
        "contracts of campaign 3: 404",
        "invoices: 403",
    ]
