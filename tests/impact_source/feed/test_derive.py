"""Items from the change feed: all of them with a few requests, and none that a list of items would contradict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impact_sync.console.exits import Exit

from tests.support.account import Account

Make = Callable[..., Account]
TOLD = ("category", "quantity", "sale_amount", "payout", "sale_amount_currency", "payout_currency")
"""What the feed says of an item."""


def known(one: Account) -> dict[str, str]:
    """What says the items of each action whose items are current: feed or list."""
    with one.opened() as connection:
        sql = "select action_id, known_by from impact.item_state where items = 'current'"
        return dict(connection.execute(sql).fetchall())


def feeds(one: Account) -> dict[str, tuple[Any, ...]]:
    """Status, reading of the quantity, and the example of a contradiction, by campaign."""
    with one.opened() as connection:
        sql = "select campaign_id, status, quantity, example from impact.item_feeds"
        return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def assert_told(one: Account, *, least: float) -> None:
    """What is known is true in every column that the feed has, and so much of all actions is known."""
    by, held, truth = known(one), one.held_items(), one.item_truth()
    for key in {key for key in held.keys() | truth.keys() if key[0] in by}:
        here, there = held.get(key), truth.get(key)
        assert here is not None and there is not None, (key, by[key[0]], here, there)
        columns = TOLD if here["known_by"] == "feed" else there
        assert {name: here[name] for name in columns} == {name: there[name] for name in columns}
    assert len(by) >= least * len(one.truth())


def test_all_items_are_known_with_a_few_requests(account: Make) -> None:
    """A first sync asks for the lists of some thirty actions a campaign and derives the items of all the others."""
    one = account(days=60, per_day=8)
    summary = one.sync(items="feed", items_max_requests=60)
    assert summary.exit is Exit.DONE
    print(feeds(one), summary.items, len(known(one)), len(one.truth()))
    assert_told(one, least=0.98)
