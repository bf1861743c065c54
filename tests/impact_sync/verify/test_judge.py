"""How a verification judges a difference, by plain calls: drift, newer than the last sync, or gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from impact_source.actions.unread import Failure
from impact_source.errors import InvalidAnswer, ScopeError
from impact_source.plan.gone import THEN_EVERY, Gone
from impact_source.plan.passes import Pass, Reading
from impact_source.plan.windows import Window
from impact_source.settings import LATE
from impact_sync.console.exits import Exit
from impact_sync.verify import judge
from impact_sync.verify.compare import Cell, Difference, Kind, compare
from impact_sync.verify.judge import newer

from tests.impact_sync.verify.test_compare import DAY, NOW, OLD, SECOND, action, ids, table

LAST = NOW - 2 * DAY
"""When the last sync was."""
REACH = LAST - LATE


@pytest.mark.parametrize(
    ("here", "there", "is_newer"),
    [
        ({}, {"note": "x"}, False),
        ({"creation_date": REACH}, {"creation_date": REACH, "note": "x"}, False),
        ({"creation_date": REACH + SECOND}, {"creation_date": REACH + SECOND, "note": "x"}, True),
        ({}, {"note": "x", "locking_date": REACH}, False),
        ({}, {"note": "x", "locking_date": REACH + SECOND}, True),
        ({}, {"note": "x", "locking_date": NOW}, True),
        ({}, {"note": "x", "locking_date": NOW + SECOND}, False),
        ({}, {"cleared_date": REACH}, False),
        ({}, {"cleared_date": REACH + SECOND}, True),
        ({}, {"cleared_date": NOW}, True),
        ({}, {"cleared_date": NOW + SECOND}, False),
        ({"cleared_date": NOW - DAY, "note": "y"}, {"cleared_date": NOW - DAY, "note": "x"}, False),
        ({}, {"state": "REVERSED"}, True),
        ({}, {"state": "REVERSED", "payout": Decimal(0), "locking_date": OLD}, True),
        ({}, {"state": "REVERSED", "note": "x"}, False),
        ({}, {"payout": Decimal(0)}, False),
        ({"locking_date": LAST + SECOND}, {"state": "REVERSED", "locking_date": OLD}, True),
        ({"locking_date": LAST}, {"state": "REVERSED", "locking_date": OLD}, False),
        ({"cleared_date": OLD}, {"state": "REVERSED", "cleared_date": OLD}, False),
        ({"cleared_date": OLD}, {"state": "REVERSED"}, False),
    ],
)
def test_what_changed_since_the_last_sync_is_no_mistake_of_it(
    here: dict[str, Any],
    there: dict[str, Any],
    is_newer: bool,  # noqa: FBT001 - the expected value
) -> None:
    """A difference that the last sync could not know is distinguished from one that it missed, by its dates alone."""
    found = compare(table(action("a", **there)), table(action("b"), action("a", **here)))
    assert ids(found.stale) == ["a"]
    missing, stale = newer(found, LAST, NOW)
    assert (missing.to_pylist(), stale.to_pylist()) == ([], [is_newer])


def test_a_state_that_changed_right_after_a_sync_is_no_excuse() -> None:
    """Within the hour in which rows may show late, a change of state does not count as newer than the sync."""
    found = compare(table(action("a", state="REVERSED")), table(action("a")))
    assert newer(found, NOW - LATE, NOW)[1].to_pylist() == [False]
    assert newer(found, NOW - LATE - SECOND, NOW)[1].to_pylist() == [True]


def test_each_stale_row_is_compared_with_its_own() -> None:
    """The order of rows in the warehouse says nothing."""
    found = compare(
        table(action("a", state="REVERSED"), action("b", note="x"), action("c", creation_date=NOW, note="x")),
        table(action("c", creation_date=NOW), action("b"), action("a")),
    )
    assert ids(found.stale) == ["a", "b", "c"]
    assert newer(found, LAST, NOW)[1].to_pylist() == [True, False, True]


def test_a_missing_action_is_excused_by_when_it_was_created() -> None:
    """One that is older than the last sync could have been read, whatever happened to it since."""
    missing = [action("a", creation_date=REACH), action("b", creation_date=REACH + SECOND)]
    missing += [action("c", creation_date=None), action("d", locking_date=NOW)]
    assert newer(compare(table(*missing), None), LAST, NOW)[0].to_pylist() == [False, True, False, False]


def test_what_is_newer_is_set_apart() -> None:
    """Newer rows are counted and no longer differ; for those that are held the ids are known."""
    there = table(action("new", creation_date=NOW), action("lost"), action("open", state="REVERSED"), action("same"))
    found = compare(there, table(action("open"), action("same")))
    judged = judge.without_newer(found, LAST, NOW)
    assert (ids(judged.newer), judged.updated) == (["new", "open"], frozenset({"open"}))
    assert (ids(judged.found.missing), ids(judged.found.stale), ids(judged.found.same)) == (["lost"], [], ["same"])
    unsynced = judge.without_newer(found, None, NOW)
    assert (ids(unsynced.newer), unsynced.updated) == (["new", "lost", "open"], frozenset({"open"}))
    same = compare(table(action("same")), table(action("same")))
    nothing = judge.without_newer(same, None, NOW)
    assert (len(nothing.newer), nothing.found, nothing.updated) == (0, same, frozenset())


@pytest.mark.parametrize("synced", [None, REACH])
def test_what_is_newer_may_be_of_one_kind_alone(synced: datetime | None) -> None:
    """Without missing rows, or without stale ones, there is nothing to set apart on that side."""
    created = action("a", creation_date=NOW)
    for here, updated in ((None, frozenset()), (table(action("a", creation_date=NOW, note="old")), frozenset("a"))):
        judged = judge.without_newer(compare(table(created), here), synced, NOW)
        assert (ids(judged.newer), judged.updated) == (["a"], frozenset(updated))
        assert (ids(judged.found.missing), ids(judged.found.stale)) == ([], [])


def test_what_no_sync_would_load_is_not_missing() -> None:
    """Actions created before the configured start need not be held; those created then, or later, must be."""
    found = compare(table(action("a", creation_date=LAST - SECOND), action("b", creation_date=LAST)), None)
    left, unexpected = judge.without_unexpected(found, LAST)
    assert (ids(left.missing), unexpected) == (["b"], 1)
    assert judge.without_unexpected(found, None) == (found, 0)


def test_a_difference_lasts_if_the_same_columns_still_differ() -> None:
    """At the second reading the columns that differed at the first count, with their current values."""
    first = Difference("7", "1", Kind.STALE, OLD, (Cell("note", "a", "b"), Cell("payout", "1", "2")))
    now = replace(first, cells=(Cell("note", "a", "c"), Cell("state", "PENDING", "REVERSED")))
    assert judge.lasting(first, now) == replace(first, cells=(Cell("note", "a", "c"),))
    assert judge.lasting(first, replace(now, cells=now.cells[1:])) is None
    missing = Difference("7", "1", Kind.MISSING, OLD)
    assert judge.lasting(missing, missing) == missing


def test_differences_of_newer_actions_are_set_apart() -> None:
    """They keep their order."""
    found = [Difference("7", id_, Kind.MISSING, OLD) for id_ in "abc"]
    assert judge.split(found, {"b", "z"}) == ([found[0], found[2]], [found[1]])


def test_what_a_window_did_not_return_is_asked_for_unless_it_is_known_to_be_gone() -> None:
    """An action that was acknowledged as gone is requested now and then; one that was not, always."""
    held = table(action("1"), action("2"), action("3"))
    returned = pa.chunked_array([["1"], ["4"]])
    assert judge.unreturned(held, returned, {"3"}) == {"2": OLD}
    assert judge.only_returned({"1": OLD, "2": OLD}, returned) == ["1"]
    assert judge.only_returned({}, returned) == []
    lately = Gone(OLD, NOW, acknowledged=True)
    gone = {"a": lately, "b": replace(lately, last=NOW - THEN_EVERY), "c": replace(lately, acknowledged=False)}
    assert judge.known_gone(["d", "c", "b", "a"], gone, NOW) == ["a"]
    assert [id_ for id_ in "abcd" if judge.is_acknowledged(id_, gone)] == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "is_hidden"),
    [
        ({}, True),
        ({"event_date": OLD - SECOND}, False),
        ({"event_date": OLD + DAY}, True),
        ({"event_date": OLD + DAY + SECOND}, False),
        ({"event_date": None}, False),
        ({"campaign_id": "8"}, False),
    ],
)
def test_an_action_is_hidden_if_a_window_should_have_returned_it(columns: dict[str, Any], *, is_hidden: bool) -> None:
    """It belongs to the campaign and is dated within the windows, their ends included."""
    found = table(action("other", campaign_id="8"), action("1", **({"campaign_id": "7"} | columns)))
    expected = ("1", columns.get("event_date", OLD)) if is_hidden else None
    assert judge.hidden(found, "7", Window(OLD, OLD + DAY)) == expected


def test_how_a_verification_ended() -> None:
    """What could not be read counts more than what differs; what was repaired is no longer drift."""
    reading = Reading("7", Pass.VERIFY, Window(OLD, NOW))
    failures = [Failure(reading, InvalidAnswer("x")), Failure(reading, ScopeError("y"))]
    assert judge.ended([], drift=False, repaired=False) == (Exit.DONE, "done")
    assert judge.ended([], drift=False, repaired=True) == (Exit.DONE, "done")
    assert judge.ended([], drift=True, repaired=False) == (Exit.DRIFT, "drift")
    assert judge.ended([], drift=True, repaired=True) == (Exit.DONE, "repaired")
    assert judge.ended(failures, drift=True, repaired=True) == (Exit.FAILED, "InvalidAnswer")
