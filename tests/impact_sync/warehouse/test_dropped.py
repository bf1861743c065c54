"""What somebody dropped by hand of the change feed and what is derived from it comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.account import CAMPAIGNS, Account

Make = Callable[..., Account]
_LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("dropped", "requests"),
    [
        ("table action_updates", 3),
        ("table item_feeds", 3),
        ("table item_fetches", 30),
        pytest.param("table action_items", 30, marks=_LONG),
        pytest.param("column action_updates.sku", 3, marks=_LONG),
        pytest.param("column item_feeds.quantity", 3, marks=_LONG),
        pytest.param("column item_fetches.changes", 3, marks=_LONG),
        pytest.param("column item_fetches.status", 30, marks=_LONG),
        pytest.param("column action_items.known_by", 30, marks=_LONG),
    ],
)
def test_a_feed_that_was_dropped_is_read_again_and_items_derived_again(
    account: Make, dropped: str, requests: int
) -> None:
    """The next sync reads the change feed again; what was proven by lists that are gone too costs their requests."""
    one = account(days=20, per_day=3, campaigns=CAMPAIGNS[:1])
    one.sync(items="feed", items_max_requests=30)
    counted = "select count(*), count(distinct action_id), count(sku), sum(delta_amount) from impact.action_updates"
    updates, actions = one.query(counted), len(one.truth())
    kind, name = dropped.split()
    table, _, column = name.partition(".")
    with one.changing() as connection:
        drop = f"drop table {table}" if kind == "table" else f"alter table {table} drop column {column}"
        for view in ("item_coverage", "item_reconciliation", "item_sales", "item_state"):
            connection.execute(f"drop view {view}")
        connection.execute(drop)
    one.item_requests()
    one.world.advance(seconds=60)
    summary = one.sync(items="feed", items_max_requests=requests)
    assert one.query(counted) == updates
    assert summary.items is not None
    assert summary.items.coverage.current == actions
    assert [feed.verdict for feed in summary.items.feeds] == ["proven"]
    assert len(one.item_requests()) == requests
    assert {key: row["sale_amount"] for key, row in one.held_items().items()} == {
        key: row["sale_amount"] for key, row in one.item_truth().items()
    }
