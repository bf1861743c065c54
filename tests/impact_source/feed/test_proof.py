"""When a change feed counts as proven, and when as contradicted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impact_source.items.feed.proof import ENOUGH, Compared, Feed, Quantity, Removed, Verdict, judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGREES = Compared(
    is_newer=False,
    is_same=True,
    by_latest=True,
    by_moved=True,
    by_gone=True,
    by_listed=True,
    actions=1,
    example="1",
    fetched_at=NOW - HOUR,
)


def like(**changes: object) -> Compared:
    """Lists that agree with the feed in all but these."""
    return Compared(**(vars(AGREES) | changes))


@pytest.mark.parametrize(
    ("agreed", "drained", "verdict"),
    [
        (ENOUGH, False, Verdict.PROVEN),
        (ENOUGH - 1, False, Verdict.UNPROVEN),
        (ENOUGH - 1, True, Verdict.PROVEN),
        (1, True, Verdict.PROVEN),
    ],
)
def test_so_many_lists_prove_a_feed(agreed: int, drained: bool, verdict: Verdict) -> None:  # noqa: FBT001 - a case
    """Thirty lists that agree are enough, or all that there are."""
    assert judge(Feed("1"), [like(actions=agreed)], NOW, drained=drained).verdict is verdict


def test_without_any_list_nothing_is_proven() -> None:
    """A campaign without an action that the feed adds up to stays unproven, and is looked at from the same instant."""
    feed = Feed("1", checked_at=NOW - HOUR)
    assert judge(feed, [], NOW, drained=True) == feed


def test_lists_add_up_over_runs() -> None:
    """Lists that agreed in earlier runs count."""
    first = judge(Feed("1"), [like(actions=20)], NOW)
    assert judge(first, [like(actions=10)], NOW).verdict is Verdict.PROVEN


@pytest.mark.parametrize("verdict", [Verdict.UNPROVEN, Verdict.PROVEN])
@pytest.mark.parametrize(
    "wrong", [{"is_same": False}, {"by_latest": False, "by_moved": False}, {"by_gone": False, "by_listed": False}]
)
def test_one_list_is_enough_to_contradict_a_feed(verdict: Verdict, wrong: dict[str, bool]) -> None:
    """However many lists agree, one that says otherwise turns the feed off, and is named."""
    feed = judge(Feed("1", verdict), [like(actions=99), like(example="7", **wrong)], NOW)
    assert (feed.verdict, feed.example) == (Verdict.CONTRADICTED, "7")


@pytest.mark.parametrize(
    ("told", "quantity", "removed"),
    [
        ({}, Quantity.EITHER, Removed.EITHER),
        ({"by_moved": False}, Quantity.LATEST, Removed.EITHER),
        ({"by_latest": False}, Quantity.MOVED, Removed.EITHER),
        ({"by_listed": False}, Quantity.EITHER, Removed.GONE),
        ({"by_gone": False}, Quantity.EITHER, Removed.LISTED),
    ],
)
def test_a_reading_is_known_once_a_list_tells_it(told: dict[str, bool], quantity: Quantity, removed: Removed) -> None:
    """What a quantity is, and whether removed items are listed, is open until a list agrees with one reading only."""
    feed = judge(Feed("1"), [AGREES, like(**told)], NOW)
    assert (feed.quantity, feed.removed) == (quantity, removed)


def test_lists_that_need_different_readings_contradict_the_feed() -> None:
    """No reading fits both: then none is right."""
    feed = judge(Feed("1"), [like(by_moved=False), like(by_latest=False)], NOW)
    assert feed.verdict is Verdict.CONTRADICTED


def test_a_list_that_may_be_newer_is_compared_again() -> None:
    """It neither proves nor contradicts now; the next comparison begins before it."""
    newer = like(is_newer=True, is_same=False, fetched_at=NOW - 2 * HOUR)
    feed = judge(Feed("1"), [like(actions=ENOUGH), newer], NOW)
    assert (feed.verdict, feed.agreed) == (Verdict.PROVEN, ENOUGH)
    assert feed.checked_at is not None
    assert feed.checked_at < newer.fetched_at
    assert judge(feed, [like(is_same=False)], NOW + HOUR).verdict is Verdict.CONTRADICTED


def test_many_lists_that_may_be_newer_delay_the_proof() -> None:
    """If every list seems newer than the feed, that is no coincidence."""
    newer = like(is_newer=True, is_same=False, actions=ENOUGH)
    assert judge(Feed("1"), [like(actions=ENOUGH), newer], NOW).verdict is Verdict.UNPROVEN


@given(st.lists(st.builds(Compared, *[st.booleans()] * 6, st.integers(1, 40), st.just("1"), st.just(NOW)), max_size=6))
def test_no_feed_is_proven_that_a_list_contradicts(compared: list[Compared]) -> None:
    """Whatever the lists say and in whichever order, a certain contradiction is never overlooked."""
    feed = judge(Feed("1"), compared, NOW)
    wrong = [one for one in compared if not one.is_newer and not one.is_same]
    assert not (wrong and feed.verdict is not Verdict.CONTRADICTED)
    assert judge(Feed("1"), compared[::-1], NOW).verdict is feed.verdict
