"""Items from the change feed: all of them with a few requests, and none that a list of items would contradict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from impact_sandbox import Rules
from impact_sync.console.exits import Exit

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
TOLD = ("category", "quantity", "sale_amount", "payout", "sale_amount_currency", "payout_currency")
"""What the feed says of an item."""


def known(one: Account) -> dict[str, str]:
    """What says the items of each action whose items are current: feed or list."""
    with one.opened() as connection:
        sql = "select action_id, known_by from impact.item_state where items = 'current'"
        return dict(connection.execute(sql).fetchall())


def feeds(one: Account) -> dict[str, tuple[Any, ...]]:
    """Status, reading of quantities and of removed items, and what contradicts the feed, by campaign."""
    with one.opened() as connection:
        sql = "select campaign_id, status, quantity, removed, example from impact.item_feeds"
        return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def share_of_told(one: Account) -> tuple[float, float]:
    """The shares of actions whose items are known, and known by the feed alone; all that is known must be true."""
    by, held, truth = known(one), one.held_items(), one.item_truth()
    for key in {key for key in held.keys() | truth.keys() if key[0] in by}:
        here, there = held.get(key), truth.get(key)
        assert here, (key, "is missing", there)
        assert there, (key, "is not listed", here)
        columns = TOLD if here["known_by"] == "feed" else there
        assert {name: here[name] for name in columns} == {name: there[name] for name in columns}
    actions = len(one.truth())
    return len(by) / actions, list(by.values()).count("feed") / actions


def weeks(one: Account, number: int, *, most: int = 8) -> list[tuple[float, float]]:
    """A first sync, and one after each further week: the shares that are known after each."""
    found = []
    for week in range(number):
        summary = one.sync(items="feed", items_max_requests=30 * len(one.world.campaigns) if not week else most)
        assert summary.exit is Exit.DONE
        found.append(share_of_told(one))
        one.world.advance(days=7)
    return found


def test_all_items_are_known_with_a_few_requests(account: Make) -> None:
    """A first sync requests the lists of some thirty actions a campaign and derives the items of all the others."""
    one = account(days=60, per_day=8)
    one.sandbox.requests.clear()
    actions = len(one.truth())
    assert weeks(one, 1) == [(1.0, 1 - 60 / actions)]
    assert {feed[:3] for feed in feeds(one).values()} == {("proven", "latest", "gone")}
    assert len(one.item_requests()) == 60


READINGS: list[tuple[dict[str, Any], float, tuple[str, str, str]]] = [
    ({"feed_approvals": True}, 1.0, ("proven", "latest", "gone")),
    ({"feed_quantity": "delta"}, 1.0, ("proven", "moved", "gone")),
    ({"feed_restorations": False}, 0.99, ("proven", "latest", "gone")),
    ({"feed_turns": "order"}, 0.93, ("proven", "latest", "gone")),
    ({"feed_removed": "last"}, 0.97, ("proven", "latest", "either")),
    ({"feed_lag": 3_600, "visibility_lag": 3_600}, 1.0, ("proven", "latest", "gone")),
    ({"duplicate_skus": 0.5}, 0.6, ("proven", "latest", "gone")),
    ({"duplicate_skus": 0.5, "feed_twins": "together"}, 1.0, ("proven", "latest", "gone")),
    ({"feed_keeps_days": 30}, 0.45, ("proven", "latest", "gone")),
    ({"feed_odd_deltas": 0.2}, 0.7, ("proven", "latest", "gone")),
    ({"feed_adds_items": 0.2}, 0.7, ("proven", "latest", "gone")),
    ({"odd_items": 0.3}, 0.6, ("proven", "latest", "gone")),
    ({"wire": "typed"}, 1.0, ("proven", "latest", "gone")),
    ({"reversal_touches": False}, 1.0, ("proven", "latest", "gone")),
]
USELESS: list[tuple[dict[str, Any], str, str]] = [
    ({"feed_rows": "order"}, "unproven", "its changes name no Sku"),
    ({"feed_renames_items": 0.2}, "contradicted", "PARENT-"),
    ({"feed_lacks_items": 0.2}, "contradicted", "the list says"),
]


@pytest.mark.parametrize(("rules", "least", "feed"), READINGS, ids=lambda value: str(value)[:40])
def test_whatever_the_feed_shows_nothing_derived_is_wrong(
    account: Make, rules: dict[str, Any], least: float, feed: tuple[str, str, str]
) -> None:
    """Actions that the feed tells completely are known at once; the others wait for their lists, never wrong."""
    one = account(days=60, per_day=6, campaigns=CAMPAIGNS[:1], rules=Rules(**rules))
    assert weeks(one, 3)[-1][0] >= least
    assert feeds(one)["1000"][:3] == feed


@pytest.mark.parametrize(("rules", "status", "why"), USELESS, ids=lambda value: str(value)[:40])
def test_a_feed_that_lists_contradict_is_not_used(account: Make, rules: dict[str, Any], status: str, why: str) -> None:
    """Where the feed names no items, or others than the lists, items come from lists only, and the reason is kept."""
    one = account(days=60, per_day=6, campaigns=CAMPAIGNS[:1], rules=Rules(**rules))
    assert {told for _, told in weeks(one, 2)} == {0.0}
    found, *_, example = feeds(one)["1000"]
    assert found == status
    assert why in example
    one.sync(items="feed", items_max_requests=None)
    one.assert_items_true()
